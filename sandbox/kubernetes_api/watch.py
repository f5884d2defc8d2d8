"""Watches: the changes of a collection as a stream of lines, from a version on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from sandbox.kubernetes_api.request import Query
from sandbox.kubernetes_api.resources import Object, Resource
from sandbox.kubernetes_api.selectors import Selector
from sandbox.kubernetes_api.status import ApiError, bad_request, too_large_version
from sandbox.kubernetes_api.store import Change, Collection, Store

DEFAULT_TIMEOUT_S = 1800
"""How long a watch lasts that gives no timeoutSeconds; the real API server takes 30 to 60 minutes."""


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What a watch asks for. `version` None: begin with the present objects, each as ADDED."""

    namespace: str | None
    selector: Selector
    version: int | None
    timeout_s: float
    bookmarks: bool
    marks_initial_end: bool


def read_watch(query: Query, resource: Resource, namespace: str | None) -> WatchRequest:
    """What a watch with this query asks for. Raises ApiError 400 for values that cannot be read."""
    version = query.number("resourceVersion") or None
    initial = query.flag("sendInitialEvents")
    if initial and query.text("resourceVersionMatch") != "NotOlderThan":
        raise bad_request("sendInitialEvents needs resourceVersionMatch=NotOlderThan")
    return WatchRequest(
        namespace=namespace,
        selector=query.selector(resource),
        version=None if initial else version,
        timeout_s=query.number("timeoutSeconds") or DEFAULT_TIMEOUT_S,
        bookmarks=query.flag("allowWatchBookmarks"),
        marks_initial_end=initial and query.flag("allowWatchBookmarks"),
    )


def line(kind: str, subject: Object) -> bytes:
    """One event of a stream."""
    return json.dumps({"type": kind, "object": subject}, separators=(",", ":")).encode() + b"\n"


def selected(changes: list[Change], request: WatchRequest) -> Iterator[tuple[str, Object]]:
    """What the watcher sees of the changes: an object that starts or stops to match comes and goes."""
    for change in changes:
        if request.namespace not in (None, change.key[0]):
            continue
        was = change.before is not None and request.selector.matches(change.before)
        if change.deleted:
            if was:
                yield "DELETED", change.after
        elif request.selector.matches(change.after):
            yield ("MODIFIED" if was else "ADDED"), change.after
        elif was and change.before is not None:
            version = {"resourceVersion": str(change.version)}
            yield "DELETED", {**change.before, "metadata": {**change.before["metadata"], **version}}


class Watch:
    """One running watch. It reads from the history at its own pace, so a slow client costs no memory;
    a client so slow that the history has gone past it gets an ERROR event with code 410."""

    def __init__(
        self, store: Store, resource: Resource, request: WatchRequest, bookmark_every_s: float
    ) -> None:
        self._store = store
        self._collection: Collection = store.collection(resource)
        self._resource = resource
        self._request = request
        self._bookmark_every_s = bookmark_every_s
        self._wake = asyncio.Event()
        self._stopped = False

    def stop(self) -> None:
        """End the stream soon, because the client has gone."""
        self._stopped = True
        self._wake.set()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """The stream in pieces of whole lines; it ends with the watch."""
        self._collection.subscribe(self._wake)
        try:
            async with aclosing(self._stream()) as stream:
                async for piece in stream:
                    yield piece
        except ApiError as error:
            yield line("ERROR", error.body())
        finally:
            self._collection.unsubscribe(self._wake)

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        request, ends_at = self._request, time.monotonic() + self._request.timeout_s
        cursor = self._store.version if request.version is None else request.version
        if cursor > self._store.version:
            raise too_large_version(cursor, self._store.version)
        if request.version is None:
            yield self._present_objects()
        bookmark_at = time.monotonic() + self._bookmark_every_s
        while not self._stopped:
            self._wake.clear()
            changes = self._collection.changes_after(cursor)
            piece = b"".join(
                line(kind, self._resource.presented(s)) for kind, s in selected(changes, request)
            )
            # Everything up to now has been looked at, so a quiet collection does not age the cursor.
            cursor = self._store.version
            now = time.monotonic()
            over = now >= ends_at or self._collection.closed
            if request.bookmarks and (over or now >= bookmark_at):
                piece += self._bookmark(cursor)
                bookmark_at = now + self._bookmark_every_s
            if piece:
                yield piece
            if over:
                return
            await self._sleep(min(ends_at, bookmark_at) - time.monotonic())

    async def _sleep(self, longest_s: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), max(longest_s, 0.001))
        except TimeoutError:
            return

    def _present_objects(self) -> bytes:
        request, objects = self._request, self._collection.objects
        found = (objects[key] for key in self._collection.keys(request.namespace))
        piece = b"".join(
            line("ADDED", self._resource.presented(subject))
            for subject in found
            if request.selector.matches(subject)
        )
        if request.marks_initial_end:
            return piece + self._bookmark(self._store.version, {"k8s.io/initial-events-end": "true"})
        return piece

    def _bookmark(self, version: int, annotations: Object | None = None) -> bytes:
        metadata: Object = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = annotations
        kind, api_version = self._resource.kind, self._resource.api_version
        return line("BOOKMARK", {"kind": kind, "apiVersion": api_version, "metadata": metadata})
