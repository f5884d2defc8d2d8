"""Alerts that wait in the buffer for too long are noticed: their expiration is counted."""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "an expiration counted after the fault began"


def check(history: History, *, fault: str = "", within_s: float = 5.0) -> Finding:
    """Look for the counter's rise; without one, FAIL only after watching for ``within_s`` seconds."""
    on = signals.while_on(history, fault)
    if on is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    samples = history.samples(signals.METRICS)
    growth = counters.grown(samples, "buffer.expired", on.earliest_s)
    if growth is None:
        mend = "map metrics.buffer.expired in the target file to what the Gateway exposes"
        return unknown(_WANTED, "the counter was in no sample", 0, mend)
    if growth.total and growth.first:
        got = f"{growth.total:g}, the first by {growth.first.latest_s:.2f} s"
        return passed(_WANTED, got, growth.samples, {"expired": growth.total})
    waiting = [a for a in history.of(Outcome.ACKED) if a.done_s is not None and a.done_s <= on.earliest_s]
    if not waiting:
        mend = "send alerts before the fault, so that some wait in the buffer"
        return unknown(_WANTED, "no alert was acknowledged before the fault", growth.samples, mend)
    watched_s = max(o.asked_s for o in samples if o.ok) - on.earliest_s
    if growth.samples < 2 or watched_s < within_s:
        got = f"none, but watched for only {max(0.0, watched_s):.1f} s"
        return unknown(_WANTED, got, growth.samples, "lengthen the last phase, with /metrics up")
    return failed(_WANTED, f"none in {watched_s:.1f} s", growth.samples)
