"""While its cache is away the Gateway goes on through the Kubernetes API, and says so in its metrics."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "fallbacks counted, and alerts acknowledged while the cache was away"


def check(history: History, *, component: str = "redis", fault: str = "") -> Finding:
    """Look for the counter's rise after the fault began, and for alerts acknowledged in that time."""
    injection = history.injection(fault)
    began = signals.began(injection)
    if injection is None or began is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    samples = [o for o in history.samples(signals.METRICS) if o.ok and "fallbacks" in o.values]
    if not samples:
        mend = "map metrics.fallbacks in the target file to what the Gateway exposes"
        return unknown(_WANTED, "the counter was in no sample", 0, mend)
    rises = signals.rises(samples, "fallbacks", began.earliest_s)
    away = signals.turned_good(signals.health(history, component)["breaker"], began.earliest_s)
    # Away is the cache until the breaker closes for good, or, if it never opened, until the last fallback.
    until_s = max([began.latest_s, *([away.latest_s] if away else []), *(rise.latest_s for rise in rises)])
    acked = [
        a
        for a in history.of(Outcome.ACKED)
        if a.begun_s is not None and a.begun_s >= began.latest_s and (a.done_s or 0.0) <= until_s
    ]
    got = f"{'counted' if rises else 'none counted'}, {len(acked)} acknowledged meanwhile"
    if rises and acked:
        return passed(_WANTED, got, len(samples))
    due = [a for a in history.attempts if began.latest_s <= a.due_s <= until_s]
    if not due:
        mend = "raise the rate, so that alerts fall due while the cache is away"
        return unknown(_WANTED, "no alert fell due while the cache was away", len(samples), mend)
    return failed(_WANTED, got, len(samples))
