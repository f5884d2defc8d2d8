"""What is told of a bound never claims more than is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.bounds import at_least, at_most


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.00342, "0.35%"),
        (0.0034, "0.34%"),
        (0.003401, "0.35%"),
        (0.00100001, "0.11%"),
        (0.000998, "0.1%"),
        (0.000299573, "0.03%"),
        (0.0000029957, "0.0003%"),
        (0.95, "95.00%"),
        (0.99991, "100.00%"),
        (0.0, "0.00%"),
    ],
)
def test_a_bound_from_above_is_rounded_up(share: float, words: str) -> None:
    assert at_most(share) == words


def test_the_bound_of_875_alerts() -> None:
    """Its share is 0.3418 %."""
    assert (at_most(1 - 0.05 ** (1 / 875)), at_most(1 - 0.05 ** (1 / 875), 3)) == ("0.35%", "0.342%")


@given(st.floats(1e-9, 1.0))
def test_what_is_told_is_never_below(share: float) -> None:
    assert float(at_most(share).rstrip("%")) >= share * 100 * (1 - 1e-12)


@pytest.mark.parametrize(
    ("value", "words"), [(1.239, "1.23"), (1.23, "1.23"), (1.0 - 0.9, "0.10"), (0.004, "0.00"), (2.0, "2.00")]
)
def test_a_bound_from_below_is_rounded_down(value: float, words: str) -> None:
    assert at_least(value) == words
