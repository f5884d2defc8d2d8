"""What Prometheus answered to range queries over a run: series of points, with what is missing in them."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: its labels in words, and (seconds since the start, value) at each step at which Prometheus
    knew it; the value is None where it is no number. ``gaps`` are the stretches in which it did not."""

    labels: str
    points: tuple[Point, ...]
    gaps: tuple[tuple[float, float], ...] = ()

    @property
    def words(self) -> str:
        """Return least, most and last value, and what is missing."""
        known = [v for _, v in self.points if v is not None]
        if not known:
            return "no number in it"
        told = f"{min(known):.4g} to {max(known):.4g}, at the end {known[-1]:.4g}; {len(known)} points"
        spans = ", ".join(f"{a:.0f} s to {b:.0f} s" for a, b in self.gaps[:3])
        more = f" and {len(self.gaps) - 3} more" if len(self.gaps) > 3 else ""
        return f"{told}, none in {spans}{more}" if self.gaps else told


@dataclass(frozen=True, slots=True)
class Series:
    """One query and its answer; ``error`` says why there is none; ``left_out`` curves were too many."""

    name: str
    promql: str
    curves: tuple[Curve, ...] = ()
    error: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Ranges:
    """All that was asked, of whom, and over which window in seconds since the start; ``error`` says why
    nobody was asked."""

    source: str = ""
    from_s: float = 0.0
    to_s: float = 0.0
    step_s: float = 1.0
    series: tuple[Series, ...] = ()
    error: str = ""
