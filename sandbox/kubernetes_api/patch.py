"""Patches as pure functions: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and JSON equality."""

from __future__ import annotations

import copy
import re
from typing import Any

_INDEX = re.compile(r"0|[1-9][0-9]*")
_NEEDED = {
    "add": ("value",),
    "replace": ("value",),
    "test": ("value",),
    "remove": (),
    "move": ("from",),
    "copy": ("from",),
}


class MalformedPatch(ValueError):
    """The patch is not a JSON patch at all."""


class PatchFailed(ValueError):
    """The patch is well formed but does not fit the document, or one of its tests failed."""


def json_equal(left: Any, right: Any) -> bool:
    """Equality of JSON values: numbers by value, and never a boolean equal to a number as in Python."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(json_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return bool(left == right)


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` with `patch` merged in, by the algorithm of RFC 7386 section 2.

    Neither argument is changed; the result shares with them every part that it did not have to rebuild.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(document: Any, operations: Any) -> Any:
    """`document` after all operations of RFC 6902, or an error and no change: the argument is never changed.

    Raises MalformedPatch (not a patch) or PatchFailed (a path that is not there, a test that does not hold).
    """
    if not isinstance(operations, list):
        raise MalformedPatch("a JSON patch is a list of operations")
    result = copy.deepcopy(document)
    for position, operation in enumerate(operations):
        _require_form(operation, position)
        result = _apply(result, operation)
    return result


def _require_form(operation: Any, position: int) -> None:
    op = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(op, str) or op not in _NEEDED:
        known = ", ".join(sorted(_NEEDED))
        raise MalformedPatch(f"operation {position}: 'op' must be one of {known}")
    for member in ("path", *_NEEDED[op]):
        if member not in operation:
            raise MalformedPatch(f"operation {position}: {op} needs {member!r}")


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    op, path = operation["op"], _tokens(operation["path"])
    if op == "add":
        return _add(document, path, copy.deepcopy(operation["value"]))
    if op == "remove":
        return _remove(document, path)
    if op == "replace":
        _read(document, path)
        return _add(_remove(document, path), path, copy.deepcopy(operation["value"]))
    if op == "test":
        if not json_equal(_read(document, path), operation["value"]):
            raise PatchFailed(f"testing value {operation['path']} failed")
        return document
    source = _tokens(operation["from"])
    moved = copy.deepcopy(_read(document, source))
    if op == "move":
        if path[: len(source)] == source and path != source:
            raise PatchFailed(f"cannot move {operation['from']} into itself")
        document = _remove(document, source)
    return _add(document, path, moved)


def _tokens(pointer: Any) -> list[str]:
    """The reference tokens of an RFC 6901 pointer."""
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise MalformedPatch(f"{pointer!r} is no JSON pointer; it is empty or starts with '/'")
    if re.search(r"~(?![01])", pointer):
        raise MalformedPatch(f"{pointer!r} is no JSON pointer; write '~' as '~0' and '/' as '~1'")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _index(token: str, limit: int) -> int:
    if not _INDEX.fullmatch(token) or int(token) > limit:
        raise PatchFailed(f"there is no array element {token!r}")
    return int(token)


def _read(document: Any, path: list[str]) -> Any:
    for token in path:
        if isinstance(document, list):
            document = document[_index(token, len(document) - 1)]
        elif isinstance(document, dict) and token in document:
            document = document[token]
        else:
            raise PatchFailed(f"there is no member {token!r}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent)), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise PatchFailed(f"{last!r} cannot be added to a value that is neither object nor array")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    _read(document, path)
    if not path:
        return None
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(last, len(parent) - 1)]
    else:
        del parent[last]
    return document
