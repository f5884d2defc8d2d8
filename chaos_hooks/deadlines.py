"""Deadlines: what was begun, in the order of its beginning, and what ends it when that took too long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Deadline(NamedTuple):
    """Things of which the first began first, each at its ``since_s``; ``end`` is called with one that is not
    gone after ``timeout_s``, and must take it away."""

    things: Mapping[Any, None]
    timeout_s: float
    end: Callable[[Any], None]


class Deadlines:
    """Several of them, on one clock."""

    def __init__(self, *each: Deadline) -> None:
        self._each = each

    def expire(self, now_s: float) -> None:
        """End what took too long."""
        for things, timeout_s, end in self._each:
            while things:
                first = next(iter(things))
                if first.since_s + timeout_s > now_s:
                    break
                end(first)

    def rest_s(self, now_s: float) -> float | None:
        """Return how long nothing takes too long; None for ever."""
        due_s = [next(iter(things)).since_s + timeout_s for things, timeout_s, _ in self._each if things]
        return max(0.0, min(due_s) - now_s) if due_s else None
