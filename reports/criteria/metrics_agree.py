"""The Gateway's counters agree with what it answered and with what is there.

Metrics are second evidence, never the truth: this criterion is about them alone. A lost alert that was
counted as created is zero_loss's; a count that fits neither the answers nor the resources is this one's.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from reports import counters, signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation, Outcome
from reports.table import Table

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
    tries = table.of(history).sendings()[1]
    begun_s = np.nan_to_num(tries.begun_s).min() if len(tries) else 0.0
    done_s = np.nanmax(tries.done_s, initial=-math.inf)
    if good[0].answered_s > begun_s or good[-1].asked_s < (done_s if math.isfinite(done_s) else 0.0):
        mend = "keep /metrics up from before the first alert until after the last"
        return unknown(_WANTED, "the counters were not read before and after the load", len(good), mend)
    counts = _counts(history, samples, tries)
    wrong = [c for c in counts if not (c.fits or (not alone and c.got > c.most))]
    numbers = {c.key: c.got for c in counts}
    if wrong:
        return failed(_WANTED, str(wrong[0]), len(good), list(map(str, wrong)), numbers)
    return passed(_WANTED, ", ".join(f"{c.key} {c.got:g}" for c in counts), len(good), numbers)


def _counts(history: History, samples: list[Observation], tries: Table) -> list[_Count]:
    blind = _blind(samples, tries)
    acked = tries.some(tries.are(Outcome.ACKED))
    maybe = int(tries.are(Outcome.INDETERMINATE, Outcome.REJECTED).sum())
    errors = counters.grown(samples, "k8s_errors")
    slack = blind + maybe + int(errors.total if errors else 0)
    there = len(history.resources or ())
    told, doubled = (int(acked.kinds(kind).sum()) for kind in ("created", "duplicate"))
    # A repeat that is kept for later, or joins a storm, is counted as a repeat, whatever its answer says.
    later = len(acked) - int(acked.kinds("created", "duplicate", "resolved").sum())
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


def _blind(samples: list[Observation], tries: Table) -> int:
    """Return how many tries may have been counted by a process after its last sample."""
    good = [o for o in samples if o.ok]
    gaps = [
        (one.asked_s, other.answered_s)
        for one, other in itertools.pairwise(good)
        if one.values.get(counters.PROCESS_START) != other.values.get(counters.PROCESS_START)
        or any(other.values.get(key, 0.0) < one.values.get(key, 0.0) for key in ("received", "created"))
    ]
    begun_s, hit = np.nan_to_num(tries.begun_s), np.zeros(len(tries), bool)
    for asked_s, answered_s in gaps:
        hit |= ~(tries.done_s < asked_s) & (begun_s <= answered_s)
    return int(np.count_nonzero(hit))
