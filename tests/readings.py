"""What probes saw, as literals whose sums are exact: asked every quarter second, answered 1/64 s later.

The fault of these tests begins at [2, 2 1/16] and ends at [5, 5 1/16].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import histories
import pytest

from reports.finding import Status
from reports.history import Asked, History, Injection, Observation
from reports.interval import Interval
from reports.signals import CLOSED, HALF_OPEN, OPEN

PERIOD_S, ANSWER_S = 0.25, 1 / 64
BEGAN, ENDED = Interval(2.0, 2.0625), Interval(5.0, 5.0625)
DOWN = {0.0: CLOSED, 2.5: OPEN, 5.5: HALF_OPEN, 6.0: CLOSED}
# What was not so when asked at 2.75 s, and was so when answered at 3.016 s, after the fault began; likewise
# of 5.75 s and 6.016 s, after it ended.
TOOK = Interval(0.6875, 1.015625)
E = 2**-10
MARGINS = [
    (TOOK.latest_s + E, Status.PASS),
    (TOOK.latest_s, Status.PASS),
    (TOOK.latest_s - E, Status.UNKNOWN),
    ((TOOK.earliest_s + TOOK.latest_s) / 2, Status.UNKNOWN),
    (TOOK.earliest_s + E, Status.UNKNOWN),
    (TOOK.earliest_s, Status.UNKNOWN),
    (TOOK.earliest_s - E, Status.FAIL),
]
CLOSE = "too close to call: the error is ±0.16 s; probe more often, or run again"


def fault(**changes: Any) -> Injection:
    """Return the fault of these tests."""
    return histories.injection(**{"began": BEGAN, "ended": ENDED, **changes})


def stepped(
    probe: str, steps: Mapping[float, Mapping[str, float]], end_s: float = histories.END_S
) -> tuple[Observation, ...]:
    """Return a probe's good answers; from each time of ``steps`` on it sees those values."""
    asked = [k * PERIOD_S for k in range(round(end_s / PERIOD_S))]
    return tuple(
        Observation(probe, at_s, at_s + ANSWER_S, True, steps[max(t for t in steps if t <= at_s)])
        for at_s in asked
    )


def breaker(
    steps: Mapping[float, float] = DOWN, component: str = "redis", end_s: float = histories.END_S
) -> tuple[Observation, ...]:
    """Return scrapes that show the breaker's state and nothing else."""
    return stepped("metrics", {at_s: {f"breaker.{component}": state} for at_s, state in steps.items()}, end_s)


def counter(key: str, steps: Mapping[float, float]) -> tuple[Observation, ...]:
    """Return scrapes with the breaker of `DOWN` and a counter, which is absent while its step is below 0."""
    shown = []
    for sample in breaker():
        value = steps[max(t for t in steps if t <= sample.asked_s)]
        shown.append(replace(sample, values={**sample.values, **({key: value} if value >= 0 else {})}))
    return tuple(shown)


def ready(end_s: float = histories.END_S) -> tuple[Observation, ...]:
    """Return a Gateway that is ready all the time."""
    return stepped("ready", {0.0: {}}, end_s)


def primary(steps: Mapping[float, str]) -> tuple[Observation, ...]:
    """Return what Sentinel names as the primary."""
    return stepped("sentinel", {at_s: {name: 1.0} for at_s, name in steps.items()})


def missed(
    observations: Iterable[Observation], probe: str, from_s: float, until_s: float
) -> tuple[Observation, ...]:
    """Return them with a probe's answers of that time not given."""
    return tuple(
        replace(o, ok=False, values={}, error="refused")
        if o.probe == probe and from_s <= o.asked_s < until_s
        else o
        for o in observations
    )


def without(
    observations: Iterable[Observation], probe: str, from_s: float, until_s: float
) -> tuple[Observation, ...]:
    """Return them without what a probe asked in that time: it stood still."""
    return tuple(o for o in observations if not (o.probe == probe and from_s <= o.asked_s < until_s))


def seen(*observations: tuple[Observation, ...], **changes: Any) -> History:
    """Return a history of 8 acknowledged alerts, due every 1.25 s, with these observations."""
    told = tuple(o for group in observations for o in group)
    return histories.history(8, **{"observations": told, "injections": (fault(),), **changes})


def one(criterion: str, **options: Any) -> tuple[Asked, ...]:
    """Return a single promise."""
    return (Asked(criterion, options),)


def about(**numbers: float) -> Any:
    """Return numbers that equal others but for rounding."""
    return pytest.approx(numbers)


def took(limit_s: float = 5.0, at: Interval = TOOK) -> dict[str, float]:
    """Return the numbers of a finding that timed something."""
    return {"earliest_s": at.earliest_s, "latest_s": at.latest_s, "limit_s": limit_s}
