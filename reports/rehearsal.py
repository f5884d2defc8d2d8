"""What could never be decided of a scenario against a target: its criteria asked of a made-up run.

The run is judged twice by the judge himself: once as if all could be seen, and once with what the target
shows. A criterion that is UNKNOWN only then lacks what the target does not show, and says what. So there is
no second list of what needs what.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from reports import signals, verdict
from reports.finding import Finding, Status
from reports.history import Asked, Attempt, History, Injection, Observation, Outcome, PhaseSpan, Resource, Run
from reports.interval import Interval
from reports.log import Log, LogLine
from shapes import load
from shapes.fault import Fault
from shapes.scenario import Scenario
from shapes.target import Endpoints, Target

_MOST_ALERTS = 20_000
_EVERY_S = 0.2
_BITES_S = 0.05
# Gauges, by the begin of their key; a state is open while a fault is on, and all else counts up.
_GAUGES = {"redis_pool.max": 10.0, "redis_pool.active": 1.0, "buffer.size": 1.0, "k8s_queue": 1.0}
_STATE, _START = "breaker.", "process_start"
# What a page lists by itself: of metrics that are told apart by a label some of its values.
_LISTED = (
    *(f"{_STATE}{component}" for component in ("redis", "kubernetes")),
    *(f"redis_errors.{kind}" for kind in ("timeout", "connection")),
    *(f"k8s_backoff.{bound}" for bound in ("1", "2", "4", "8", "16", "32", "inf")),
    *(f"update_backoff.{step}" for step in ("0.05", "0.1", "0.2")),
)

Sees = Callable[[str], bool]


def undecidable(scenario: Scenario, target: Target, endpoints: Endpoints) -> list[Finding]:
    """Return the findings that would be UNKNOWN whatever happens, with what lacks and the mend."""
    whole = _history(scenario, target, {}, lambda _: True, _components(scenario))
    shown = _history(scenario, target, target.undecidable, *_shown(scenario, target, endpoints))
    found = []
    for asked in shown.run.promises:
        seen, ideal = verdict.ask(shown, asked), verdict.ask(whole, asked)
        if seen.status is Status.UNKNOWN and (ideal.status is not Status.UNKNOWN or seen.got != ideal.got):
            found.append(seen)
    return found


def _shown(scenario: Scenario, target: Target, endpoints: Endpoints) -> tuple[Sees, Mapping[str, bool]]:
    """Return which probes and metrics there would be; and the components, with whether ends are told."""
    probes = {signals.METRICS, signals.READY}
    components: dict[str, bool] = {}
    if target.start or endpoints.control_url:
        components = dict(_components(scenario))
    elif endpoints.kubeconfig and endpoints.pods_namespace:
        components = dict.fromkeys(endpoints.pods, False)
    if target.start or endpoints.sentinels:
        probes.add(signals.SENTINEL)
    if components:
        probes.add(signals.COMPONENTS)

    def sees(what: str) -> bool:
        stem, _, _ = what.rpartition(".")
        return (
            what in probes
            or what in target.metrics
            or (stem in target.metrics and bool(target.metrics[stem].by))
        )

    return sees, components


def _components(scenario: Scenario) -> dict[str, bool]:
    named = {str(fault.options.get("component", "")) for fault in scenario.faults} - {""}
    return dict.fromkeys({"gateway", "redis-primary", "redis-0", *named}, True)


def _history(
    scenario: Scenario, target: Target, lacks: Mapping[str, str], sees: Sees, components: Mapping[str, bool]
) -> History:
    attempts = list(_attempts(scenario))
    firsts = {a.subject: a for a in reversed(attempts) if a.outcome is Outcome.ACKED}
    counts = Counter(a.subject for a in attempts)
    resources = tuple(
        Resource(f"rr-{n}", f"uid-{n}", a.number, n, (), counts[n], "w", (), ()) for n, a in firsts.items()
    )
    return History(
        run=_run(scenario, target, lacks),
        attempts=attempts,
        injections=tuple(_injection(fault) for fault in scenario.faults),
        observations=tuple(_observations(scenario, sees, components)),
        resources=resources,
        stable=True,
        sealed=True,
        ended="completed",
        logs=tuple(_logs(scenario, components)),
    )


def _run(scenario: Scenario, target: Target, lacks: Mapping[str, str]) -> Run:
    ends_s = list(itertools.accumulate(phase.for_s for phase in scenario.phases))
    spans = [
        PhaseSpan(phase.name, end_s - phase.for_s, end_s, phase.pattern)
        for phase, end_s in zip(scenario.phases, ends_s, strict=True)
    ]
    return Run(
        run_id="", token="", scenario=scenario.name, title="", pace=scenario.pace, target=target.name,
        started_at="", seed=scenario.seed, planned=scenario.alerts, faults_planned=len(scenario.faults),
        faults_disabled=False, phases=tuple(spans),
        promises=tuple(Asked(p.criterion, p.options) for p in scenario.promises), undecidable=lacks,
    )  # fmt: skip


def _attempts(scenario: Scenario) -> Iterator[Attempt]:
    seen: set[int] = set()
    disturbed = sorted(fault.at_s + _BITES_S for fault in scenario.faults)
    for planned in itertools.islice(load.plan(scenario), _MOST_ALERTS):
        due_s = float(planned.due_s)
        kind = "duplicate" if planned.subject in seen else "created"
        seen.add(planned.subject)
        ended = (Outcome.REJECTED, "safe", 400) if planned.unusable else (Outcome.ACKED, kind, 201)
        if disturbed and due_s >= disturbed[0]:  # Each fault is felt by one, or nothing would recover.
            ended = (Outcome.REJECTED, "safe", 503)
            del disturbed[0]
        yield Attempt(
            planned.number, planned.subject, planned.phase, due_s, ended[0], ended[1],
            due_s + 0.001, due_s + 0.002, due_s + 0.02, ended[2], volley=planned.volley,
        )  # fmt: skip


def _injection(fault: Fault) -> Injection:
    began = Interval(fault.at_s, fault.at_s + _BITES_S)
    ended = Interval(fault.at_s + fault.for_s, fault.at_s + fault.for_s + _BITES_S)
    return Injection(fault.name, fault.inject, fault.at_s, fault.for_s, began, ended, True, ("made up",))


def _observations(scenario: Scenario, sees: Sees, components: Mapping[str, bool]) -> Iterator[Observation]:
    end_s = sum(phase.for_s for phase in scenario.phases) + scenario.settle_s
    for step in range(-5, round(end_s / _EVERY_S) + 1):
        at_s = step * _EVERY_S
        values: dict[str, Mapping[str, float]] = {
            signals.METRICS: _Page(sees, at_s, _on(scenario, at_s)),
            signals.READY: {},
            signals.SENTINEL: {f"primary:{'b' if _on(scenario, at_s) else 'a'}": 1.0},
            signals.COMPONENTS: _of_components(components, _on(scenario, at_s)),
        }
        for probe, seen in values.items():
            if sees(probe):
                yield Observation(probe, at_s, at_s + 0.01, True, seen)


def _of_components(components: Mapping[str, bool], on: bool) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, told in components.items():
        values |= {f"running:{name}": 1.0, f"starts:{name}": 1.0, f"exits:{name}": 0.0}
        values[f"killed:{name}"] = float(on and told and name != "gateway")
        values[f"pid:{name}"] = 2.0 if on else 1.0
    return values


def _on(scenario: Scenario, at_s: float) -> bool:
    return any(fault.at_s + 0.4 <= at_s < fault.at_s + fault.for_s + 0.4 for fault in scenario.faults)


def _logs(scenario: Scenario, components: Mapping[str, bool]) -> Iterator[Log]:
    wanted = {
        str(p.options.get("component", "gateway")): str(p.options.get("contains", ""))
        for p in scenario.promises
        if p.criterion == "logs_alive"
    }
    end_s = sum(phase.for_s for phase in scenario.phases)
    for name in components:
        texts = [
            (step * _EVERY_S, f"made up {wanted.get(name, '')}") for step in range(round(end_s / _EVERY_S))
        ]
        yield Log(name, tuple(LogLine(at_s, text) for at_s, text in texts))


class _Page(Mapping[str, float]):
    """A page of metrics that holds whatever may be seen, at one time."""

    def __init__(self, sees: Sees, at_s: float, on: bool) -> None:
        self._sees = sees
        self._at_s = at_s
        self._on = on

    def __getitem__(self, key: str) -> float:
        if not self._sees(key):
            raise KeyError(key)
        if key.startswith(_STATE):
            return signals.OPEN if self._on else signals.CLOSED
        return 1.0 if key == _START else _GAUGES.get(key, max(0.0, self._at_s // 1.0))

    def __iter__(self) -> Iterator[str]:
        return iter([key for key in _LISTED if self._sees(key)])

    def __len__(self) -> int:
        return len(list(iter(self)))
