"""What an exploration draws from the injectors at hand, and whether it can be had at all."""

from __future__ import annotations

from chaos_hooks import injection
from chaos_hooks.errors import SetupError
from chaos_hooks.options import Options
from shapes import schedule, units
from shapes.document import DocumentError
from shapes.fault import Fault
from shapes.scenario import Scenario
from shapes.target import Target
from shapes.units import UnitError

_MOST_RUNS = 500


def first(asked: Options, target: Target) -> Scenario:
    """Return the first schedule that an exploration would run, after a check of all that it was asked for.

    Raises:
        SetupError, DocumentError: naming the option and the mend.
    """
    for flag, value in (
        ("scenario", asked.scenario),
        ("pattern", asked.pattern),
        ("target-url", asked.target_url),
    ):
        if value:
            raise SetupError(f"--chaos-{flag}: {value!r} stands beside --chaos-explore; give one of them")
    if asked.no_faults:
        raise SetupError("--chaos-no-faults: leaves an exploration nothing to find; leave one of them out")
    if asked.pace != "quick":
        raise SetupError("--chaos-pace: an exploration has timings of its own; leave it out")
    if target.start is None:
        raise SetupError(f"--chaos-explore: target {target.name} starts no sandbox; leave --chaos-target out")
    if not 1 <= asked.explore_runs <= _MOST_RUNS:
        raise SetupError(f"--chaos-explore-runs: {asked.explore_runs} is not from 1 to {_MOST_RUNS}")
    try:
        units.duration_s(asked.explore_for)
    except UnitError as problem:
        raise DocumentError(f"--chaos-explore-for: {problem}") from None
    faults = faults_of(asked.explore, 0, kernel_lacks(target))
    return scenario_of(asked, f"explore-{asked.explore}-0", faults)


def kernel_lacks(target: Target) -> str:
    """Return why no packets can be dropped in the kernel here; empty if they can."""
    return injection.lacks("netns", target.endpoints)


def faults_of(seed: int, number: int, left_out: str) -> tuple[Fault, ...]:
    """Return the faults of one schedule, from the injectors at hand.

    Raises:
        DocumentError: if those break one dependency only.
    """
    return schedule.compose(seed, number, schedule.at_hand(injection.names()), in_kernel=not left_out)


def scenario_of(asked: Options, name: str, faults: tuple[Fault, ...]) -> Scenario:
    """Return the scenario that runs a schedule."""
    return schedule.scenario_of(name, asked.seed if asked.seed >= 0 else asked.explore, faults)
