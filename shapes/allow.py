"""What a target file allows to be loaded and broken: contexts, namespaces and hosts, by name or pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from shapes.document import Node

_PRODUCTION = re.compile(r"(?<![a-z])(prod|prd|production|live)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Allow:
    """``given`` tells a file that allows nothing from one that does not say."""

    contexts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    given: bool = False


NOTHING_SAID = Allow()


def parse(node: Node) -> Allow:
    """Return what a target file allows.

    Raises:
        DocumentError: naming file, path and mend.
    """
    got = node.fields(optional=("contexts", "namespaces", "hosts"))
    lists = {key: tuple(item.text() for item in child.items()) for key, child in got.items()}
    return Allow(**lists, given=True)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name is one of those, or fits a pattern such as ``kind-*``."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def looks_like_production(name: str) -> bool:
    """Return whether a word of a name says production."""
    return bool(_PRODUCTION.search(name))
