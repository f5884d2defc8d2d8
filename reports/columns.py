"""A ledger's rows in columns: 32 bytes an alert."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from reports.history import Outcome, Try
from reports.ledger_frames import NEVER, microseconds, offset


class Where(NamedTuple):
    """What many alerts have in common."""

    phase: str
    volley: int


class Told(NamedTuple):
    """What many alerts were answered; fields as in `reports.history.Attempt`."""

    outcome: Outcome
    kind: str
    status: int | None
    detail: str


STOPPED = Told(Outcome.UNSENT, "stopped", None, "")
KILLED = Told(
    Outcome.INDETERMINATE, "killed", None, "begun, and the generator died before it wrote the outcome"
)


@dataclass(slots=True)
class Columns:
    """A row an alert. ``begun``, ``sent`` and ``done`` are microseconds from ``due_s``, NEVER for none;
    ``where`` and ``told`` are places in the tables ``wheres`` and ``tolds``."""

    number: array[int] = field(default_factory=lambda: array("I"))
    subject: array[int] = field(default_factory=lambda: array("I"))
    due_s: array[float] = field(default_factory=lambda: array("d"))
    begun: array[int] = field(default_factory=lambda: array("i"))
    sent: array[int] = field(default_factory=lambda: array("i"))
    done: array[int] = field(default_factory=lambda: array("i"))
    where: array[int] = field(default_factory=lambda: array("H"))
    told: array[int] = field(default_factory=lambda: array("H"))
    wheres: list[Where] = field(default_factory=lambda: [Where("", 0)])
    tolds: list[Told] = field(default_factory=lambda: [STOPPED, KILLED])

    @property
    def row_bytes(self) -> int:
        """Return how many bytes a row takes."""
        return sum(getattr(self, name).itemsize for name in _NAMES)

    def add_begun(self, number: int, subject: int, due_s: float, at_us: int, where: int) -> int:
        """Add an alert that was begun and, as far as is known, did not end; return its row."""
        self.number.append(number)
        self.subject.append(subject)
        self.due_s.append(due_s)
        self.begun.append(offset(at_us, microseconds(due_s)))
        self.sent.append(NEVER)
        self.done.append(NEVER)
        self.where.append(where)
        self.told.append(1)
        return len(self.number) - 1

    def begin_anew(self, row: int, at_us: int) -> None:
        """Take back how an alert ended, for it was begun elsewhere."""
        self.begun[row] = offset(at_us, microseconds(self.due_s[row]))
        self.sent[row] = self.done[row] = NEVER
        self.told[row] = 1

    def told_of(self, row: int) -> Told:
        """Return what an alert was answered."""
        return self.tolds[self.told[row]]

    def times(self, row: int) -> tuple[float | None, float | None, float | None]:
        """Return when an alert was begun, sent and done, in seconds since the start."""
        due_us = microseconds(self.due_s[row])
        begun, sent, done = self.begun[row], self.sent[row], self.done[row]
        return (
            None if begun == NEVER else (due_us + begun) / 1e6,
            None if sent == NEVER else (due_us + sent) / 1e6,
            None if done == NEVER else (due_us + done) / 1e6,
        )

    def first_try(self, row: int) -> Try:
        """Return an alert's row as a try."""
        told = self.told_of(row)
        return Try(told.outcome, told.kind, *self.times(row), told.status, told.detail)

    def in_order(self) -> None:
        """Sort the rows by number."""
        number = self.number
        if all(map(int.__lt__, number, number[1:])):
            return
        order = sorted(range(len(number)), key=number.__getitem__)
        for name in _NAMES:
            column = getattr(self, name)
            setattr(self, name, array(column.typecode, map(column.__getitem__, order)))

    def give_up(self, row: int) -> None:
        """Take back when an alert was begun and done: that was the master's, which gave it up."""
        self.begun[row] = self.sent[row] = self.done[row] = NEVER

    def add_unbegun(self, numbers: Sequence[int], told: int = 0) -> None:
        """Add alerts of whose beginning nothing is recorded: they were never begun, or it is in doubt."""
        count = len(numbers)
        self.number.extend(numbers)
        self.subject.extend(numbers)
        self.due_s.extend(array("d", [0.0]) * count)
        for column in (self.begun, self.sent, self.done):
            column.extend(array("i", [NEVER]) * count)
        self.where.extend(array("H", [0]) * count)
        self.told.extend(array("H", [told]) * count)


_NAMES = tuple(each.name for each in fields(Columns))[:8]
