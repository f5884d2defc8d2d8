"""The attempts of a run: a sequence over columns, that makes an `Attempt` only where one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from reports.columns import Columns
from reports.history import Attempt, Try, deciding
from reports.ledger_frames import NEVER, microseconds

_KEPT = 100_000  # So many are kept once made; of more the objects would take some hundred megabytes.


class Attempts(Sequence[Attempt]):
    """Equal to the tuple of the same attempts. ``each`` holds the tries of those that were tried again.

    What is asked of many of them is asked of `reports.table`.
    """

    def __init__(self, columns: Columns, each: Mapping[int, tuple[Try, ...]]) -> None:
        self.columns = columns
        self.each = each
        self._made: tuple[Attempt, ...] | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.columns.number)

    @overload
    def __getitem__(self, place: int) -> Attempt: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Attempt]: ...
    def __getitem__(self, place: int | slice) -> Attempt | Sequence[Attempt]:
        """Return one of them, or some."""
        if isinstance(place, slice):
            return tuple(self._make(row) for row in range(len(self))[place])
        return self._make(range(len(self))[place])

    def __iter__(self) -> Iterator[Attempt]:
        """Yield all of them."""
        if self._made is None and len(self) <= _KEPT:
            self._made = tuple(map(self._make, range(len(self))))
        return iter(self._made) if self._made is not None else map(self._make, range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Return whether these are the same attempts."""
        if not isinstance(other, Attempts | tuple):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show them as the tuple that they stand for."""
        return repr(tuple(self))

    def _make(self, row: int) -> Attempt:
        c = self.columns
        number, due_s = int(c.number[row]), float(c.due_s[row])
        where, told, due_us = c.wheres[c.where[row]], c.tolds[c.told[row]], microseconds(due_s)
        begun_s, sent_s, done_s = (
            None if at == NEVER else (due_us + int(at)) / 1e6
            for at in (c.begun[row], c.sent[row], c.done[row])
        )
        plan = (number, int(c.subject[row]), where.phase, due_s)
        tries = self.each.get(number)
        if tries:
            d = tries[deciding([one.outcome for one in tries])]
            times, rest = (begun_s, d.sent_s, d.done_s), (where.volley, len(tries), tries)
            return Attempt(*plan, d.outcome, d.kind, *times, d.status, d.detail, *rest)
        times = (begun_s, sent_s, done_s)
        return Attempt(*plan, told.outcome, told.kind, *times, told.status, told.detail, where.volley)
