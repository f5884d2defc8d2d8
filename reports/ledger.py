"""Reads a run's ledgers, one or one for each worker, into one row an alert; what is wrong is named."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports import ledger_frames as frames
from reports.attempts import Attempts
from reports.columns import KILLED, Columns, Told, Where
from reports.history import Outcome, Try
from reports.ledger_frames import NEVER, microseconds, offset

WORKER = "worker"  # Of an alert given up with the worker that was to send it.
IN_DOUBT = Told(Outcome.INDETERMINATE, WORKER, None, "leased to a worker whose record ends before it")


@dataclass(slots=True)
class _File:
    """What is known of one file so far: its codes, and how many rows it has."""

    name: str
    wheres: dict[int, tuple[int, int]] = field(default_factory=dict)
    tolds: dict[int, int] = field(default_factory=dict)
    rows: list[int] = field(default_factory=lambda: [0, 0])
    seal: dict[str, int] | None = None


class Reader:
    """Takes the frames of all files, then gives the attempts."""

    def __init__(self, damage: list[str]) -> None:
        self._damage = damage
        self._columns = Columns()
        self._places: dict[Where, int] = {Where("", 0): 0}
        self._said: dict[Told, int] = {told: code for code, told in enumerate(self._columns.tolds)}
        self._row: array[int] = array("i")  # By number; -1 for none.
        # Of alerts tried again, by number and try, from the second on: when begun, and how it ended.
        self._again: defaultdict[int, dict[int, Try]] = defaultdict(dict)
        self.sealed = True
        self.whole: set[str] = set()  # The names of the files with a seal that holds.

    def take(self, path: Path) -> None:
        """Read one ledger as far as it is whole."""
        file = _File(path.name)
        data = path.read_bytes()
        at = len(frames.MAGIC)
        if not data.startswith(frames.MAGIC):
            self._note(file, "is no ledger of this version")
            at = len(data)
        try:
            for frame in frames.read(data, at):
                if file.seal:
                    raise ValueError("goes on after its seal")
                self._frame(file, frame)
                at = frame.ends
            if at < len(data):
                self._note(file, f"is torn at byte {at}")
        except (ValueError, KeyError, TypeError, IndexError) as problem:
            self._note(file, str(problem))
            file.seal = None
        sealed = self._as_sealed(file)
        self.sealed = sealed and self.sealed
        self.whole |= {path.name} if sealed else set()

    def attempts(self, planned: int, in_doubt: Collection[int] = ()) -> Attempts:
        """Return an attempt for each alert that was begun, by number, then for those of the plan that were
        not: not one byte of them went out, as a killed writer's begin is on disk before its send. But where
        the record of a worker ends too early, what it had is ``in_doubt``."""
        row = self._row
        self._make_room(max(self._again, default=0))
        each = {}
        for number in self._again:
            if row[number] < 0:
                self._damage.append(f"ledger: alert {number} has no record of its first try")
            else:
                each[number] = self._tries(number, self._damage)
        self._columns.in_order()
        begun = [n >= 0 for n in row[:planned]]
        missing = [n for n in range(planned) if n >= len(begun) or not begun[n]]
        self._columns.add_unbegun([n for n in missing if n not in in_doubt])
        doubtful = [n for n in missing if n in in_doubt]
        if doubtful:
            self._columns.add_unbegun(doubtful, self._place(IN_DOUBT))
        return Attempts(self._columns, each)

    def _frame(self, file: _File, frame: frames.Frame) -> None:
        if frame.kind == frames.BEGIN:
            file.rows[0] += len(frame.columns[0])
            self._begin(file, frame)
        elif frame.kind == frames.END:
            file.rows[1] += len(frame.columns[0])
            self._end(file, frame)
        elif frame.kind == frames.DEFINE:
            self._define(file, *frame.said)
        elif frame.kind == frames.SEAL:
            file.seal = {"begun": frame.said["begun"], "ended": frame.said["ended"]}
        else:
            raise ValueError(f"has a frame of unknown kind {frame.kind!r}")

    def _define(self, file: _File, table: str, code: int, *values: Any) -> None:
        if table == "where":
            phase, volley, number = values
            place = self._places.setdefault(Where(phase, volley), len(self._places))
            if place == len(self._columns.wheres):
                self._columns.wheres.append(Where(phase, volley))
            file.wheres[code] = (place, number)
        else:
            outcome, kind, status, detail = values
            file.tolds[code] = self._place(Told(Outcome(outcome), kind, status, detail))

    def _place(self, told: Told) -> int:
        place = self._said.setdefault(told, len(self._said))
        if place == len(self._columns.tolds):
            self._columns.tolds.append(told)
        return place

    def _begin(self, file: _File, frame: frames.Frame) -> None:
        self._make_room(max(frame.columns[0], default=0))
        for number, subject, due_s, at, code in zip(*frame.columns, strict=True):
            where, tries = file.wheres[code]
            at_us = frame.base_us + at
            if tries > 1:
                if tries in self._again[number]:
                    self._note(file, f"alert {number} begun twice")
                self._again[number][tries] = _killed(at_us)
            elif self._row[number] < 0:
                self._row[number] = self._columns.add_begun(number, subject, due_s, at_us, where)
            elif self._columns.told_of(self._row[number]).kind == WORKER:
                # It was given up, and now the worker's own record came.
                self._columns.begin_anew(self._row[number], at_us)
            else:
                self._note(file, f"alert {number} begun twice")

    def _end(self, file: _File, frame: frames.Frame) -> None:
        c, row, base_us = self._columns, self._row, frame.base_us
        for number, sent, done, code, tries in zip(*frame.columns, strict=True):
            told = file.tolds[code]
            place = row[number] if number < len(row) else -1
            if tries > 1:
                self._end_again(file, number, tries, frame, (sent, done, told))
            elif place < 0:
                self._note(file, f"alert {number} ended, but was not begun")
            else:
                if c.done[place] != NEVER:
                    self._note(file, f"alert {number} ended twice")
                due_us = microseconds(c.due_s[place])
                c.sent[place] = NEVER if sent == NEVER else offset(base_us + sent, due_us)
                c.done[place] = offset(base_us + done, due_us)
                c.told[place] = told
                if c.tolds[told].kind == WORKER:
                    c.give_up(place)

    def _end_again(
        self, file: _File, number: int, tries: int, frame: frames.Frame, how: tuple[int, int, int]
    ) -> None:
        begun = self._again.get(number, {}).get(tries)
        if begun is None:
            self._note(file, f"alert {number} ended, but was not begun")
            return
        if begun.done_s is not None:
            self._note(file, f"alert {number} ended twice")
        sent_s, done_s = (None if at == NEVER else (frame.base_us + at) / 1e6 for at in how[:2])
        told = self._columns.tolds[how[2]]
        again = Try(told.outcome, told.kind, begun.begun_s, sent_s, done_s, told.status, told.detail)
        self._again[number][tries] = again

    def _tries(self, number: int, damage: list[str]) -> tuple[Try, ...]:
        more = self._again[number]
        if sorted(more) != list(range(2, len(more) + 2)):
            damage.append(f"ledger: alert {number} has no record of some of its tries")
        return (self._columns.first_try(self._row[number]), *(more[t] for t in sorted(more)))

    def _as_sealed(self, file: _File) -> bool:
        """Tell whether as many rows are there as the seal says; if not, some were taken away or added."""
        if file.seal is None:
            return False
        told, there = (file.seal["begun"], file.seal["ended"]), tuple(file.rows)
        if told != there:
            words = "{} begun and {} ended".format
            self._note(file, f"sealed with {words(*told)}, {words(*there)} are there")
        return told == there

    def _make_room(self, number: int) -> None:
        if number >= len(self._row):
            self._row.extend(array("i", [-1]) * max(1024, number + 1 - len(self._row), len(self._row)))

    def _note(self, file: _File, what: str) -> None:
        self._damage.append(f"{file.name}: {what}")


def _killed(at_us: int) -> Try:
    return Try(KILLED.outcome, KILLED.kind, at_us / 1e6, detail=KILLED.detail)
