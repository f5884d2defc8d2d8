"""The rows of many frames of a ledger, taken out of its bytes column by column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.ledger_frames import BEGIN, END, NEVER

# Of each kind the columns' types, as numpy names them.
COLUMNS = {BEGIN: ("<u4", "<u4", "<f8", "<i4", "<u2"), END: ("<u4", "<i4", "<i4", "<u2", "<u2")}
_SIZES = {kind: [int(name[-1]) for name in names] for kind, names in COLUMNS.items()}
ROW_BYTES = {kind: sum(sizes) for kind, sizes in _SIZES.items()}
_Places = NDArray[np.int64]


@dataclass(slots=True)
class Frames:
    """Frames of one kind: where the payload of each lies, how many rows it has, its base_us and its ordinal
    among the frames of the file."""

    kind: bytes
    starts: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    bases_us: list[int] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    rows: int = 0

    def add(self, base_us: int, starts: int, ends: int, ordinal: int) -> None:
        """Add a frame.

        Raises:
            ValueError: if its last row is not whole.
        """
        count, rest = divmod(ends - starts, ROW_BYTES[self.kind])
        if rest:
            raise ValueError("has a frame of part of a row")
        self.starts.append(starts)
        self.counts.append(count)
        self.bases_us.append(base_us)
        self.ordinals.append(ordinal)
        self.rows += count


@dataclass(frozen=True, slots=True)
class Begins:
    """Rows of begin frames, in their order; ``at_us`` since the run's start, ``code`` is the file's own."""

    number: _Places
    subject: _Places
    due_s: NDArray[np.float64]
    at_us: _Places
    code: _Places
    ordinal: _Places

    def some(self, rows: NDArray[np.bool_] | slice) -> Begins:
        """Return some of them."""
        return Begins(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Ends:
    """Rows of end frames, in their order; times since the run's start, ``sent_us`` NEVER for none."""

    number: _Places
    sent_us: _Places
    done_us: _Places
    code: _Places
    tries: _Places
    ordinal: _Places

    def some(self, rows: NDArray[np.bool_] | slice) -> Ends:
        """Return some of them."""
        return Ends(*(getattr(self, name)[rows] for name in self.__slots__))


def begins(data: bytes, frames: Frames) -> Begins:
    """Return the rows of begin frames."""
    (number, subject, due_s, at, code), base_us, ordinal = _columns(data, frames)
    return Begins(number, subject, due_s, base_us + at, code, ordinal)


def ends(data: bytes, frames: Frames) -> Ends:
    """Return the rows of end frames."""
    (number, sent, done, code, tries), base_us, ordinal = _columns(data, frames)
    sent_us = np.where(sent == NEVER, NEVER, base_us + sent)
    return Ends(number, sent_us, base_us + done, code, tries, ordinal)


def _columns(data: bytes, frames: Frames) -> tuple[list[NDArray[Any]], _Places, _Places]:
    counts = np.array(frames.counts, np.int64)
    base_us = np.repeat(np.array(frames.bases_us, np.int64), counts)
    ordinal = np.repeat(np.array(frames.ordinals, np.int64), counts)
    start, count = np.repeat(np.array(frames.starts, np.int64), counts), np.repeat(counts, counts)
    place = np.arange(frames.rows) - np.repeat(np.cumsum(counts) - counts, counts)
    columns, before = [], 0
    for name, size in zip(COLUMNS[frames.kind], _SIZES[frames.kind], strict=True):
        # Whatever begins at a byte, at each of them: frames lie at odd places.
        anywhere: NDArray[Any] = np.ndarray(max(0, len(data) - size + 1), name, data, 0, (1,))
        column = anywhere[start + before * count + size * place]
        columns.append(column if name == "<f8" else column.astype(np.int64))
        before += size
    return columns, base_us, ordinal


assert (ROW_BYTES[BEGIN], ROW_BYTES[END]) == (22, 16)
