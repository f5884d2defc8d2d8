"""The objects in memory: one collection a resource, one version counter for all, and a history to watch."""

from __future__ import annotations

import asyncio
import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.kubernetes_api.resources import Object, Resource
from sandbox.kubernetes_api.status import expired

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write. `after` of a deletion is the last state, stamped with the deletion's version."""

    version: int
    key: Key
    before: Object | None
    after: Object
    deleted: bool


class Collection:
    """The objects of one resource, their order, and the last changes of them."""

    def __init__(self, version: int, history_length: int) -> None:
        self.objects: dict[Key, Object] = {}
        self.complete_since = version
        self.closed = False
        self._keys: list[Key] = []
        self._history: deque[Change] = deque()
        self._history_length = history_length
        self._waiting: set[asyncio.Event] = set()

    def keys(self, namespace: str | None) -> list[Key]:
        """The keys in order, of one namespace or (None) of all."""
        if namespace is None:
            return list(self._keys)
        first = bisect.bisect_left(self._keys, (namespace, ""))
        return self._keys[first : bisect.bisect_left(self._keys, (namespace + "\0", ""))]

    def changes_after(self, version: int) -> list[Change]:
        """Every change with a later version, oldest first. Raises ApiError 410 when some are forgotten."""
        if version < self.complete_since:
            raise expired(version, self.complete_since)
        return list(self._newest_first(version))[::-1]

    def as_of(self, version: int) -> dict[Key, Object | None]:
        """What the keys changed since `version` held at that version; None where there was no object.

        Raises ApiError 410 when the history does not reach back that far.
        """
        changed = reversed(self.changes_after(version))
        return {change.key: change.before for change in changed}

    def _newest_first(self, version: int) -> Iterator[Change]:
        for change in reversed(self._history):
            if change.version <= version:
                return
            yield change

    def commit(self, change: Change) -> None:
        """Make the change visible, remember it and wake every watch."""
        if change.deleted:
            del self.objects[change.key]
            del self._keys[bisect.bisect_left(self._keys, change.key)]
        else:
            if change.key not in self.objects:
                bisect.insort(self._keys, change.key)
            self.objects[change.key] = change.after
        self._history.append(change)
        if len(self._history) > self._history_length:
            self.complete_since = self._history.popleft().version
        self.wake_all()

    def subscribe(self, wake: asyncio.Event) -> None:
        """Set `wake` at every later change, until unsubscribe."""
        self._waiting.add(wake)

    def unsubscribe(self, wake: asyncio.Event) -> None:
        """Stop setting `wake`."""
        self._waiting.discard(wake)

    def wake_all(self) -> None:
        """Let every watch look again, for example because the collection was closed."""
        for wake in self._waiting:
            wake.set()


class Store:
    """All collections. Methods are not coroutines: in one event loop each of them is atomic.

    `first_version` has to lie above every version that an earlier server on the same address gave out, so
    that a client with an old version is told 410 instead of waiting for changes that it can never get.
    """

    def __init__(self, first_version: int, history_length: int) -> None:
        self.version = first_version
        self._history_length = history_length
        self._collections: dict[tuple[str, str], Collection] = {}

    def collection(self, resource: Resource) -> Collection:
        """The collection of the resource, shared by all its versions; made when first asked for."""
        place = (resource.group, resource.plural)
        if place not in self._collections:
            self._collections[place] = Collection(self.version, self._history_length)
        return self._collections[place]

    def get(self, resource: Resource, key: Key) -> Object | None:
        """The object as stored, not to be changed, or None."""
        return self.collection(resource).objects.get(key)

    def put(self, resource: Resource, key: Key, subject: Object) -> Object:
        """Commit the object under the next version and return it as stored."""
        before = self.get(resource, key)
        return self._commit(resource, key, before, subject, deleted=False)

    def remove(self, resource: Resource, key: Key, last: Object) -> Object:
        """Delete the object under the next version and return its last state, stamped with that version."""
        before = self.get(resource, key)
        return self._commit(resource, key, before, last, deleted=True)

    def _commit(
        self, resource: Resource, key: Key, before: Object | None, subject: Object, *, deleted: bool
    ) -> Object:
        self.version += 1
        stamped = {**subject, "metadata": {**subject["metadata"], "resourceVersion": str(self.version)}}
        change = Change(self.version, key, before, stamped, deleted)
        self.collection(resource).commit(change)
        return stamped

    def drop(self, resource: Resource) -> None:
        """Forget the resource's collection, which must be empty, and end its watches."""
        collection = self._collections.pop((resource.group, resource.plural), None)
        if collection is not None:
            collection.closed = True
            collection.wake_all()

    def close(self) -> None:
        """End every watch, because the server stops."""
        for collection in self._collections.values():
            collection.closed = True
            collection.wake_all()
