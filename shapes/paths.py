"""Paths into an object, as target files write them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any


@functools.cache  # Those of a target file, asked for each of its resources.
def path_names(path: str) -> tuple[str, ...]:
    """Return the names that a path goes through, outermost first; none if it is not a path."""
    if not re.fullmatch(r"[^.\[\]]+(\.[^.\[\]]+|\[[^\[\]]+\])*", path):
        return ()
    return tuple(bracketed or plain for bracketed, plain in re.findall(r"\[([^\[\]]+)\]|([^.\[\]]+)", path))


def at_path(item: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path of an object; None if nothing does, or it is no path."""
    names_on_it = path_names(path)
    value: Any = item if names_on_it else None
    for name in names_on_it:
        if not isinstance(value, dict | Mapping):  # A dict is told at once, other mappings by their class.
            return None
        value = value.get(name)
    return value
