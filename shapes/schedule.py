"""Random fault schedules: a seed in, overlapping faults out; the same seed gives the same ones."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from shapes.document import DocumentError
from shapes.fault import Fault
from shapes.phase import AlertRecipe, Phase
from shapes.scenario import Promise, Scenario

BASELINE_S, RECOVERY_S, SETTLE_S = 3.0, 5.0, 1.0
# The faults of a schedule begin and end within so long.
SPAN_S = 9.0
# A fault of the same dependency begins so long after the former one's end: to be seen to bite, it must find
# the dependency sound.
APART_S = 3.0
MOST_FAULTS = 4
_STEP_S = 0.5
_OVERLAP_S = 1.5
_RATE_PER_S = Fraction(20)
# What must hold whatever is broken, in whatever order.
_PROMISES = ("steady_state", "zero_loss", "no_duplicates", "no_unexpected", "safe_rejections")


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault that may be drawn: its injector with the options, and the dependency that it ``breaks``."""

    name: str
    inject: str
    breaks: str
    options: Mapping[str, Any] = field(default_factory=dict)
    least_s: float = 2.0
    most_s: float = 6.0


_REDIS = ["redis-0", "redis-1"]
KINDS = (
    Kind("redis-cut", "toxiproxy", "redis", {"proxy": _REDIS, "action": "partition"}),
    Kind("redis-refused", "toxiproxy", "redis", {"proxy": _REDIS, "action": "down"}),
    Kind("redis-full", "redis_config", "redis", {"policy": "noeviction"}),
    Kind("redis-primary-dead", "process", "redis", {"component": "redis-primary", "signal": "KILL"}, 3.0),
    Kind("api-throttled", "throttle", "kubernetes", {"resource": "remediationrequests", "status": 429}),
    Kind("api-failing", "throttle", "kubernetes", {"resource": "remediationrequests", "status": 503}),
    Kind("api-slow", "throttle", "kubernetes", {"resource": "remediationrequests", "delay_s": 0.4}),
    Kind("api-cut", "toxiproxy", "kubernetes", {"proxy": "kubernetes-api", "action": "partition"}),
    Kind("gateway-dead", "process", "gateway", {"component": "gateway", "restart_after_s": 1.0}),
    # Only a Gateway that runs shows that it took the offset, so the clock counts as the Gateway's.
    Kind("clock-ahead", "clock", "gateway", {"skew_s": 65.0}),
)
# Where the machine can, every other cut of a proxy's is one in the kernel, at the same times: in nothing else
# do a seed's schedules differ between machines.
IN_KERNEL = {
    "redis-cut": Kind("redis-dropped", "netns", "redis", {"proxy": _REDIS}),
    "api-cut": Kind("api-dropped", "netns", "kubernetes", {"proxy": "kubernetes-api"}),
}
_NAMESPACE = "--network namespace"


def at_hand(injectors: Collection[str]) -> tuple[Kind, ...]:
    """Return the kinds whose injector there is."""
    return tuple(kind for kind in KINDS if kind.inject in injectors)


def compose(
    seed: int, number: int, kinds: Iterable[Kind] = KINDS, *, in_kernel: bool = False
) -> tuple[Fault, ...]:
    """Return the faults of one schedule, by their begin: two to four, of which at least two overlap.

    Faults of the same dependency never overlap: the second could not be seen to bite. ``in_kernel`` tells
    that packets can be dropped there, see `IN_KERNEL`.

    Raises:
        DocumentError: if all kinds break the same dependency.
    """
    known = tuple(kinds)
    if len({kind.breaks for kind in known}) < 2:
        raise DocumentError(
            "--chaos-explore: needs injectors for two dependencies; there are too few at hand"
        )
    chance = random.Random(f"alertstorm schedule {seed} {number}")
    while True:
        wanted = min(chance.randint(2, MOST_FAULTS), len(known))
        faults = tuple(sorted((_drawn(chance, kind) for kind in chance.sample(known, wanted)), key=_by_begin))
        if _fit(faults, known) and any(
            overlap_s(a, b) >= _OVERLAP_S for a in faults for b in faults if a != b
        ):
            return _dropped(seed, number, faults) if in_kernel else faults


def scenario_of(name: str, seed: int, faults: tuple[Fault, ...], pace: str = "quick") -> Scenario:
    """Return the scenario that runs a schedule: a baseline, the faults, and time to recover, under load.

    The schedule is moved so that its first fault begins right after the baseline.
    """
    moved = from_start(faults)
    ends_s = max(ended_s(fault) for fault in moved)
    alert = AlertRecipe(repeat=0.2)
    spans = (("baseline", BASELINE_S), ("chaos", round(ends_s - BASELINE_S, 3)), ("recovery", RECOVERY_S))
    return Scenario(
        name=name,
        title=f"{' and '.join(fault.name for fault in moved)}, as seed {seed} drew them",
        target="sandbox",
        pace=pace,
        seed=seed,
        alert=alert,
        phases=tuple(Phase(phase, "steady", _RATE_PER_S, for_s) for phase, for_s in spans),
        settle_s=SETTLE_S,
        start_args=_NAMESPACE if any(fault.inject == "netns" for fault in moved) else "",
        faults=moved,
        promises=tuple(Promise(promise, {}, "--chaos-explore") for promise in _PROMISES),
    )


def from_start(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return the faults by their begin, moved so that the first one begins right after the baseline."""
    first_s = min(fault.at_s for fault in faults)
    moved = (replace(fault, at_s=round(fault.at_s - first_s + BASELINE_S, 3)) for fault in faults)
    return tuple(sorted(moved, key=_by_begin))


def ended_s(fault: Fault) -> float:
    """Return when a fault ends, in seconds since the start."""
    return round(fault.at_s + fault.for_s, 3)


def overlap_s(one: Fault, other: Fault) -> float:
    """Return for how long both are on; 0 if never."""
    return max(0.0, round(min(ended_s(one), ended_s(other)) - max(one.at_s, other.at_s), 3))


def _drawn(chance: random.Random, kind: Kind) -> Fault:
    steps = int((kind.most_s - kind.least_s) / _STEP_S)
    for_s = kind.least_s + _STEP_S * chance.randint(0, steps)
    at_s = BASELINE_S + _STEP_S * chance.randint(0, int((SPAN_S - for_s) / _STEP_S))
    return Fault(kind.name, kind.inject, at_s, for_s, dict(kind.options))


def _dropped(seed: int, number: int, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    chance = random.Random(f"alertstorm kernel {seed} {number}")
    changed = [IN_KERNEL.get(fault.name) if chance.random() < 0.5 else None for fault in faults]
    found = (
        replace(fault, name=kind.name, inject=kind.inject, options=dict(kind.options)) if kind else fault
        for fault, kind in zip(faults, changed, strict=True)
    )
    return tuple(sorted(found, key=_by_begin))


def _fit(faults: tuple[Fault, ...], kinds: tuple[Kind, ...]) -> bool:
    breaks = {kind.name: kind.breaks for kind in kinds}
    return all(
        breaks[a.name] != breaks[b.name] or b.at_s >= ended_s(a) + APART_S
        for index, a in enumerate(faults)
        for b in faults[index + 1 :]
    )


def _by_begin(fault: Fault) -> tuple[float, str]:
    return fault.at_s, fault.name
