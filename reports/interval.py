"""A time that is known only to lie between two readings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """An instant or a duration, in seconds, that lies in [earliest_s, latest_s]."""

    earliest_s: float
    latest_s: float

    def since(self, begin: Interval) -> Interval:
        """Return the duration from another instant to this one, with both errors in it, never below zero."""
        return Interval(
            max(0.0, self.earliest_s - begin.latest_s),
            max(0.0, self.latest_s - begin.earliest_s),
        )

    @property
    def error_s(self) -> float:
        """Return half the width: the error to either side of the middle."""
        return (self.latest_s - self.earliest_s) / 2

    def __str__(self) -> str:
        return f"[{self.earliest_s:.2f} s, {self.latest_s:.2f} s]"
