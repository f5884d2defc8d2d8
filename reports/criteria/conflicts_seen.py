"""Concurrent updates of one RemediationRequest really collided: conflicts were counted.

A Gateway that lets updates of one resource queue up behind each other has none; for it, leave this out.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from reports import counters, signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome
from reports.table import Table

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
    together = _together(table.of(history))
    if not together or growth.samples < 2:
        mend = "send more alerts with equal labels at one instant"
        return unknown(_WANTED, f"none, and {together} alerts could collide", growth.samples, mend)
    return failed(_WANTED, f"none, though {together} alerts could collide", growth.samples)


def _together(told: Table) -> int:
    """Return how many alerts repeat one that exists while another such repeat is under way."""
    repeats = told.are(Outcome.ACKED) & (told.number != told.subject)
    some = told.some(repeats & ~np.isnan(told.begun_s) & ~np.isnan(told.done_s))
    some = some.some(some.in_order(some.subject, some.begun_s))
    rows = zip(some.subject.tolist(), some.begun_s.tolist(), some.done_s.tolist(), strict=True)
    count = 0
    for _, group in itertools.groupby(rows, key=lambda row: row[0]):
        count += _overlaps([(begun_s, done_s) for _, begun_s, done_s in group])
    return count


def _overlaps(spans: list[tuple[float, float]]) -> int:
    """Return how many of these, which stand as they begin, overlap another: one before it that lasts, or the
    next one."""
    count, until_s = 0, -math.inf
    for k, (begun_s, done_s) in enumerate(spans):
        next_s = spans[k + 1][0] if k + 1 < len(spans) else math.inf
        count += begun_s <= until_s or next_s <= done_s
        until_s = max(until_s, done_s)
    return count
