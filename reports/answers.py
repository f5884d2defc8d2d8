"""What the Gateway's answers, of which there may be a million, show of its health."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from reports import table
from reports.history import History, Outcome
from reports.interval import Interval
from reports.table import Mask, Seconds, Table


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the Gateway: good or bad at some instant in [asked_s, answered_s]; or None, which stands
    for a stretch in which nobody looked."""

    asked_s: float
    answered_s: float
    good: bool | None
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Answers(Sequence[Reading]):
    """A reading for each try that was answered, by its alert's due time; columns, of which a `Reading` is
    made where one is asked for."""

    asked_s: Seconds
    answered_s: Seconds
    good: Mask
    tries: Table

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.good)

    @overload
    def __getitem__(self, place: int) -> Reading: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Reading]: ...
    def __getitem__(self, place: int | slice) -> Reading | Sequence[Reading]:
        """Return one of them, or some."""
        if isinstance(place, slice):
            return [self[k] for k in range(len(self))[place]]
        told = self.tries.tolds[self.tries.told[place]]
        what = f"alert {self.tries.number[place]} {told.outcome.value} {told.kind}"
        return Reading(
            float(self.asked_s[place]), float(self.answered_s[place]), bool(self.good[place]), what
        )

    def turned_good(self, from_s: float) -> Interval | None:
        """Return when they turned good, as `reports.signals.turned_good` does."""
        bad = ~self.good & (self.answered_s >= from_s)
        if not bad.any():
            return None
        good = self.answered_s[self.good & (self.asked_s >= self.answered_s[bad].max())]
        return Interval(float(self.asked_s[bad].max()), float(good.min(initial=math.inf)))

    def disturbed(self, from_s: float) -> bool:
        """Return whether one was bad that came after a time."""
        return bool((~self.good & (self.answered_s >= from_s)).any())


def answers(history: History) -> Answers:
    """Return what a run's answers show; alerts that are sent to be refused show nothing."""
    told, error_s = table.of(history), history.clock_error_s
    rows, tries = told.sendings()
    due_s = told.due_s[rows]
    usable = ~np.isin(tries.number, np.array(sorted(history.run.unusable), np.int64))
    some = np.flatnonzero(usable & ~np.isnan(tries.done_s))
    some = some[np.lexsort((tries.number[some], due_s[some]))]
    tries = tries.some(some)
    begun_s = np.where(np.isnan(tries.begun_s), due_s[some], tries.begun_s)
    return Answers(begun_s - error_s, tries.done_s + error_s, tries.are(Outcome.ACKED), tries)
