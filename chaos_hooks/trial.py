"""A trial: one run of an exploration, with its schedule and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from reports.verdict import State
from shapes import schedule
from shapes.fault import Fault


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a schedule: ``how`` it came to be, its state (empty while it runs, or if it could not
    begin), and the criteria that failed."""

    scenario: str
    how: str
    faults: tuple[Fault, ...]
    run: str = ""
    state: str = ""
    convicted_by: tuple[str, ...] = ()

    def fails_as(self, other: Trial) -> bool:
        """Return whether it fails by a criterion that convicted the other: else it is another failure."""
        return self.state == State.FAIL and bool({*self.convicted_by} & {*other.convicted_by})


def told(faults: tuple[Fault, ...]) -> str:
    """Return a schedule in words, from the begin of its run."""
    return ", ".join(
        f"{f.name} {f.at_s:g} s to {schedule.ended_s(f):g} s" for f in schedule.from_start(faults)
    )
