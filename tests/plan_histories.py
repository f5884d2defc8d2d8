"""Literal histories for the criteria of the plan: the plain run of `histories`, with other observations.

The fault is on from [2.00, 2.05] to [5.00, 5.05]; the run lasts 10 s, the probes look five times a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import histories

from reports.finding import Finding, Status
from reports.history import History, Observation

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
Values = Callable[[float], Mapping[str, float]]


def check(criterion: str, told: History, **options: Any) -> Finding:
    """Ask one criterion."""
    finding: Finding = importlib.import_module(f"reports.criteria.{criterion}").check(told, **options)
    return finding


def answer(criterion: str, told: History, **options: Any) -> tuple[Status, str]:
    """Ask one criterion, and return its status and what it got."""
    finding = check(criterion, told, **options)
    assert finding.status is not UNKNOWN or finding.mend
    assert finding.status is not PASS or finding.samples > 0
    return finding.status, finding.got


def steps(*rises: tuple[float, float]) -> Callable[[float], float]:
    """Return what is at a time, given (from, value) pairs; 0 before the first."""
    return lambda at_s: next((value for from_s, value in reversed(rises) if at_s >= from_s), 0.0)


def looks(
    probe: str, values: Values, *, end_s: float = 10.0, every_s: float = 0.2, down: Iterable[float] = ()
) -> tuple[Observation, ...]:
    """Return a probe's looks from 0 to ``end_s``; ``down`` is (from, to) between which it gets no answer."""
    begin_s, stop_s = tuple(down) or (0.0, 0.0)
    found = []
    for k in range(round(end_s / every_s)):
        at_s = round(k * every_s, 3)
        plain = Observation(probe, at_s, round(at_s + 0.01, 3), True, values(at_s))
        dead = begin_s <= at_s < stop_s
        found.append(replace(plain, ok=False, values={}, error="refused") if dead else plain)
    return tuple(found)


def metrics(values: Values, **more: Any) -> tuple[Observation, ...]:
    """Return looks at the Gateway's metrics."""
    return looks("metrics", values, **more)


def scraped(key: str, value: Callable[[float], float], **more: Any) -> History:
    """Return the plain run, of ten alerts a second apart, in which one metric is seen."""
    return histories.history(10, observations=metrics(lambda at_s: {key: value(at_s)}), **more)


def seen(values: Values, **more: Any) -> History:
    """Return the plain run, of ten alerts a second apart, in which these metrics are seen."""
    return histories.history(10, observations=metrics(values), **more)


def never_began() -> dict[str, Any]:
    """Return the change to a history whose fault never began."""
    return {"injections": (histories.injection(began=None, ended=None, bit=False),)}


def blind(told: History, from_s: float = 2.0, to_s: float = 5.1, probe: str = "metrics") -> History:
    """Return it without the probe's looks in a time."""
    kept = [o for o in told.observations if o.probe != probe or not from_s <= o.asked_s < to_s]
    return replace(told, observations=tuple(kept))
