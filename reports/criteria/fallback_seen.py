"""While its cache is away the Gateway goes on through the Kubernetes API, and says so in its metrics."""

from __future__ import annotations

import numpy as np

from reports import signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome
from reports.interval import Interval

_WANTED = "fallbacks counted, and alerts acknowledged while the cache was away"


def check(history: History, *, component: str = "redis", fault: str = "") -> Finding:
    """Look for the counter's rise after the fault began, and for alerts acknowledged in that time."""
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    samples = [o for o in history.samples(signals.METRICS) if o.ok]
    if not any("fallbacks" in o.values for o in samples):
        mend = "map metrics.fallbacks in the target file to what the Gateway exposes"
        return unknown(_WANTED, "the counter was in no sample", 0, mend)
    if signals.just_before(samples, began.earliest_s) is None:
        mend = "begin the fault later, and keep /metrics up"
        return unknown(_WANTED, "the counter was not read just before the fault", len(samples), mend)
    rises = signals.rises(samples, "fallbacks", began.earliest_s)
    back = _back(history, component, began, rises)
    told = table.of(history)
    taken_up, well = told.begun_s >= began.latest_s, told.are(Outcome.ACKED)
    done = taken_up & (told.done_s <= back.earliest_s)
    acked = int(np.count_nonzero(done & well))
    got = f"{'counted' if rises else 'none counted'}, {acked} acknowledged meanwhile"
    if rises and acked:
        return passed(_WANTED, got, len(samples))
    if back.latest_s <= began.latest_s:
        mend = "lengthen the fault; map the breaker's state in the target file"
        return unknown(_WANTED, "nothing shows that the cache was away", len(samples), mend)
    if not done.any():
        mend = "raise the rate, so that alerts fall due while the cache is away"
        return unknown(_WANTED, "no alert was answered while the cache was away", len(samples), mend)
    after = int(np.count_nonzero(taken_up & well & (told.due_s <= back.latest_s)))
    if rises and after:
        return unknown(_WANTED, f"{got}, but {after} later", len(samples), "lengthen the fault")
    return failed(_WANTED, got, len(samples))


def _back(history: History, component: str, began: Interval, rises: list[Interval]) -> Interval:
    """Return when the cache was back: when the breaker closed for good, or, if it never opened, after the
    last fallback. Until the earliest it was away for sure."""
    looks = [r for r in signals.health(history, component)["breaker"] if r.good is not None]
    away = signals.turned_good(looks, began.earliest_s)
    # A fallback that was counted within a short time tells of that time; else only of its beginning.
    short = [r.latest_s if r.latest_s - r.earliest_s <= signals.BLIND_S else r.earliest_s for r in rises]
    earliest_s = max([began.latest_s, *short, *([away.earliest_s] if away else [])])
    latest_s = max([earliest_s, *(r.latest_s for r in rises), *([away.latest_s] if away else [])])
    return Interval(earliest_s, latest_s)
