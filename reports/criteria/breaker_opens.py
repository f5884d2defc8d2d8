"""The circuit breaker opens soon after its dependency fails."""

from __future__ import annotations

import math

from reports import signals
from reports.finding import Finding, failed, unknown, within
from reports.history import History, Observation
from reports.interval import Interval

EACH_REPLICA = True


def check(history: History, *, within_s: float, component: str = "redis", fault: str = "") -> Finding:
    """Time it from the fault's real beginning to the first sample that shows it open.

    PASS only if the latest possible time is within the limit, FAIL only if the earliest is not.
    """
    what = f"breaker of {component} open"
    wanted = f"{what} within {within_s:g} s"
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    key = f"breaker.{component}"
    samples = [o for o in history.samples(signals.METRICS) if o.ok and key in o.values]
    if not samples:
        mend = f"map metrics.{key} in the target file to what the Gateway exposes, and keep /metrics up"
        return unknown(wanted, "its state was in no sample", 0, mend)
    before = signals.just_before(samples, began.earliest_s)
    if before is None or before.values[key] != signals.CLOSED:
        mend = "begin the fault later, after steady state"
        return unknown(wanted, "the breaker was not seen closed just before the fault", len(samples), mend)
    opened = signals.opened(samples, component, began.earliest_s)
    if opened:
        return within(within_s, opened.since(began), what, len(samples))
    return _never(history, samples, began, wanted, within_s)


def _never(
    history: History, samples: list[Observation], began: Interval, wanted: str, within_s: float
) -> Finding:
    watched_s = samples[-1].asked_s - began.latest_s
    deadline_s = began.latest_s + within_s
    gap_s, _ = signals.longest_gap(samples, began.earliest_s, deadline_s)
    numbers = {"earliest_s": watched_s, "latest_s": math.inf, "limit_s": within_s}
    if watched_s <= within_s or gap_s >= 1.0:
        watched = f"{max(0.0, watched_s):.1f} s with gaps up to {gap_s:.1f} s"
        mend = "keep the load and /metrics up longer after the fault begins"
        return unknown(wanted, f"never seen open, but looked at for only {watched}", len(samples), mend)
    asked = signals.was_asked(history, began.latest_s, deadline_s)
    if asked is None:
        mend = "map metrics.received in the target file: it tells whether this replica had anything to do"
        return unknown(wanted, "never seen open, but nothing shows that it got alerts", len(samples), mend)
    if not asked:
        mend = "raise the rate, so that alerts fall due within the limit after the fault begins"
        return unknown(wanted, "never seen open, but no alert was there to fail", len(samples), mend)
    return failed(wanted, f"still not open after {watched_s:.1f} s", len(samples), numbers=numbers)
