"""The attempts of a run as columns, for what is asked of all of them: one by one a million takes minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.attempts import Attempts
from reports.columns import Told, Where
from reports.history import Attempt, History, Outcome, Try, deciding

Numbers = NDArray[Any]
Seconds = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Table:
    """Row k is of ``history.attempts[k]``, and means what `reports.history.Attempt` says; a time that never
    came is NaN. ``where`` and ``told`` are places in ``wheres`` and ``tolds``; ``each`` are the tries of
    those that were sent again, by row."""

    number: Numbers
    subject: Numbers
    due_s: Seconds
    begun_s: Seconds
    sent_s: Seconds
    done_s: Seconds
    where: Numbers
    told: Numbers
    tries: Numbers
    wheres: Sequence[Where]
    tolds: Sequence[Told]
    each: Mapping[int, tuple[Try, ...]]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.number)

    def are(self, *outcomes: Outcome) -> Mask:
        """Tell which ended so."""
        return self._of_told([told.outcome in outcomes for told in self.tolds])

    def kinds(self, *kinds: str) -> Mask:
        """Tell which are of these kinds."""
        return self._of_told([told.kind in kinds for told in self.tolds])

    def answered(self) -> Mask:
        """Tell which were answered with a status."""
        return self._of_told([told.status is not None for told in self.tolds])

    def statuses(self) -> Numbers:
        """Return each one's status; 0 for none."""
        return self._looked_up([told.status or 0 for told in self.tolds], np.int64)[self.told]

    def of_phase(self, name: str) -> Mask:
        """Tell which are of a phase."""
        return self._looked_up([where.phase == name for where in self.wheres], np.bool_)[self.where]

    def volleys(self) -> Numbers:
        """Return each one's volley; 0 for none."""
        return self._looked_up([where.volley for where in self.wheres], np.int64)[self.where]

    def phases(self) -> set[str]:
        """Return the names of the phases that any of them is of."""
        return {self.wheres[place].phase for place in distinct(self.where).tolist()}

    @property
    def late_s(self) -> Seconds:
        """Return how late each was begun; NaN if it never was."""
        return self.begun_s - self.due_s

    @property
    def latency_s(self) -> Seconds:
        """Return the seconds from the due time to the whole answer; NaN without one."""
        return self.done_s - self.due_s

    def some(self, which: Mask | Numbers) -> Table:
        """Return some of them; their tries are left behind."""
        columns = {name: getattr(self, name)[which] for name in _COLUMNS}
        return replace(self, **columns, each={})

    def rows(self, numbers: Numbers) -> Numbers:
        """Return the row of each of these numbers; -1 for those of no alert."""
        count = len(self)
        if not count:
            return np.full(len(numbers), -1)
        dense = int(self.number[-1]) == count - 1 and bool(np.all(self.number[1:] > self.number[:-1]))
        if dense:
            return np.where((numbers >= 0) & (numbers < count), numbers, -1).astype(np.int64)
        order = np.argsort(self.number, kind="stable")
        places = np.searchsorted(self.number, numbers, side="right", sorter=order) - 1
        found = order[np.maximum(places, 0)]
        return np.where((places >= 0) & (self.number[found] == numbers), found, -1)

    def in_order(self, *keys: Numbers) -> Numbers:
        """Return the rows sorted by keys, the first one first, then by number."""
        return np.lexsort((self.number, *reversed(keys)))

    def sendings(self) -> tuple[Numbers, Table]:
        """Return every try, also of an alert that was sent once: its alert's row, and the tries as rows."""
        if not self.each:
            return np.arange(len(self)), self
        counts = np.ones(len(self), np.int64)
        for row, tries in self.each.items():
            counts[row] = len(tries)
        rows, first = np.repeat(np.arange(len(self)), counts), np.cumsum(counts) - counts
        places = {first[row] + k: one for row, tries in self.each.items() for k, one in enumerate(tries)}
        return rows, _with(self.some(rows), places)

    def _of_told(self, flags: list[bool]) -> Mask:
        return self._looked_up(flags, np.bool_)[self.told]

    @staticmethod
    def _looked_up(values: Sequence[Any], kind: Any) -> Numbers:
        return np.array(values or [0], kind)


_COLUMNS = ("number", "subject", "due_s", "begun_s", "sent_s", "done_s", "where", "told", "tries")


def ordered(values: Seconds) -> Seconds:
    """Return the values that there are, sorted."""
    return np.sort(values[~np.isnan(values)])


def distinct(values: Numbers) -> Numbers:
    """Return the different values, sorted. (`numpy.unique` without more goes by hashes, ten times slower.)"""
    there = np.sort(values)
    found: Numbers = there[np.append(True, there[1:] != there[:-1])[: len(there)]]
    return found


def of(history: History) -> Table:
    """Return a history's attempts as a table."""
    return history.once("table", lambda: of_attempts(history.attempts))


def of_attempts(attempts: Sequence[Attempt]) -> Table:
    """Return attempts as a table."""
    if not isinstance(attempts, Attempts):
        return _of_objects(attempts)
    c = attempts.columns
    begun_s, sent_s, done_s = (c.seconds(name) for name in ("begun", "sent", "done"))
    once = np.ones(len(c.number), np.uint16)
    times = (c.due_s, begun_s, sent_s, done_s)
    numbers = (
        c.number.astype(np.int64),
        c.subject.astype(np.int64),
    )  # What is compared with them is so, too.
    plain = Table(*numbers, *times, c.where, c.told, once, c.wheres, c.tolds, {})
    if not attempts.each:
        return plain
    rows = plain.rows(np.fromiter(attempts.each, np.int64, len(attempts.each)))
    each = dict(zip(rows.tolist(), attempts.each.values(), strict=True))
    once[rows] = [len(tries) for tries in each.values()]
    decided = {row: tries[deciding([one.outcome for one in tries])] for row, tries in each.items()}
    again = _with(plain, decided)
    # An alert was begun when its first try was.
    return replace(again, begun_s=plain.begun_s, each=each)


def _of_objects(attempts: Sequence[Attempt]) -> Table:
    wheres: dict[Where, int] = {}
    tolds: dict[Told, int] = {}
    where = [wheres.setdefault(Where(a.phase, a.volley), len(wheres)) for a in attempts]
    answers = (Told(a.outcome, a.kind, a.status, a.detail) for a in attempts)
    told = [tolds.setdefault(answer, len(tolds)) for answer in answers]
    number, subject, tries = (
        np.array([getattr(a, name) for a in attempts], np.int64) for name in ("number", "subject", "tries")
    )
    due_s, begun_s, sent_s, done_s = (
        np.array([getattr(a, name) for a in attempts], np.float64)  # None becomes NaN.
        for name in ("due_s", "begun_s", "sent_s", "done_s")
    )
    codes = (np.array(where, np.int64), np.array(told, np.int64), tries)
    each = {row: a.each for row, a in enumerate(attempts) if a.each}
    times = (due_s, begun_s, sent_s, done_s)
    return Table(number, subject, *times, *codes, list(wheres), list(tolds), each)


def _with(table: Table, tries: Mapping[int, Try]) -> Table:
    """Return a table whose rows at these places tell of these tries."""
    tolds = {told: place for place, told in enumerate(table.tolds)}
    answers = (Told(t.outcome, t.kind, t.status, t.detail) for t in tries.values())
    told = [tolds.setdefault(answer, len(tolds)) for answer in answers]
    rows = np.fromiter(tries, np.int64, len(tries))
    changed: dict[str, Any] = {"tolds": list(tolds), "told": table.told.astype(np.int64)}
    changed["told"][rows] = told
    for name in ("begun_s", "sent_s", "done_s"):
        changed[name] = getattr(table, name).copy()
        changed[name][rows] = np.array([getattr(t, name) for t in tries.values()], np.float64)
    return replace(table, **changed)
