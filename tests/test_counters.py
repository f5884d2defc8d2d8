"""Counters over time: growth and when, whatever a restart sets back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import counters
from reports.counters import Growth
from reports.history import Observation
from reports.interval import Interval


def samples(*values: float | None, start: tuple[float, ...] = ()) -> list[Observation]:
    """Return a sample a second; None is one in which the counter is not exposed."""
    found = []
    for k, value in enumerate(values):
        told = {} if value is None else {"n": value}
        if start:
            told["process_start"] = start[k]
        found.append(Observation("metrics", float(k), k + 0.1, True, told))
    return found


@pytest.mark.parametrize(
    ("values", "total", "first"),
    [
        ((0, 0, 0), 0, None),
        ((3, 3, 5, 9), 6, Interval(1.0, 2.1)),
        ((5, 7, 0, 0), 2, Interval(0.0, 1.1)),  # A restart is no growth by itself
        ((5, 7, 2, 3), 5, Interval(0.0, 1.1)),  # and what the new process counted is.
        ((None, None, 4), 4, Interval(1.0, 2.1)),  # A series with labels appears when it is first counted.
        ((9,), 0, None),  # Whatever was counted before the first look is not the run's.
    ],
)
def test_growth(values: tuple[float | None, ...], total: float, first: Interval | None) -> None:
    """The sum of the rises, and the first of them between the looks that show it."""
    assert counters.grown(samples(*values), "n") == Growth(total, first, len(values))


def test_a_metric_that_is_nowhere_is_not_zero() -> None:
    """Missing data stays missing."""
    assert counters.grown(samples(None, None), "n") is None
    assert counters.grown([], "n") is None


def test_a_failed_look_tells_nothing() -> None:
    """A scrape that failed is no restart."""
    broken = Observation("metrics", 1.0, 1.1, False)
    told = samples(4, 0, 6)

    assert counters.grown([told[0], broken, told[2]], "n") == Growth(2, Interval(0.0, 2.1), 2)


def test_another_process_began_at_zero() -> None:
    """Its count may be the old one's by chance: 4 and 4 are 4 more."""
    told = samples(4, 4, 5, start=(100.0, 200.0, 200.0))

    assert counters.grown(told, "n") == Growth(5, Interval(0.0, 1.1), 3)


def test_growth_in_a_window() -> None:
    """A rise that the first look in the window shows counts from the window's begin."""
    assert counters.grown(samples(1, 2, 3, 4), "n", 1.5, 2.5) == Growth(1, Interval(1.5, 2.1), 1)


@pytest.mark.parametrize(("count", "at"), [(1, Interval(0, 1.1)), (4, Interval(2, 3.1)), (9, None)])
def test_when_a_count_was_reached(count: float, at: Interval | None) -> None:
    """Between the last look below and the first at or above."""
    assert counters.reached(samples(0, 2, 3, 5), "n", count) == at


@given(st.lists(st.integers(0, 20), min_size=1), st.integers(0, 5))
def test_growth_is_what_was_counted(increments: list[int], at: int) -> None:
    """Of a counter that restarts anywhere, all that is counted is found but what the old process counted
    between the last look and its end."""
    values, now = [], 0
    for k, increment in enumerate([0, *increments]):
        now = increment if k == at else now + increment
        values.append(now)
    growth = counters.grown(samples(*values, start=tuple(float(k >= at) for k in range(len(values)))), "n")

    assert growth
    assert growth.total == sum(increments)
