"""Sentinel promotes a replica when the primary is lost."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, unknown, within
from reports.history import History
from reports.interval import Interval


def check(history: History, *, within_s: float, fault: str = "") -> Finding:
    """Time it from the fault's real beginning to the first Sentinel answer that names another primary."""
    wanted = f"another primary within {within_s:g} s"
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    samples = [o for o in history.samples(signals.SENTINEL) if o.ok and o.values]
    before = [next(iter(o.values)) for o in samples if o.answered_s < began.earliest_s]
    if not before:
        mend = "name the Sentinels in the target's endpoints"
        return unknown(wanted, "no Sentinel was asked before the fault", len(samples), mend)
    previous_s = began.earliest_s
    for sample in samples:
        if sample.answered_s < began.earliest_s:
            continue
        if next(iter(sample.values)) != before[-1]:
            took = Interval(previous_s, sample.answered_s).since(began)
            return within(within_s, took, "another primary", len(samples))
        previous_s = max(previous_s, sample.asked_s)
    watched_s = previous_s - began.latest_s
    if watched_s > within_s:
        return failed(wanted, f"still the same one after {watched_s:.1f} s", len(samples))
    return unknown(wanted, f"the same one, watched for {watched_s:.1f} s", len(samples), "lengthen the fault")
