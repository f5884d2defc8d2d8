"""The Gateway does not call itself ready while it takes no alert at all."""

from __future__ import annotations

import numpy as np

from reports import signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome
from reports.interval import Interval
from reports.table import Table

_LEAST = 3


def check(history: History, *, within_s: float = 2.5) -> Finding:
    """Find the stretches in which every alert was refused, and look at the readiness in them.

    FAIL if one lasted more than ``within_s`` seconds, three alerts or more, and every answer of the readiness
    from ``within_s`` seconds after its beginning was a yes.
    """
    wanted = f"not ready {within_s:g} s after it began to refuse every alert"
    ready = history.samples(signals.READY)
    told = table.of(history)
    answered = told.some(np.flatnonzero(~np.isnan(told.done_s)))
    if len(ready) < 2 or not len(answered):
        return unknown(wanted, "readiness or answers were not seen", len(ready), "let the run last longer")
    lies, watched = [], 0
    for span, refused in _stretches(answered):
        from_s = span.earliest_s + within_s
        if refused < _LEAST or from_s > span.latest_s:
            continue
        looks = [o for o in ready if from_s <= o.asked_s and o.answered_s <= span.latest_s]
        if len(looks) < 2:
            continue
        watched += 1
        if all(o.ok for o in looks):
            when = f"from {looks[0].asked_s:.1f} to {looks[-1].answered_s:.1f} s"
            lies.append(f"ready {when}, while all {refused} alerts were refused")
    if lies:
        return failed(wanted, lies[0], len(ready), lies)
    got = f"{watched} stretches in which every alert was refused, none of them called ready"
    return passed(wanted, got, len(ready))


def _stretches(answered: Table) -> list[tuple[Interval, int]]:
    """Return each time in which every answer was a refusal, from the first of them to the last, with their
    number."""
    order = np.argsort(answered.done_s, kind="stable")
    done_s, refused = answered.done_s[order], answered.are(Outcome.REJECTED)[order]
    edges = np.diff(np.concatenate(([0], refused.astype(np.int8), [0])))
    spans = zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
    return [(Interval(float(done_s[a]), float(done_s[b - 1])), b - a) for a, b in spans]
