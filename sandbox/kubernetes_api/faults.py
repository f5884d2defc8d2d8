"""Faults: which requests of the faulty port are disturbed, how, for how long, and how often it happened."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.kubernetes_api.request import RequestInfo

MAX_LEASE_S = 3600.0
MAX_DELAY_S = 600.0
_HITS_KEPT = 10_000  # their times; the count goes on


class BadFault(Exception):
    """A body that describes no fault; the message is one sentence that names the field and the mend."""


class DuplicateFault(Exception):
    """A fault of that name is on; the message is one sentence with the mend."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as asked for. None means any: verb, resource (its plural), path, and number of times.

    A matching request waits `delay_s`; then its connection is reset, or it is answered with `status`. With
    neither it goes on, late. `retry_after_s` stands in the header Retry-After and in the Status body.
    """

    name: str
    verbs: tuple[str, ...] | None
    resource: str | None
    path_prefix: str | None
    status: int | None
    retry_after_s: int | None
    delay_s: float
    reset: bool
    probability: float
    times: int | None
    for_s: float

    def concerns(self, info: RequestInfo) -> bool:
        """Whether a request is of the kind that this fault disturbs."""
        return (
            (self.verbs is None or info.verb in self.verbs)
            and (self.resource is None or info.resource == self.resource)
            and (self.path_prefix is None or info.path.startswith(self.path_prefix))
        )


@dataclass(slots=True)
class Entry:
    """A fault in the book, with the monotonic times in seconds of its end and of the requests it hit."""

    fault: Fault
    ends_at_s: float
    count: int = 0
    first_at_s: float = 0.0
    hit_at_s: deque[float] = field(default_factory=lambda: deque(maxlen=_HITS_KEPT))


class FaultBook:
    """The faults by name. A lease that is over switches its fault off; its hits stay until it is removed."""

    def __init__(self, now: Callable[[], float], chance: Callable[[], float]) -> None:
        """`now` is a monotonic clock in seconds; `chance` draws from [0, 1)."""
        self._now = now
        self._chance = chance
        self._entries: dict[str, Entry] = {}

    def add(self, fault: Fault) -> None:
        """Switch a fault on. Raises DuplicateFault while one of that name is on."""
        known = self._entries.get(fault.name)
        if known is not None and self._is_on(known):
            raise DuplicateFault(
                f"name: a fault {fault.name!r} is on already; delete it, or use another name"
            )
        self._entries.pop(fault.name, None)
        self._entries[fault.name] = Entry(fault, self._now() + fault.for_s)

    def strike(self, info: RequestInfo) -> Fault | None:
        """The fault that hits this request, counted; the oldest one wins. None: the request goes through."""
        for entry in self._entries.values():
            fault = entry.fault
            if not (self._is_on(entry) and fault.concerns(info)):
                continue
            if fault.times is not None and entry.count >= fault.times:
                continue
            if fault.probability < 1 and self._chance() >= fault.probability:
                continue
            now_s = self._now()
            entry.first_at_s = entry.first_at_s if entry.count else now_s
            entry.count += 1
            entry.hit_at_s.append(now_s)
            return fault
        return None

    def describe(self, *, intervals: bool) -> list[dict[str, Any]]:
        """Every fault as JSON, oldest first, with what it did; `intervals` adds the seconds between hits."""
        return [self._describe(entry, intervals) for entry in self._entries.values()]

    def remove(self, name: str) -> dict[str, Any]:
        """Take a fault away; what it did is in the answer. One that is not there was not active, no more."""
        entry = self._entries.pop(name, None)
        if entry is None:
            return {"name": name, "was_active": False, "hits": None}
        return {"name": name, "was_active": self._is_on(entry), "hits": self._hits(entry, intervals=False)}

    def remove_all(self) -> list[dict[str, Any]]:
        """Take every fault away."""
        return [self.remove(name) for name in list(self._entries)]

    def _is_on(self, entry: Entry) -> bool:
        return self._now() < entry.ends_at_s

    def _describe(self, entry: Entry, intervals: bool) -> dict[str, Any]:
        asked = {f.name: getattr(entry.fault, f.name) for f in fields(Fault)}
        left_s = max(0.0, round(entry.ends_at_s - self._now(), 4))
        hits = self._hits(entry, intervals=intervals)
        return {**asked, "active": self._is_on(entry), "lease_left_s": left_s, "hits": hits}

    def _hits(self, entry: Entry, *, intervals: bool) -> dict[str, Any]:
        times, now_s = entry.hit_at_s, self._now()
        hits: dict[str, Any] = {
            "count": entry.count,
            "first_ago_s": round(now_s - entry.first_at_s, 4) if times else None,
            "last_ago_s": round(now_s - times[-1], 4) if times else None,
        }
        if intervals:
            pairs = zip(times, list(times)[1:], strict=False)
            hits["intervals_s"] = [round(later - earlier, 4) for earlier, later in pairs]
        return hits


def read_fault(body: object) -> Fault:
    """The fault that a decoded JSON body describes. Raises BadFault."""
    if not isinstance(body, dict):
        raise BadFault(f'the body is no JSON object; write it like {{"name": "slow", "for_s": 60}}: {body!r}')
    known = [f.name for f in fields(Fault)]
    for name in body:
        if name not in known:
            raise BadFault(f"{name}: is no field of a fault; there are: {', '.join(known)}")
    status = _whole(body, "status", 400, 599)
    retry_after_s = _whole(body, "retry_after_s", 0, 86_400)
    delay_s = _number(body, "delay_s", 0.0, MAX_DELAY_S) if "delay_s" in body else 0.0
    reset = body.get("reset", False)
    if not isinstance(reset, bool):
        raise BadFault(f"reset: {reset!r} is neither true nor false")
    if reset and status is not None:
        raise BadFault("reset: a connection that is reset gets no answer; leave status out, or reset")
    if not (reset or status is not None or delay_s > 0):
        raise BadFault("status: is missing; give status, delay_s or reset, or the fault does nothing")
    if retry_after_s is not None and status is None:
        raise BadFault("retry_after_s: stands in an answer; give a status, or leave it out")
    name = _text(body, "name")
    if name is None:
        raise BadFault("name: is missing; a fault is found again by its name")
    probability = _number(body, "probability", 0.0, 1.0) if "probability" in body else 1.0
    if "for_s" not in body:
        raise BadFault("for_s: is missing; a fault must end by itself, write for example 60")
    for_s = _number(body, "for_s", 0.0, MAX_LEASE_S)
    if for_s == 0 or probability == 0:
        raise BadFault(f"{'probability' if for_s else 'for_s'}: must be above 0, or the fault does nothing")
    return Fault(
        name=name,
        verbs=_verbs(body.get("verbs")),
        resource=_text(body, "resource"),
        path_prefix=_text(body, "path_prefix"),
        status=status,
        retry_after_s=retry_after_s,
        delay_s=delay_s,
        reset=reset,
        probability=probability,
        times=_whole(body, "times", 1, 10**9),
        for_s=for_s,
    )


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise BadFault(f"{name}: {value!r} is no text")
    return value


def _verbs(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(verb, str) for verb in value):
        raise BadFault(f'verbs: {value!r} is no list of verbs; write ["create"], or leave it out for all')
    return tuple(value)


def _number(body: dict[str, Any], name: str, least: float, most: float) -> float:
    value = body[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not least <= value <= most:
        raise BadFault(f"{name}: {value!r} is no number from {least:g} to {most:g}")
    return float(value)


def _whole(body: dict[str, Any], name: str, least: int, most: int) -> int | None:
    if body.get(name) is None:
        return None
    value = _number(body, name, least, most)
    if not value.is_integer():
        raise BadFault(f"{name}: {value!r} is no whole number")
    return int(value)
