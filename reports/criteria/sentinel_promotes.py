"""Sentinel promotes a replica when the primary is lost."""

from __future__ import annotations

import math

from reports import signals
from reports.finding import Finding, failed, unknown, within
from reports.history import History
from reports.interval import Interval


def check(history: History, *, within_s: float, fault: str = "") -> Finding:
    """Time it from the fault's real beginning to the first Sentinel answer that names another primary."""
    wanted = f"another primary within {within_s:g} s"
    injection = history.injection(fault)
    began = signals.began(injection)
    if injection is None or began is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    samples = [o for o in history.samples(signals.SENTINEL) if o.ok and o.values]
    before = signals.just_before(samples, began.earliest_s)
    if before is None:
        mend = "name the Sentinels in the target's endpoints, and begin the fault later"
        return unknown(wanted, "no Sentinel answered just before the fault", len(samples), mend)
    previous_s = began.earliest_s
    for sample in samples:
        if sample.answered_s < began.earliest_s:
            continue
        if set(sample.values) != set(before.values):
            took = Interval(previous_s, sample.answered_s).since(began)
            return within(within_s, took, "another primary", len(samples))
        previous_s = max(previous_s, sample.asked_s)
    # A primary that came back in time is rightly left in its place.
    lost_until_s = injection.ended.earliest_s if injection.ended else math.inf
    watched_s = min(previous_s, lost_until_s) - began.latest_s
    if watched_s > within_s:
        return failed(wanted, f"still the same one after {watched_s:.1f} s", len(samples))
    got = f"the same one, lost and watched for only {max(0.0, watched_s):.1f} s"
    return unknown(wanted, got, len(samples), f"lengthen the fault to more than {within_s:g} s")
