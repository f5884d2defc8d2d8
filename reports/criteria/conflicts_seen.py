"""Concurrent updates of one RemediationRequest really collided: conflicts were counted.

A Gateway that lets updates of one resource queue up behind each other has none; for it, leave this out.
"""

from __future__ import annotations

from collections import defaultdict

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome

_WANTED = "at least 1 conflict counted"


def check(history: History) -> Finding:
    """Look for a rise of the counter; without one, FAIL only if alerts with equal labels were under way at
    the same time, so that there was something to collide."""
    growth = counters.grown(history.samples(signals.METRICS), "updates.conflicts")
    if growth is None:
        mend = "map metrics.updates.conflicts in the target file to what the Gateway exposes"
        return unknown(_WANTED, "the counter was in no sample", 0, mend)
    if growth.total:
        return passed(_WANTED, f"{growth.total:g}", growth.samples, {"conflicts": growth.total})
    together = _together(history.of(Outcome.ACKED))
    if not together or growth.samples < 2:
        mend = "send more alerts with equal labels at one instant"
        return unknown(_WANTED, f"none, and {together} alerts could collide", growth.samples, mend)
    return failed(_WANTED, f"none, though {together} alerts could collide", growth.samples)


def _together(acked: list[Attempt]) -> int:
    """Return how many alerts repeat one that exists while another such repeat is under way."""
    repeats: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in acked:
        if attempt.number != attempt.subject and attempt.begun_s is not None and attempt.done_s is not None:
            repeats[attempt.subject].append(attempt)
    return sum(any(_overlap(a, b) for b in group if b is not a) for group in repeats.values() for a in group)


def _overlap(one: Attempt, other: Attempt) -> bool:
    begun_s, done_s = one.begun_s or 0.0, one.done_s or 0.0
    return begun_s <= (other.done_s or 0.0) and (other.begun_s or 0.0) <= done_s
