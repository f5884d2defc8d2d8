"""A scenario laid out in time: elapsed seconds in, phase and faults out. It owns no clock."""

from __future__ import annotations

from dataclasses import dataclass

from shapes.scenario import Fault, Scenario


@dataclass(frozen=True, slots=True)
class Action:
    """What the Conductor does at ``at_s``: ``inject`` or ``heal`` the fault."""

    at_s: float
    verb: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Timeline:
    """The plan of one run, in seconds since the start.

    ::

        0          baseline       chaos            recovery      load_s   settle   ends_s
        |------------|--------------|------------------|------------|---------|
                     ^ inject       ^ heal
    """

    scenario: Scenario

    @property
    def load_s(self) -> float:
        """Return when the last phase ends."""
        return self.scenario.load_s

    @property
    def ends_s(self) -> float:
        """Return when the settling ends and the final read begins."""
        return self.scenario.load_s + self.scenario.settle_s

    def phase_at(self, elapsed_s: float) -> str:
        """Return the name of the phase at a time; ``settle`` after the load, ``before`` before it."""
        if elapsed_s < 0:
            return "before"
        begin_s = 0.0
        for phase in self.scenario.phases:
            begin_s += phase.for_s
            if elapsed_s < begin_s:
                return phase.name
        return "settle"

    def actions(self) -> tuple[Action, ...]:
        """Return what to do, in order of time; a heal comes before an inject at the same instant."""
        both = [
            action
            for fault in self.scenario.faults
            for action in (
                Action(fault.at_s, "inject", fault),
                Action(fault.at_s + fault.for_s, "heal", fault),
            )
        ]
        return tuple(sorted(both, key=lambda action: (action.at_s, action.verb != "heal")))
