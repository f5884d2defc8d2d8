"""End frames packed by the compiled part are those that Python packs, byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import ledger_frames as frames

COMPILED: Any = frames._compiled
needs_it = pytest.mark.skipif(COMPILED is None, reason="reports/_frames.c is not compiled")
TIMES = (
    st.floats(0, 1e5)
    | st.floats(-10, 1e7)
    | st.sampled_from([0.0000005, 0.0000015, 2.5e-6, 2147.483647, 9e9])
)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 1),
        st.none() | TIMES,
        TIMES,
        st.integers(0, 65_535),
        st.integers(0, 65_535),
    ),
    min_size=1,
    max_size=30,
)


def both(*columns: Any) -> tuple[bytes, bytes]:
    """Return the frame as it is packed, and as Python packs it."""
    got = frames.end(*columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_compiled", None)
        return got, frames.end(*columns)


@needs_it
@settings(deadline=None)
@given(ROWS)
def test_the_same_bytes(rows: list[Any]) -> None:
    """Of any rows, of times that lie too far apart for their difference, too."""
    got, expected = both(*(list(column) for column in zip(*rows, strict=True)))
    assert got == expected


@needs_it
def test_a_frame_of_the_compiled_part() -> None:
    """Rounded to the microsecond, and of two to the even one; None is a time that never came."""
    base_us, packed = COMPILED.end_columns([7, 8], [2.5e-6, None], [3.5e-6, 1.5e-5], [3, 65_535], [1, 2])
    numbers, sent = b"\7\0\0\0\10\0\0\0", b"\xfe\xff\xff\xff\0\0\0\x80"
    done, rest = b"\0\0\0\0\x0b\0\0\0", b"\3\0\xff\xff\1\0\2\0"
    assert (base_us, packed) == (4, numbers + sent + done + rest)


@needs_it
@pytest.mark.parametrize(
    "columns",
    [
        ([2**32], [1.0], [1.0], [0], [1]),
        ([-1], [1.0], [1.0], [0], [1]),
        ([1], [1.0], [1.0], [65_536], [1]),
        (["1"], [1.0], [1.0], [0], [1]),
        ([1], [float("nan")], [1.0], [0], [1]),
        ([1], [1.0], [float("inf")], [0], [1]),
        ([1, 2], [1.0, 1.0], [1.0, 5000.0], [0, 0], [1, 1]),
        ([1], [1], [1.0], [0], [1]),
        ([], [], [], [], []),
    ],
)
def test_what_does_not_fit_is_left_to_python(columns: Any) -> None:
    assert COMPILED.end_columns(*columns) is None


@needs_it
def test_wrong_arguments_are_refused_and_nothing_is_kept() -> None:
    with pytest.raises(TypeError):
        COMPILED.end_columns([1])
    with pytest.raises(TypeError):
        COMPILED.end_columns(1, 2, 3, 4, 5)
    with pytest.raises(ValueError, match="one length"):
        COMPILED.end_columns([1], [1.0], [1.0], [0], [])
    columns = ([70_000] * 9, [1.5] * 9, [2.5] * 9, [300] * 9, [301] * 9)
    before = [sys.getrefcount(each) for each in (*columns, columns[0][0], columns[1][0])]
    for _ in range(1000):
        COMPILED.end_columns(*columns)
    assert [sys.getrefcount(each) for each in (*columns, columns[0][0], columns[1][0])] == before


def test_both_sources_speak_of_the_same_version() -> None:
    source = Path(frames.__file__)
    assert "#define API 1 " in source.with_name("_frames.c").read_text()
    assert 'compiled.load("reports._frames", 1)' in source.read_text()
