"""The circuit breaker opens soon after its dependency fails."""

from __future__ import annotations

import math

from reports import signals
from reports.finding import Finding, failed, unknown, within
from reports.history import History
from reports.interval import Interval


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
    before = [o for o in samples if o.answered_s < began.earliest_s]
    if not before or before[-1].values[key] != signals.CLOSED:
        mend = "begin the fault later, after steady state"
        return unknown(wanted, "the breaker was not seen closed before the fault", len(samples), mend)
    opened = signals.opened(samples, component, began.earliest_s)
    if opened:
        return within(within_s, opened.since(began), what, len(samples))
    return _never(history, samples[-1].asked_s, began, wanted, within_s, len(samples))


def _never(
    history: History, last_s: float, began: Interval, wanted: str, within_s: float, count: int
) -> Finding:
    watched_s = last_s - began.latest_s
    deadline_s = began.latest_s + within_s
    gap_s, _ = signals.longest_gap(history.samples(signals.METRICS), began.earliest_s, deadline_s)
    numbers = {"earliest_s": watched_s, "latest_s": math.inf, "limit_s": within_s}
    if watched_s > within_s and gap_s < 1.0:
        return failed(wanted, f"still not open after {watched_s:.1f} s", count, numbers=numbers)
    got = f"never seen open, but looked at for only {max(0.0, watched_s):.1f} s with gaps up to {gap_s:.1f} s"
    return unknown(wanted, got, count, "keep the load and /metrics up longer after the fault begins")
