"""Reads a run's ledgers, one or one for each worker, into one row an alert; what is wrong is named."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports import ledger_frames as frames
from reports import ledger_rows
from reports.attempts import Attempts
from reports.columns import STOPPED, WORKER, Columns, Told, Where, microseconds, offsets
from reports.history import Outcome
from reports.ledger_frames import NEVER
from reports.ledger_odd import Odd
from reports.ledger_rows import Begins, Ends, Frames

IN_DOUBT = Told(Outcome.INDETERMINATE, WORKER, None, "leased to a worker whose record ends before it")
_AT_ONCE = 200_000  # Rows; so many are taken out of a file together.
_CODES = 2**16
_NOT_YET = 2**62


@dataclass(slots=True)
class _Codes:
    """What a file's codes of one table stand for: a place in the reader's table, the try (of ``where``), and
    the ordinal of the frame that says so."""

    place: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_CODES, np.int64))
    tries: NDArray[np.int64] = field(default_factory=lambda: np.ones(_CODES, np.int64))
    since: NDArray[np.int64] = field(default_factory=lambda: np.full(_CODES, _NOT_YET))


class _File:
    """What is known of one file so far: its codes, how many rows it has, and those not yet taken over."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.data = path.read_bytes()
        self.wheres, self.tolds = _Codes(), _Codes()
        self.rows = {frames.BEGIN: 0, frames.END: 0}
        self.seal: tuple[int, int] | None = None
        self.waiting = {kind: Frames(kind) for kind in self.rows}


class Reader:
    """Takes the frames of all files, then gives the attempts."""

    def __init__(self, damage: list[str]) -> None:
        self._damage = damage
        self._columns = Columns()
        self._places: dict[Where, int] = {Where("", 0): 0}
        self._said: dict[Told, int] = {told: code for code, told in enumerate(self._columns.tolds)}
        self._row: NDArray[np.int32] = np.empty(0, np.int32)  # By number; -1 for none.
        self._odd = Odd(self._columns)
        self.sealed = True
        self.whole: set[str] = set()  # The names of the files with a seal that holds.

    def take(self, path: Path) -> None:
        """Read one ledger as far as it is whole."""
        file = _File(path)
        try:
            if not file.data.startswith(frames.MAGIC):
                raise ValueError("is no ledger of this version")
            ends = self._read(file)
            if ends < len(file.data):
                self._note(file, f"is torn at byte {ends}")
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
        self._make_room(max(planned - 1, *self._odd.again, 0))
        each = self._odd.tries(self._row, self._damage)
        columns, missing = self._columns, np.flatnonzero(self._row[:planned] < 0)
        if not np.all(columns.number[1:] > columns.number[:-1]):
            columns.keep(np.argsort(columns.number, kind="stable"))
        doubtful = np.isin(missing, np.fromiter(in_doubt, np.int64, len(in_doubt)))
        for numbers, told in ((missing[~doubtful], STOPPED), (missing[doubtful], IN_DOUBT)):
            if len(numbers):
                columns.add(len(numbers), number=numbers, subject=numbers, told=self._place(told))
        return Attempts(columns, each)

    def _read(self, file: _File) -> int:
        """Take over a file's frames; return where the last whole one ends.

        Raises:
            ValueError, KeyError, TypeError, IndexError: at a frame that is not as it should be; what stands
                before it is taken over.
        """
        at, ordinal = len(frames.MAGIC), 0
        try:
            for kind, base_us, starts, ends in frames.walk(file.data, at):
                if file.seal:
                    raise ValueError("goes on after its seal")
                ordinal += 1
                if kind in file.rows:
                    file.waiting[kind].add(base_us, starts, ends, ordinal)
                    if file.waiting[kind].rows >= _AT_ONCE:
                        self._take_over(file)
                else:
                    self._understand(file, kind, frames.said(file.data[starts:ends]), ordinal)
                at = ends
        finally:
            # What is wrong with these rows stands before what ended the loop, and is told in its place.
            self._take_over(file)
        return at

    def _understand(self, file: _File, kind: bytes, said: Any, ordinal: int) -> None:
        if kind == frames.DEFINE:
            self._define(file, ordinal, *said)
        elif kind == frames.SEAL:
            file.seal = (said["begun"], said["ended"])
        else:
            raise ValueError(f"has a frame of unknown kind {kind!r}")

    def _define(self, file: _File, ordinal: int, table: str, code: int, *values: Any) -> None:
        codes, tries = file.tolds, 1
        if table == "where":
            phase, volley, tries = values
            codes, place = file.wheres, self._places.setdefault(Where(phase, volley), len(self._places))
            if place == len(self._columns.wheres):
                self._columns.wheres.append(Where(phase, volley))
        else:
            outcome, kind, status, detail = values
            place = self._place(Told(Outcome(outcome), kind, status, detail))
        if codes.since[code] != _NOT_YET:
            self._take_over(file)  # With what it meant until now.
        codes.place[code], codes.tries[code], codes.since[code] = place, tries, ordinal

    def _place(self, told: Told) -> int:
        place = self._said.setdefault(told, len(self._said))
        if place == len(self._columns.tolds):
            self._columns.tolds.append(told)
            self._columns.make_room(place)
        return place

    def _take_over(self, file: _File) -> None:
        """Take over the rows that wait.

        Raises:
            ValueError: at a frame with a code that has no meaning; what stands before it is taken over.
        """
        waiting, file.waiting = file.waiting, {kind: Frames(kind) for kind in file.rows}
        begun = ledger_rows.begins(file.data, waiting[frames.BEGIN])
        ended = ledger_rows.ends(file.data, waiting[frames.END])
        unknown = [
            (rows.ordinal[bad[0]], rows.code[bad[0]])
            for rows, codes in ((begun, file.wheres), (ended, file.tolds))
            if len(bad := np.flatnonzero(codes.since[rows.code] > rows.ordinal))
        ]
        if unknown:
            begun = begun.some(begun.ordinal < min(unknown)[0])
            ended = ended.some(ended.ordinal < min(unknown)[0])
        file.rows[frames.BEGIN] += len(begun.number)
        file.rows[frames.END] += len(ended.number)
        self._merge(file, begun, ended)
        if unknown:
            raise ValueError(f"uses code {min(unknown)[1]} before it says what that means")

    def _merge(self, file: _File, begun: Begins, ended: Ends) -> None:
        """Take over rows; those that do not stand alone, one beginning before one end, by themselves."""
        self._make_room(max(begun.number.max(initial=-1), ended.number.max(initial=-1)))
        tries = file.wheres.tries[begun.code]
        odd = self._strange(begun.some(tries == 1), ended.some(ended.tries == 1))
        begins, ends = (tries > 1) | odd[begun.number], (ended.tries > 1) | odd[ended.number]
        if begins.any() or ends.any():
            self._odd.take(
                self._row,
                (begun.some(begins), file.wheres.place[begun.code[begins]], tries[begins]),
                (ended.some(ends), file.tolds.place[ended.code[ends]]),
                lambda what: self._note(file, what),
            )
        self._add(begun.some(~begins), file.wheres.place)
        self._settle(ended.some(~ends), file.tolds.place)

    def _strange(self, begun: Begins, ended: Ends) -> NDArray[np.bool_]:
        """Return, by number, which alerts are begun or ended twice here, or ended before they are begun."""
        row, done = self._row, self._columns.done
        begins, ends = (np.bincount(numbers, minlength=len(row)) for numbers in (begun.number, ended.number))
        first = np.full(len(row), _NOT_YET)
        first[begun.number] = begun.ordinal
        known = row >= 0
        first[known] = 0
        odd: NDArray[np.bool_] = (begins + known > 1) | (ends > 1)
        odd[ended.number[first[ended.number] > ended.ordinal]] = True
        there = ended.number[known[ended.number]]
        odd[there[done[row[there]] != NEVER]] = True
        return odd

    def _add(self, begun: Begins, places: NDArray[np.int64]) -> None:
        rows = len(self._columns.number)
        self._row[begun.number] = rows + np.arange(len(begun.number))
        at = offsets(begun.at_us, microseconds(begun.due_s))
        plan = {"number": begun.number, "subject": begun.subject, "due_s": begun.due_s}
        self._columns.add(len(begun.number), **plan, begun=at, where=places[begun.code], told=1)

    def _settle(self, ended: Ends, places: NDArray[np.int64]) -> None:
        c, rows, told = self._columns, self._row[ended.number], places[ended.code]
        due_us = microseconds(c.due_s[rows])
        c.sent[rows] = np.where(ended.sent_us == NEVER, NEVER, offsets(ended.sent_us, due_us))
        c.done[rows] = offsets(ended.done_us, due_us)
        c.told[rows] = told
        # When an alert was begun and done is the master's word, which gave it up.
        given_up = rows[np.fromiter((t.kind == WORKER for t in c.tolds), bool, len(c.tolds))[told]]
        c.begun[given_up] = c.sent[given_up] = c.done[given_up] = NEVER

    def _as_sealed(self, file: _File) -> bool:
        """Tell whether as many rows are there as the seal says; if not, some were taken away or added."""
        if file.seal is None:
            return False
        there = tuple(file.rows.values())
        if file.seal != there:
            words = "{} begun and {} ended".format
            self._note(file, f"sealed with {words(*file.seal)}, {words(*there)} are there")
        return file.seal == there

    def _make_room(self, number: int) -> None:
        if number >= len(self._row):
            count = max(1024, int(number) + 1 - len(self._row), len(self._row))
            self._row = np.concatenate((self._row, np.full(count, -1, np.int32)))

    def _note(self, file: _File, what: str) -> None:
        self._damage.append(f"{file.name}: {what}")
