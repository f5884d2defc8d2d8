"""Gauges that must stay below a bound in every sample, and how that is judged."""

from __future__ import annotations

from dataclasses import dataclass

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation
from reports.interval import Interval

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Bound:
    """What must stay where: ``limit`` is a number or the key of another gauge; ``strict`` means below it, not
    at it; ``used`` that it must be seen above 0, or the bound was never tried."""

    wanted: str
    key: str
    limit: float | str
    strict: bool = False
    used: bool = True


def bounded(history: History, bound: Bound, fault: str, max_gap_s: float) -> Finding:
    """Judge every sample; UNKNOWN unless there were some all through the fault, with no gap over
    ``max_gap_s`` seconds. What happened between two samples is not seen."""
    needed = [bound.key] + ([bound.limit] if isinstance(bound.limit, str) else [])
    samples = [o for o in history.samples(signals.METRICS) if o.ok and all(key in o.values for key in needed)]
    over = [o for o in samples if _over(bound, o)]
    largest = max((o.values[bound.key] for o in samples), default=0.0)
    numbers = {"largest": largest, "samples": float(len(samples))}
    if over:
        examples = [f"at {o.answered_s:.2f} s: {o.values[bound.key]:g}" for o in over[:EXAMPLES]]
        got = f"{largest:g} at most, over the bound in {len(over)} of {len(samples)} samples"
        return failed(bound.wanted, got, len(samples), examples, numbers)
    on = signals.while_on(history, fault)
    problem, mend = _undecided(bound, samples, on, max_gap_s)
    if problem:
        return unknown(bound.wanted, problem, len(samples), mend, numbers=numbers)
    return passed(bound.wanted, f"{largest:g} at most in {len(samples)} samples", len(samples), numbers)


def _over(bound: Bound, sample: Observation) -> bool:
    value, limit = sample.values[bound.key], _limit(bound, sample)
    return value > limit or (bound.strict and value == limit)


def _limit(bound: Bound, sample: Observation) -> float:
    return sample.values[bound.limit] if isinstance(bound.limit, str) else bound.limit


def _undecided(
    bound: Bound, samples: list[Observation], on: Interval | None, max_gap_s: float
) -> tuple[str, str]:
    """Return why nothing can be said, and the mend; else nothing."""
    keys = f"metrics.{bound.key}" + (f" and metrics.{bound.limit}" if isinstance(bound.limit, str) else "")
    if not samples:
        return "it was in no sample", f"map {keys} in the target file to what the Gateway exposes"
    if on is None:
        return "the fault never began", "see fault_bit"
    if not any(on.earliest_s <= o.asked_s and o.answered_s <= on.latest_s for o in samples):
        return "no sample while the fault was on", "keep /metrics up, or let the fault last longer"
    gap_s, at_s = signals.longest_gap(samples, on.earliest_s, on.latest_s)
    if gap_s > max_gap_s:
        return f"not seen for {gap_s:.1f} s from {at_s:.1f} s on", "keep /metrics up while the fault is on"
    if not all(_limit(bound, o) > 0 for o in samples):
        return "the bound itself is 0", f"map {keys} to what the Gateway exposes"
    if bound.used and not any(o.values[bound.key] > 0 for o in samples):
        return "it was never above 0, so the bound was not tried", "raise the load, so that it fills"
    return "", ""
