"""The waits between tries grow from step to step, and never far beyond the last one.

Each wait lies, with its jitter, in the bucket of a histogram that ends at its step. A step is seen when that
bucket grows; as jitter may shorten a wait into the bucket before, one that is not seen is granted if the next
one is. The first wait can only be shorter, so the first step is granted nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation
from reports.interval import Interval

_MARGIN_S = 1.0
# Jitter may make a wait longer than its step; and the first one follows the first try that failed.
_JITTER = 1.5
_FIRST_S = 5.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """When each step was first seen, and whether a wait was longer than twice the last step; the last of the
    samples that tell was taken at ``until_s``."""

    steps: tuple[Interval | None, ...]
    beyond: bool
    samples: int
    until_s: float

    def missing(self) -> list[int]:
        """Return which steps were neither seen nor granted."""
        after = [*self.steps[1:], None]
        return [i for i, at in enumerate(self.steps) if not at and not (i and after[i])]


def check(
    history: History,
    *,
    steps: Sequence[float],
    metric: str = "k8s_backoff",
    retry_after_s: float = 0.0,
    fault: str = "",
) -> Finding:
    """Find when waits of each of the ``steps`` (seconds, growing) were first counted after the fault began.

    FAIL if a step comes before the former one, if one is missing for which the fault lasted long enough, or
    if a wait is more than twice the last step. ``retry_after_s`` is what the dependency asks for: as each
    real wait then lasts at least as long, the steps need more time.
    """
    wanted = f"waits of {', '.join(f'{s:g} s' for s in steps)}, each after the former"
    span = signals.while_on(history, fault)
    if span is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    samples = [o for o in history.samples(signals.METRICS) if o.ok]
    problem, bounds = _bounds(samples, metric, steps)
    if problem:
        return unknown(wanted, problem, 0, f"map metrics.{metric} to a histogram's buckets, by: le")
    seen = _seen(samples, metric, bounds, span.earliest_s)
    got = _words(steps, seen.steps)
    if seen.beyond:
        return failed(wanted, f"{got}; a wait of more than {2 * steps[-1]:g} s", seen.samples)
    in_order = [(s, at) for s, at in zip(steps, seen.steps, strict=True) if at]
    for (before, at), (after, later) in itertools.combinations(in_order, 2):
        if later.latest_s < at.earliest_s:
            return failed(wanted, f"{got}; {after:g} s came before {before:g} s", seen.samples)
    if in_order and not seen.steps[0]:
        return failed(wanted, f"{got}, and {steps[0]:g} s never", seen.samples)
    if not seen.missing():
        return passed(wanted, got, seen.samples)
    due = signals.due_within(history, span)
    if not due or seen.samples < 2:
        what = "no alert fell due" if not due else f"{seen.samples} samples"
        mend = "raise the rate, and keep /metrics up"
        return unknown(wanted, f"{what} while the fault was on", seen.samples, mend)
    first = seen.steps[0]
    since_s = first.latest_s if first else float(due.due_s.min()) + _FIRST_S
    waits_s = [max(s * _JITTER, retry_after_s) for s in steps]
    return _incomplete(wanted, got, steps, seen, since_s, waits_s, min(span.latest_s, seen.until_s))


def _incomplete(
    wanted: str,
    got: str,
    steps: Sequence[float],
    seen: _Seen,
    since_s: float,
    waits_s: list[float],
    until_s: float,
) -> Finding:
    """Tell a step that never came from one that could not come, as the fault was over by then.

    A step is counted after the waits before it, before or after its own.
    """
    due_s = [since_s + sum(waits_s[: i + 1]) + _MARGIN_S for i in range(len(steps))]
    late = [f"{steps[i]:g} s" for i in seen.missing() if due_s[i] <= until_s]
    if late:
        return failed(wanted, f"{got}; never {', '.join(late)}", seen.samples)
    short = ", ".join(f"{steps[i]:g} s" for i in seen.missing())
    return unknown(wanted, f"{got}; the fault was too short for {short}", seen.samples, "lengthen the fault")


def _bounds(samples: list[Observation], metric: str, steps: Sequence[float]) -> tuple[str, list[float]]:
    """Return each step's bucket by its upper bound, then the bound beyond which a wait is too long."""
    found: set[float] = set()
    for key in {k for o in samples for k in o.values if k.startswith(f"{metric}.")}:
        try:
            found.add(float(key.removeprefix(f"{metric}.")))
        except ValueError:
            continue
    if not found or math.inf not in found:
        return "its buckets are in no sample", []
    bounds = [min(b for b in found if b >= s * (1 - 1e-9)) for s in steps]
    growing = all(a < b for a, b in itertools.pairwise(bounds))
    if not steps or not growing or math.isinf(bounds[-1]):
        return "its buckets do not tell these steps apart", []
    return "", [*bounds, min(b for b in found if b >= 2 * steps[-1] * (1 - 1e-9))]


def _seen(samples: list[Observation], metric: str, bounds: list[float], from_s: float) -> _Seen:
    told = [replace(o, values=_own(o, metric, bounds)) for o in samples if f"{metric}.inf" in o.values]
    steps = tuple(counters.reached(told, f"{b:g}", 1, from_s) for b in bounds[:-1])
    beyond = counters.reached(told, "beyond", 1, from_s)
    later = [o.answered_s for o in told if o.answered_s >= from_s]
    return _Seen(steps, beyond is not None, len(later), max(later, default=0.0))


def _own(sample: Observation, metric: str, bounds: list[float]) -> dict[str, float]:
    """Return how many waits lie in each bucket alone: what is exposed is cumulative."""
    upto = [0.0, *(sample.values.get(f"{metric}.{b:g}", 0.0) for b in bounds)]
    own = {f"{b:g}": upto[i + 1] - upto[i] for i, b in enumerate(bounds[:-1])}
    own["beyond"] = sample.values[f"{metric}.inf"] - upto[-1]
    start = sample.values.get(counters.PROCESS_START)
    return own if start is None else {**own, counters.PROCESS_START: start}


def _words(steps: Sequence[float], seen: Sequence[Interval | None]) -> str:
    found = [f"{s:g} s at {at.latest_s:.1f} s" for s, at in zip(steps, seen, strict=True) if at]
    return f"seen: {', '.join(found)}" if found else "none was counted"
