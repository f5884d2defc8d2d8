"""The ledger's bytes: frames of rows in columns, each whole or not there, the same on disk and on the wire.

::

    file    MAGIC, then frames
    frame   kind, payload's length, CRC-32 of all but itself (4 bytes each), base_us (8)
    define  JSON [table, code, values...]: a code of the table "where" (phase, volley, try) or "answer"
            (outcome, kind, status, detail), before the first row that uses it
    begin   columns number u4, subject u4, due_s f8, begun i4, where u2
    end     columns number u4, sent i4, done i4, answer u2, try u2
    seal    JSON {"begun": rows, "ended": rows}: nothing follows

All numbers are little-endian. Times but for due_s are microseconds since ``base_us``, which itself counts
from the run's start; NEVER stands for none. A begin frame is on disk before its alerts' first byte goes out,
so an alert without an end may have arrived.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapes import compiled

MAGIC = b"alertstorm ledger 2\n"
DEFINE, BEGIN, END, SEAL = b"DEFI", b"BEGI", b"END ", b"SEAL"
NEVER = -(2**31)  # Of a time that never came.
_MOST_US = 2**31 - 1
_compiled: Any = compiled.load("reports._frames", 1)
_HEADER = struct.Struct("<4sIIq")
# As the array module names them, in the order of the columns.
_BEGIN_COLUMNS, _END_COLUMNS = "IIdiH", "IiiHH"
_ROW_BYTES = {BEGIN: 22, END: 16}

for _code in "IiH":
    assert array(_code).itemsize == struct.calcsize(f"<{_code}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as read; ``columns`` of begin and end in the order above, ``said`` what JSON says otherwise;
    ``ends`` is where the next one begins."""

    kind: bytes
    base_us: int
    columns: tuple[array[Any], ...]
    said: Any
    ends: int


def microseconds(at_s: float) -> int:
    """Return a time as it is kept, to the microsecond."""
    return round(at_s * 1e6)


def define(table: str, code: int, values: Sequence[object]) -> bytes:
    """Return the frame that gives a code its meaning."""
    return _frame(DEFINE, 0, _json([table, code, *values]))


def begin(
    numbers: Sequence[int],
    subjects: Sequence[int],
    due_s: Sequence[float],
    at_us: int,
    where: Sequence[int],
) -> bytes:
    """Return the frame of alerts that are begun together."""
    columns = (*map(_packed, "IId", (numbers, subjects, due_s)), bytes(4 * len(numbers)), _packed("H", where))
    return _frame(BEGIN, at_us, b"".join(columns))


def end(
    numbers: Sequence[int],
    sent_s: Sequence[float | None],
    done_s: Sequence[float],
    answers: Sequence[int],
    tries: Sequence[int],
) -> bytes:
    """Return the frame of tries that ended: a column of each, times in seconds since the run's start."""
    packed = _compiled.end_columns(numbers, sent_s, done_s, answers, tries) if _compiled else None
    if packed is not None:
        return _frame(END, *packed)
    base_us = microseconds(done_s[0])
    sent = [NEVER if at is None else round(at * 1e6) - base_us for at in sent_s]
    done = [round(at * 1e6) - base_us for at in done_s]
    if max(*done, *sent) > _MOST_US or min(*done, *sent) < -_MOST_US:
        sent = [at if at == NEVER else offset(at, 0) for at in sent]
        done = [offset(at, 0) for at in done]
    return _frame(END, base_us, b"".join(map(_packed, "IiiHH", (numbers, sent, done, answers, tries))))


def seal(begun: int, ended: int) -> bytes:
    """Return the frame that says that nothing follows so many rows."""
    return _frame(SEAL, 0, _json({"begun": begun, "ended": ended}))


def read(data: bytes, begins: int = 0) -> Iterator[Frame]:
    """Yield the frames from a place on, up to the first that is not whole; `Frame.ends` tells how far it got.

    Raises:
        ValueError: at a frame that is there but not as it was written.
    """
    for kind, base_us, starts, ends in walk(data, begins):
        payload, rows = data[starts:ends], kind in _ROW_BYTES
        columns = _columns(kind, memoryview(payload)) if rows else ()
        yield Frame(kind, base_us, columns, None if rows else said(payload), ends)


def walk(data: bytes, begins: int = 0) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield of the frames from a place on, as `read` does, only kind, base_us, and from where to where the
    payload lies.

    Raises:
        ValueError: at a frame that is there but not as it was written.
    """
    view, at = memoryview(data), begins
    while at + _HEADER.size <= len(view):
        kind, length, crc, base_us = _HEADER.unpack_from(view, at)
        starts = at + _HEADER.size
        ends = starts + length
        if ends > len(view):
            return
        if crc != _crc(kind, base_us, view[starts:ends]):
            raise ValueError(f"is damaged at byte {at}")
        yield kind, base_us, starts, ends
        at = ends


def said(payload: bytes) -> Any:
    """Return what a frame says that is not of rows.

    Raises:
        ValueError: if it is no JSON.
    """
    return json.loads(payload)


def whole(data: bytes, begins: int) -> int:
    """Return how many bytes of a piece of a ledger, from a place in it on, are whole frames."""
    at = 0 if begins else len(MAGIC)
    if not begins and not data.startswith(MAGIC):
        return 0
    while at + _HEADER.size <= len(data):
        ends = at + _HEADER.size + _HEADER.unpack_from(data, at)[1]
        if ends > len(data):
            break
        at = ends
    return at


def needed(data: bytes) -> int:
    """Return the length of the frame that a piece begins with."""
    return _HEADER.size + int(_HEADER.unpack_from(data)[1])


def check(data: bytes, begins: int) -> tuple[int, bool]:
    """Return how many bytes of a piece are whole frames, and whether the last one is the seal.

    Raises:
        ValueError: if one is not as it was written.
    """
    if not begins and not data.startswith(MAGIC):
        raise ValueError("is no ledger of this version")
    at, sealed = 0 if begins else len(MAGIC), False
    while at + _HEADER.size <= len(data):
        kind, length, crc, base_us = _HEADER.unpack_from(data, at)
        ends = at + _HEADER.size + length
        if ends > len(data):
            break
        if crc != _crc(kind, base_us, memoryview(data)[at + _HEADER.size : ends]):
            raise ValueError(f"is damaged at byte {begins + at}")
        at, sealed = ends, kind == SEAL
    return at, sealed


def offset(at_us: int, base_us: int) -> int:
    """Return a time as microseconds from another, at most 35 minutes."""
    return max(-_MOST_US, min(_MOST_US, at_us - base_us))


def _columns(kind: bytes, payload: memoryview) -> tuple[array[Any], ...]:
    count, rest = divmod(len(payload), _ROW_BYTES[kind])
    if rest:
        raise ValueError("has a frame of part of a row")
    columns, at = [], 0
    for code in _BEGIN_COLUMNS if kind == BEGIN else _END_COLUMNS:
        column = array(code)
        size = count * column.itemsize
        column.frombytes(payload[at : at + size])
        if sys.byteorder == "big":
            column.byteswap()
        columns.append(column)
        at += size
    return tuple(columns)


def _packed(code: str, values: Sequence[int] | Sequence[float]) -> bytes:
    column: array[Any] = array(code, values)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _frame(kind: bytes, base_us: int, payload: bytes) -> bytes:
    return _HEADER.pack(kind, len(payload), _crc(kind, base_us, payload), base_us) + payload


def _crc(kind: bytes, base_us: int, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(b"%b%d" % (kind, base_us)))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
