"""While its connection to Redis is cut, the Gateway notices: it counts errors of the expected kinds."""

from __future__ import annotations

from collections.abc import Sequence

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

_METRIC = "redis_errors"


def check(history: History, *, errors: Sequence[str] = ("timeout", "connection"), fault: str = "") -> Finding:
    """Look for a rise of the error counter with one of the labels ``errors`` while the fault is on."""
    wanted = f"Redis errors of kind {' or '.join(errors)} counted while the fault is on"
    on = signals.while_on(history, fault)
    if on is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    samples = history.samples(signals.METRICS)
    keys = sorted({k for o in samples if o.ok for k in o.values if k.startswith(f"{_METRIC}.")})
    if not keys:
        mend = f"map metrics.{_METRIC} in the target file, by the label that names the kind"
        return unknown(wanted, "no sample tells the kinds of errors", 0, mend)
    rises = {
        key.removeprefix(f"{_METRIC}."): counters.grown(samples, key, on.earliest_s, on.latest_s)
        for key in keys
    }
    counted = {kind: growth.total for kind, growth in rises.items() if growth and growth.total > 0}
    count = max(growth.samples for growth in rises.values() if growth)
    got = ", ".join(f"{kind} +{total:g}" for kind, total in counted.items()) or "none counted"
    if any(kind in counted for kind in errors):
        return passed(wanted, got, count, counted)
    if count < 2:
        return unknown(wanted, f"{got} in {count} samples", count, "keep /metrics up while the fault is on")
    if not signals.due_within(history, on):
        return unknown(wanted, "no alert fell due while the fault was on", count, "raise the rate")
    return failed(wanted, got, count, numbers=counted)
