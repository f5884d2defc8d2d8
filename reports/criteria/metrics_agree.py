"""The Gateway's counters agree with what it answered and with what is there.

Metrics are second evidence, never the truth: this criterion is about them alone. A lost alert that was
counted as created is zero_loss's; a count that fits neither the answers nor the resources is this one's.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation, Outcome, Try

_WANTED = "counters that fit the answers or the resources"


@dataclass(frozen=True, slots=True)
class _Count:
    """A counter's growth and the least and most that it may be."""

    key: str
    got: float
    least: int
    most: int

    @property
    def fits(self) -> bool:
        return self.least <= self.got <= self.most

    def __str__(self) -> str:
        span = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"{self.key} counted {self.got:g}, wanted {span}"


def check(history: History, *, alone: bool = True) -> Finding:
    """Compare the growth of ``received``, ``created`` and ``deduplicated`` over the run.

    What was not answered well, or came between the last sample of one process and the first of the next, may
    have been counted or not; so may what met errors of the Kubernetes API. ``alone: false``: others send to
    this Gateway, too, so that its counters may be higher.
    """
    samples = history.samples(signals.METRICS)
    if history.resources is None or not history.stable:
        return unknown(_WANTED, "the resources were not read, or still moved", 0, "lengthen settle")
    lacks = [key for key in ("received", "created", "deduplicated") if counters.grown(samples, key) is None]
    if lacks:
        mend = f"map {' and '.join(f'metrics.{key}' for key in lacks)} in the target file"
        return unknown(_WANTED, f"{', '.join(lacks)} in no sample", 0, mend)
    good = [o for o in samples if o.ok]
    tries = [t for a in history.attempts for t in a.sendings]
    done_s = max((t.done_s for t in tries if t.done_s is not None), default=0.0)
    if good[0].answered_s > min((t.begun_s or 0.0 for t in tries), default=0.0) or good[-1].asked_s < done_s:
        mend = "keep /metrics up from before the first alert until after the last"
        return unknown(_WANTED, "the counters were not read before and after the load", len(good), mend)
    counts = _counts(history, samples, tries)
    wrong = [c for c in counts if not (c.fits or (not alone and c.got > c.most))]
    numbers = {c.key: c.got for c in counts}
    if wrong:
        return failed(_WANTED, str(wrong[0]), len(good), list(map(str, wrong)), numbers)
    return passed(_WANTED, ", ".join(f"{c.key} {c.got:g}" for c in counts), len(good), numbers)


def _counts(history: History, samples: list[Observation], tries: list[Try]) -> list[_Count]:
    blind = _blind(samples, tries)
    acked = [t for t in tries if t.outcome is Outcome.ACKED]
    maybe = sum(t.outcome in (Outcome.INDETERMINATE, Outcome.REJECTED) for t in tries)
    errors = counters.grown(samples, "k8s_errors")
    slack = blind + maybe + int(errors.total if errors else 0)
    there = len(history.resources or ())
    told = sum(t.kind == "created" for t in acked)
    doubled = sum(t.kind == "duplicate" for t in acked)
    # A repeat that is kept for later, or joins a storm, is counted as a repeat, whatever its answer says.
    later = sum(t.kind not in ("created", "duplicate", "resolved") for t in acked)
    spans = {
        "received": (len(acked) - blind, len(acked) + maybe),
        "created": (min(there, told) - slack, max(there, told) + slack),
        "deduplicated": (doubled - blind, doubled + maybe + later),
    }
    found = []
    for key, (least, most) in spans.items():
        growth = counters.grown(samples, key)
        found.append(_Count(key, growth.total if growth else 0.0, max(0, least), most))
    return found


def _blind(samples: list[Observation], tries: list[Try]) -> int:
    """Return how many tries may have been counted by a process after its last sample."""
    good = [o for o in samples if o.ok]
    gaps = [
        (one.asked_s, other.answered_s)
        for one, other in itertools.pairwise(good)
        if one.values.get(counters.PROCESS_START) != other.values.get(counters.PROCESS_START)
        or any(other.values.get(key, 0.0) < one.values.get(key, 0.0) for key in ("received", "created"))
    ]
    return sum(
        any((t.done_s is None or t.done_s >= a) and (t.begun_s or 0.0) <= b for a, b in gaps) for t in tries
    )
