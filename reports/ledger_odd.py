"""The rows of a ledger that are not one beginning and one end: repeated ones, contradictions, later tries."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.columns import KILLED, WORKER, Columns, Told
from reports.history import Try
from reports.ledger_frames import NEVER, microseconds, offset
from reports.ledger_rows import Begins, Ends

_Places = NDArray[np.int64]
_Note = Callable[[str], None]


@dataclass(slots=True)
class _Alert:
    """What is known of an alert's first try, as in `Columns`."""

    number: int
    subject: int
    due_s: float
    begun: int
    sent: int
    done: int
    where: int
    told: int


class Odd:
    """Takes such rows one by one, in their order. There are few of them, unless alerts are sent again."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        # Of alerts tried again, by number and try, from the second on: when begun, and how it ended.
        self.again: defaultdict[int, dict[int, Try]] = defaultdict(dict)

    def take(
        self,
        row: NDArray[np.int32],
        begun: tuple[Begins, _Places, _Places],
        ended: tuple[Ends, _Places],
        note: _Note,
    ) -> None:
        """Take rows over into the columns and into `again`.

        Args:
            row: the columns' row of each number, -1 for none; it is kept up to date.
            begun: with them the places of their codes, and which try each is.
            ended: with them the places of their codes.
            note: is told what is wrong.
        """
        known: dict[int, _Alert] = {}
        for is_end, values in _in_order(begun, ended):
            if is_end:
                self._end(self._alert(known, row, values[0]), values, note)
            else:
                self._begin(known, self._alert(known, row, values[0]), values, note)
        self._keep(known, row)

    def tries(self, row: NDArray[np.int32], damage: list[str]) -> dict[int, tuple[Try, ...]]:
        """Return every try of those that were tried again, by number."""
        found = {}
        for number, more in self.again.items():
            if row[number] < 0:
                damage.append(f"ledger: alert {number} has no record of its first try")
                continue
            if sorted(more) != list(range(2, len(more) + 2)):
                damage.append(f"ledger: alert {number} has no record of some of its tries")
            found[number] = (self._first(int(row[number])), *(more[t] for t in sorted(more)))
        return found

    def _begin(self, known: dict[int, _Alert], alert: _Alert | None, values: list[int], note: _Note) -> None:
        number, subject, due_s, at_us, where, tries = values
        begun = offset(at_us, microseconds(due_s))
        if tries > 1:
            if tries in self.again[number]:
                note(f"alert {number} begun twice")
            self.again[number][tries] = Try(KILLED.outcome, KILLED.kind, at_us / 1e6, detail=KILLED.detail)
        elif alert is None:
            known[number] = _Alert(number, subject, due_s, begun, NEVER, NEVER, where, 1)
        elif self._columns.tolds[alert.told].kind == WORKER:
            # It was given up, and now the worker's own record came.
            alert.begun = offset(at_us, microseconds(alert.due_s))
            alert.sent, alert.done, alert.told = NEVER, NEVER, 1
        else:
            note(f"alert {number} begun twice")

    def _end(self, alert: _Alert | None, values: list[int], note: _Note) -> None:
        number, sent_us, done_us, told, tries = values
        if tries > 1:
            self._end_again(number, tries, (sent_us, done_us), self._columns.tolds[told], note)
        elif alert is None:
            note(f"alert {number} ended, but was not begun")
        else:
            if alert.done != NEVER:
                note(f"alert {number} ended twice")
            due_us = microseconds(alert.due_s)
            alert.sent = NEVER if sent_us == NEVER else offset(sent_us, due_us)
            alert.done, alert.told = offset(done_us, due_us), told
            if self._columns.tolds[told].kind == WORKER:
                alert.begun = alert.sent = alert.done = NEVER

    def _end_again(self, number: int, tries: int, at_us: tuple[int, int], told: Told, note: _Note) -> None:
        begun = self.again.get(number, {}).get(tries)
        if begun is None:
            note(f"alert {number} ended, but was not begun")
            return
        if begun.done_s is not None:
            note(f"alert {number} ended twice")
        sent_s, done_s = (None if at == NEVER else at / 1e6 for at in at_us)
        again = Try(told.outcome, told.kind, begun.begun_s, sent_s, done_s, told.status, told.detail)
        self.again[number][tries] = again

    def _first(self, row: int) -> Try:
        c = self._columns
        told, due_us = c.tolds[c.told[row]], microseconds(float(c.due_s[row]))
        begun_s, sent_s, done_s = (
            None if at == NEVER else (due_us + int(at)) / 1e6
            for at in (c.begun[row], c.sent[row], c.done[row])
        )
        return Try(told.outcome, told.kind, begun_s, sent_s, done_s, told.status, told.detail)

    def _alert(self, known: dict[int, _Alert], row: NDArray[np.int32], number: int) -> _Alert | None:
        if number not in known and row[number] >= 0:
            place = int(row[number])
            known[number] = _Alert(*(getattr(self._columns, name)[place].item() for name in _Alert.__slots__))
        return known.get(number)

    def _keep(self, known: dict[int, _Alert], row: NDArray[np.int32]) -> None:
        numbers = np.fromiter(known, np.int64, len(known))
        new = numbers[row[numbers] < 0]
        row[new] = len(self._columns.number) + np.arange(len(new))
        self._columns.add(len(new))
        for name in _Alert.__slots__:
            values = [getattr(alert, name) for alert in known.values()]
            getattr(self._columns, name)[row[numbers]] = values


def _in_order(
    begun: tuple[Begins, _Places, _Places], ended: tuple[Ends, _Places]
) -> Iterator[tuple[bool, list[int]]]:
    """Yield (whether it is an end, its values) as they stand in the file."""
    b, e = begun[0], ended[0]
    begins = zip(b.number, b.subject, b.due_s, b.at_us, begun[1], begun[2], strict=True)
    ends = zip(e.number, e.sent_us, e.done_us, ended[1], e.tries, strict=True)
    first = ((int(at), False, values) for at, values in zip(b.ordinal, begins, strict=True))
    second = ((int(at), True, values) for at, values in zip(e.ordinal, ends, strict=True))
    for _, is_end, values in heapq.merge(first, second, key=lambda each: each[0]):
        yield is_end, [value.item() for value in values]
