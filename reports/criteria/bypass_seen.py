"""While Redis cannot take an alert, the Gateway makes its RemediationRequest at once, and counts that."""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "bypasses counted, and alerts acknowledged while the fault is on"
_KEYS = ("buffer.bypasses", "fallbacks")


def check(history: History, *, fault: str = "") -> Finding:
    """Look for a rise of the bypass or the fallback counter in that time, and for acknowledged alerts."""
    on = signals.while_on(history, fault)
    if on is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    samples = history.samples(signals.METRICS)
    found = {key: counters.grown(samples, key, on.earliest_s, on.latest_s) for key in _KEYS}
    known = {key: growth for key, growth in found.items() if growth}
    if not known:
        mend = f"map {' or '.join(f'metrics.{key}' for key in _KEYS)} in the target file"
        return unknown(_WANTED, "the counters were in no sample", 0, mend)
    count = max(growth.samples for growth in known.values())
    due = signals.due_within(history, on)
    acked = int((due.are(Outcome.ACKED) & ~(due.done_s > on.latest_s)).sum())
    counted = sum(growth.total for growth in known.values())
    got = ", ".join(f"{key} +{growth.total:g}" for key, growth in known.items())
    got += f"; {acked} of {len(due)} acknowledged meanwhile"
    numbers = {"bypasses": counted, "acked": float(acked)}
    if counted and acked:
        return passed(_WANTED, got, count, numbers)
    if not due:
        return unknown(_WANTED, "no alert fell due while the fault was on", count, "raise the rate")
    if not counted and count < 2:
        return unknown(_WANTED, f"{got}, in {count} samples", count, "keep /metrics up while the fault is on")
    return failed(_WANTED, got, count, numbers=numbers)
