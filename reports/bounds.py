"""Bounds in words: one from above is rounded up, one from below down, so that the words never claim more."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

_SMALL = 0.001  # Below this two digits are told, so that a small share is not shown as zero.


def at_most(share: float, places: int = 2) -> str:
    """Return a share, 0 to 1, in per cent, rounded up."""
    percent = Decimal(repr(share)) * 100
    if 0 < share < _SMALL:
        places = 1 - percent.adjusted()
    rounded = percent.quantize(Decimal(1).scaleb(-places), ROUND_CEILING)
    return f"{rounded.normalize() if 0 < share < _SMALL else rounded:f}%"


def at_least(value: float, places: int = 2) -> str:
    """Return a number, rounded down; but 0.1 less the noise of its last binary digits is 0.1."""
    return f"{Decimal(repr(round(value, 9))).quantize(Decimal(1).scaleb(-places), ROUND_FLOOR):f}"
