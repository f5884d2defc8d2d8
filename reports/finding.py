"""What one criterion says of a run: PASS, FAIL or UNKNOWN, with what was wanted, what was got, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reports.interval import Interval


class Status(StrEnum):
    """Three answers, not two: what cannot be decided is never a pass."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Finding:
    """A criterion's answer. ``samples`` is how much it rests on; ``numbers`` are the figures behind ``got``;
    ``examples`` are a few offenders; ``mend`` says what to change so that an UNKNOWN can be decided.

    ``assumption``: unless it passes, the run is INVALID. ``conclusive``: a FAIL stands, whatever else
    is missing.
    """

    status: Status
    wanted: str
    got: str
    samples: int
    examples: tuple[str, ...] = ()
    mend: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    criterion: str = ""
    promise: str = ""
    assumption: bool = False
    conclusive: bool = False

    def __post_init__(self) -> None:
        """Refuse a PASS that rests on no sample: missing data never passes."""
        if self.status is Status.PASS and self.samples <= 0:
            raise ValueError(f"a PASS that rests on {self.samples} samples: {self.wanted}")

    def named(self, criterion: str, promise: str, *, assumption: bool, conclusive: bool) -> Finding:
        """Return it with the name and promise of the criterion that found it."""
        return replace(
            self, criterion=criterion, promise=promise, assumption=assumption, conclusive=conclusive
        )


def passed(wanted: str, got: str, samples: int, numbers: Mapping[str, float] | None = None) -> Finding:
    """Return a PASS.

    Raises:
        ValueError: if it rests on no sample: missing data never passes.
    """
    return Finding(Status.PASS, wanted, got, samples, numbers=numbers or {})


def failed(
    wanted: str,
    got: str,
    samples: int,
    examples: Iterable[str] = (),
    numbers: Mapping[str, float] | None = None,
) -> Finding:
    """Return a FAIL with a few offenders."""
    return Finding(Status.FAIL, wanted, got, samples, tuple(examples), numbers=numbers or {})


def unknown(
    wanted: str,
    got: str,
    samples: int,
    mend: str,
    examples: Iterable[str] = (),
    numbers: Mapping[str, float] | None = None,
) -> Finding:
    """Return an UNKNOWN, with what to change so that it can be decided."""
    return Finding(Status.UNKNOWN, wanted, got, samples, tuple(examples), mend, numbers or {})


def within(limit_s: float, took: Interval, what: str, samples: int) -> Finding:
    """Judge a duration known as an interval: PASS if its latest is within the limit, FAIL if even its
    earliest is not, else UNKNOWN: too close to call."""
    wanted = f"{what} within {limit_s:g} s"
    numbers = {"earliest_s": took.earliest_s, "latest_s": took.latest_s, "limit_s": limit_s}
    if took.latest_s <= limit_s:
        return passed(wanted, f"in {took}", samples, numbers)
    if took.earliest_s > limit_s:
        return failed(wanted, f"in {took}", samples, numbers=numbers)
    mend = f"too close to call: the error is ±{took.error_s:.2f} s; probe more often, or run again"
    return unknown(wanted, f"in {took}", samples, mend, numbers=numbers)
