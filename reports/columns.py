"""A ledger's rows in columns: 32 bytes an alert."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.history import Outcome
from reports.ledger_frames import NEVER


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


WORKER = "worker"  # The kind of an alert given up with the worker that was to send it.
STOPPED = Told(Outcome.UNSENT, "stopped", None, "")
KILLED = Told(
    Outcome.INDETERMINATE, "killed", None, "begun, and the generator died before it wrote the outcome"
)
_MOST_US = 2**31 - 1


@dataclass(slots=True)
class Columns:
    """A row an alert. ``begun``, ``sent`` and ``done`` are microseconds from ``due_s``, NEVER for none;
    ``where`` and ``told`` are places in the tables ``wheres`` and ``tolds``."""

    number: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, "u4"))
    subject: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, "u4"))
    due_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0, "f8"))
    begun: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, "i4"))
    sent: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, "i4"))
    done: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, "i4"))
    where: NDArray[np.uint16] = field(default_factory=lambda: np.empty(0, "u2"))
    told: NDArray[np.unsignedinteger[Any]] = field(default_factory=lambda: np.empty(0, "u2"))
    wheres: list[Where] = field(default_factory=lambda: [Where("", 0)])
    tolds: list[Told] = field(default_factory=lambda: [STOPPED, KILLED])

    @property
    def row_bytes(self) -> int:
        """Return how many bytes a row takes."""
        return sum(getattr(self, name).itemsize for name in _NAMES)

    def add(self, count: int, **values: Any) -> None:
        """Add rows; what is not given is as of alerts of whose beginning nothing is recorded."""
        for name in _NAMES:
            old = getattr(self, name)
            new = np.full(count, NEVER if name in ("begun", "sent", "done") else 0, old.dtype)
            if name in values:
                new[:] = values[name]
            setattr(self, name, np.concatenate((old, new)))

    def make_room(self, place: int) -> None:
        """Make ``told`` wide enough for a place in its table; so many different answers are rare."""
        if place > np.iinfo(self.told.dtype).max:
            self.told = self.told.astype("u4")

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Keep these rows, in this order."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name)[rows])

    def seconds(self, name: str) -> NDArray[np.float64]:
        """Return when alerts were ``begun``, ``sent`` or ``done``, in seconds since the start; NaN for
        never."""
        offset = getattr(self, name)
        return np.where(offset == NEVER, np.nan, (microseconds(self.due_s) + offset) / 1e6)


def microseconds(at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return times as they are kept, to the microsecond; see `reports.ledger_frames.microseconds`."""
    return np.rint(at_s * 1e6).astype(np.int64)


def offsets(at_us: NDArray[np.int64], base_us: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return times as microseconds from others, at most 35 minutes."""
    found: NDArray[np.int32] = np.clip(at_us - base_us, -_MOST_US, _MOST_US).astype(np.int32)
    return found


_NAMES = tuple(each.name for each in fields(Columns))[:8]
