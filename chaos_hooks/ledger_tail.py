"""The ledgers of a run, followed while they grow: how each alert ended so far, and how long that took."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reports import ledger_frames as frames
from reports.columns import WORKER
from reports.history import Outcome
from reports.ledger_frames import Frame

_MOST_BYTES = 16_000  # Of about 400 alerts, a millisecond's work; then others have their turn.
_NOT_DUE = float("nan")
# As `reports.history.deciding` has it: what comes later stands for more, and of the same the last one counts.
_GIVEN_UP = "given up"
_RANKS = {_GIVEN_UP: 0, "unsent": 1, "safe": 2, "unsafe": 2, "indeterminate": 3, "acked": 4}
_NAMES = tuple(_RANKS)


class Landed(NamedTuple):
    """An alert's try that decides for now: its class as a chart has it, and the class that it leaves, empty
    if it had none; ``took_ms`` counts from the due time."""

    number: int
    name: str
    left: str
    due_s: float
    took_ms: float


@dataclass(slots=True)
class _File:
    """What is read of one ledger so far: up to which byte, and what its codes mean."""

    at: int = 0
    classes: dict[int, int] = field(default_factory=dict)


class LedgerTail:
    """Reads what a run's own ledger and its workers' have got since the last time, whole frames only.

    An alert takes 9 bytes. It tells of the run for people to look at; the judge reads the ledgers anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._due_s = array("d")
        self._now = bytearray()  # By number: 1 + the place in _NAMES; 0 before any end.

    def read(self) -> Iterator[list[Landed]]:
        """Yield what is new, some hundred alerts at a time.

        Raises:
            OSError: if a ledger cannot be read.
            ValueError: if one is not as a ledger was written.
        """
        for path in sorted(self._folder.glob("ledger*.bin")):
            file = self._files.setdefault(path.name, _File())
            with path.open("rb", buffering=0) as opened:
                while data := _whole(opened.fileno(), file.at):
                    begins = 0 if file.at else len(frames.MAGIC)
                    file.at += len(data)
                    yield [each for frame in frames.read(data, begins) for each in self._frame(file, frame)]

    def due_s(self, number: int) -> float:
        """Return when an alert was due; NaN if it was never begun."""
        return self._due_s[number] if number < len(self._due_s) else _NOT_DUE

    def is_acked(self, number: int) -> bool:
        """Return whether an alert counts as acknowledged."""
        return number < len(self._now) and self._now[number] == 1 + _NAMES.index("acked")

    def _frame(self, file: _File, frame: Frame) -> Iterator[Landed]:
        if frame.kind == frames.DEFINE:
            table, code, *values = frame.said
            if table == "answer":
                file.classes[code] = _NAMES.index(_name(Outcome(values[0]), values[1]))
        elif frame.kind == frames.BEGIN:
            numbers, _, dues, *_ = frame.columns
            self._make_room(max(numbers, default=0))
            for number, due_s in zip(numbers, dues, strict=True):
                self._due_s[number] = due_s
        elif frame.kind == frames.END:
            yield from self._end(file, frame)

    def _end(self, file: _File, frame: Frame) -> Iterator[Landed]:
        numbers, _, dones, codes, _ = frame.columns
        for number, done, code in zip(numbers, dones, codes, strict=True):
            now, before = file.classes[code], self._now[number] - 1
            if before >= 0 and (_NAMES[before] == "acked" or _rank(now) < _rank(before)):
                continue
            self._now[number] = now + 1
            due_s = self._due_s[number]
            took_ms = round((frame.base_us + done) / 1e3 - due_s * 1e3, 1)
            yield Landed(number, _shown(now), _shown(before) if before >= 0 else "", due_s, took_ms)

    def _make_room(self, number: int) -> None:
        if number >= len(self._now):
            count = max(1024, number + 1 - len(self._now), len(self._now))
            self._now.extend(bytes(count))
            self._due_s.extend(array("d", [_NOT_DUE]) * count)


def _whole(descriptor: int, at: int) -> bytes:
    """Return the next whole frames of a ledger, or one that is larger than what is read in one go."""
    data = os.pread(descriptor, _MOST_BYTES, at)
    ends = frames.whole(data, at)
    if not ends and len(data) == _MOST_BYTES:
        data = os.pread(descriptor, frames.needed(data), at)
        ends = frames.whole(data, at)
    return data[:ends]


def _name(outcome: Outcome, kind: str) -> str:
    if outcome is Outcome.REJECTED:
        return "safe" if kind == "safe" else "unsafe"
    return _GIVEN_UP if kind == WORKER else outcome.value


def _rank(place: int) -> int:
    return _RANKS[_NAMES[place]]


def _shown(place: int) -> str:
    return "indeterminate" if _NAMES[place] == _GIVEN_UP else _NAMES[place]
