"""The cluster: the store and the registry kept in step, with the two kinds that contain other objects."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from sandbox.kubernetes_api.definitions import resources_of
from sandbox.kubernetes_api.resources import BUILT_IN, DEFINITIONS, NAMESPACES, Object, Registry, Resource
from sandbox.kubernetes_api.store import Key, Store


def timestamp(moment: datetime) -> str:
    """A UTC moment as Kubernetes writes it in metadata, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """All state of the API. A definition that is stored is served, one that is removed is not.

    Namespaces and definitions are containers: one that is being deleted goes when its last object has gone.
    `now` gives UTC; `source` makes uids and generated names.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], source: random.Random) -> None:
        self.store = store
        self.registry = Registry()
        self.source = source
        self._now = now
        # Made now, so that the history of each begins with the cluster.
        for resource in BUILT_IN:
            store.collection(resource)

    def now(self) -> datetime:
        """The present, in UTC."""
        return self._now()

    def put(self, resource: Resource, key: Key, subject: Object) -> Object:
        """Store the object; raises ApiError 422 for a definition that cannot be served."""
        served = resources_of(subject) if resource == DEFINITIONS else []
        stored = self.store.put(resource, key, subject)
        if served:
            self.registry.serve(served)
            self.store.collection(served[0])
        return stored

    def remove(self, resource: Resource, key: Key, last: Object) -> Object:
        """Remove the object, and the containers that only waited for it."""
        gone = self.store.remove(resource, key, last)
        if resource == DEFINITIONS:
            for served in resources_of(last)[:1]:
                self.registry.withdraw(served.group, served.plural)
                self.store.drop(served)
        if resource.namespaced:
            self.settle(NAMESPACES, ("", key[0]))
        if resource.custom:
            self.settle(DEFINITIONS, ("", resource.qualified))
        return gone

    def settle(self, resource: Resource, key: Key) -> None:
        """Remove the object if it is being deleted, has no finalizers and contains nothing any more."""
        subject = self.store.get(resource, key)
        if subject is None:
            return
        metadata = subject["metadata"]
        waiting = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if waiting and not self.contents(resource, key):
            self.remove(resource, key, subject)

    def contents(self, resource: Resource, key: Key) -> list[tuple[Resource, Key]]:
        """The objects in a namespace or of a definition; nothing for any other resource."""
        if resource == NAMESPACES:
            inside, namespace = self._one_version_each(), key[1]
            return [(r, k) for r in inside if r.namespaced for k in self.store.collection(r).keys(namespace)]
        if resource == DEFINITIONS:
            plural, _, group = key[1].partition(".")
            served = self.registry.any_version(group, plural)
            return [(served, k) for k in self.store.collection(served).keys(None)] if served else []
        return []

    def _one_version_each(self) -> list[Resource]:
        found: dict[tuple[str, str], Resource] = {}
        for group, versions in self.registry.versions().items():
            for version in versions:
                for resource in self.registry.in_version(group, version):
                    found.setdefault((group, resource.plural), resource)
        return list(found.values())
