"""Counters as they were sampled: how much they grew and when, whatever restarts set them back to 0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reports.history import Observation
from reports.interval import Interval

# A process that started at another time is another process: its counters began at 0.
PROCESS_START = "process_start"


@dataclass(frozen=True, slots=True)
class Growth:
    """How much a counter grew, when it first did, and how many good samples tell of it."""

    total: float
    first: Interval | None
    samples: int


def grown(
    samples: list[Observation], key: str, from_s: float = -math.inf, until_s: float = math.inf
) -> Growth | None:
    """Return a counter's growth in a window; None if it is in no sample at all.

    What a sample in the window shows against the one before it counts, also if that one was taken before the
    window; what only a later sample shows does not. See `_rises` for resets.
    """
    if not known(samples, key):
        return None
    rises = [
        (Interval(max(from_s, at.earliest_s), max(from_s, at.latest_s)), amount)
        for sample, at, amount in _rises(samples, key)
        if at.latest_s >= from_s and sample.asked_s <= until_s
    ]
    count = sum(o.ok and o.answered_s >= from_s and o.asked_s <= until_s for o in samples)
    return Growth(sum(amount for _, amount in rises), rises[0][0] if rises else None, count)


def reached(samples: list[Observation], key: str, count: float, from_s: float = -math.inf) -> Interval | None:
    """Return when a counter had grown by ``count`` since ``from_s``; None if it never had."""
    total = 0.0
    for _, at, amount in _rises(samples, key):
        if at.latest_s < from_s:
            continue
        total += amount
        if total >= count:
            return Interval(max(from_s, at.earliest_s), at.latest_s)
    return None


def known(samples: list[Observation], key: str) -> bool:
    """Return whether a metric is in any good sample."""
    return any(o.ok and key in o.values for o in samples)


def _rises(samples: list[Observation], key: str) -> Iterator[tuple[Observation, Interval, float]]:
    """Yield each rise: the sample that shows it, when it was, its amount.

    A counter that fell, or whose process started anew, began at 0 again (as Prometheus's ``increase`` reads
    it, but without extrapolation). One that is not there yet in a good sample stands at 0: a series with
    labels appears when it is first counted.
    """
    last: Observation | None = None
    for sample in samples:
        if not sample.ok:
            continue
        if last is not None:
            before, now = last.values.get(key, 0.0), sample.values.get(key, 0.0)
            anew = now < before or _restarted(last, sample)
            amount = now if anew else now - before
            if amount > 0:
                yield sample, Interval(last.asked_s, sample.answered_s), amount
        last = sample


def _restarted(last: Observation, sample: Observation) -> bool:
    both = [o.values.get(PROCESS_START) for o in (last, sample)]
    return None not in both and both[0] != both[1]
