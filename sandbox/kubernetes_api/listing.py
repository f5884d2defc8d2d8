"""Lists in pages: every page of one list shows the same moment, whatever is written in between."""

from __future__ import annotations

import base64
import binascii
import bisect
import json
from dataclasses import dataclass

from sandbox.kubernetes_api.resources import Object
from sandbox.kubernetes_api.selectors import Selector
from sandbox.kubernetes_api.status import bad_request, too_large_version
from sandbox.kubernetes_api.store import Collection, Key


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a list asks for. `limit` 0 means all; `version` None means now; `after` is the last key given."""

    namespace: str | None
    selector: Selector
    limit: int = 0
    version: int | None = None
    after: Key | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list as of `version`. `remaining` is None when a selector makes it unknown."""

    items: list[Object]
    version: int
    token: str = ""
    remaining: int | None = None


def read_page(collection: Collection, request: ListRequest, current: int) -> Page:
    """The page that the request asks for, where `current` is the store's version now.

    Raises ApiError 410 when the asked moment is forgotten, 504 when it lies in the future.
    """
    version = current if request.version is None else request.version
    if version > current:
        raise too_large_version(version, current)
    then = collection.as_of(version) if version < current else {}
    keys = collection.keys(request.namespace)
    if then:
        wanted = (key for key in then if request.namespace in (None, key[0]))
        keys = sorted({*keys, *wanted})
        keys = [key for key in keys if then.get(key, collection.objects.get(key)) is not None]
    start = 0 if request.after is None else bisect.bisect_right(keys, request.after)
    items: list[Object] = []
    for position in range(start, len(keys)):
        key = keys[position]
        found = then[key] if key in then else collection.objects[key]
        if found is None or not request.selector.matches(found):
            continue
        if request.limit and len(items) == request.limit:
            remaining = None if request.selector else len(keys) - position
            return Page(items, version, _token(version, keys[position - 1]), remaining)
        items.append(found)
    return Page(items, version)


def _token(version: int, last: Key) -> str:
    text = json.dumps([version, *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str) -> tuple[int, Key]:
    """The moment and the last key that a `continue` token means. Raises ApiError 400 for another text."""
    try:
        padded = token + "=" * (-len(token) % 4)
        version, namespace, name = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise bad_request("continue key is not valid: it did not come from an earlier list") from error
    if not (type(version) is int and isinstance(namespace, str) and isinstance(name, str)):
        raise bad_request("continue key is not valid: it did not come from an earlier list")
    return version, (namespace, name)
