"""What the live page draws: the run so far on one time axis, in the shape of `reports.chart.Chart`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gevent

from chaos_hooks.live_outcomes import LiveOutcomes
from chaos_hooks.live_run import LiveRun, Stage
from reports.history import Injection, Observation
from reports.lanes import VOUCHES_S
from reports.presentation import plain
from reports.signals import CLOSED, HALF_OPEN, METRICS, OPEN, READY

_LOOK_S = 0.2
_WORDS = {CLOSED: "closed", HALF_OPEN: "half-open", OPEN: "open"}
_GOING = (Stage.RUNNING, Stage.SETTLING, Stage.COLLECTING, Stage.JUDGING)


class LiveChart:
    """Gathers outcomes and states of the run that goes on; the next run begins a new one.

    Outcomes are read from the ledgers, on a master from its workers' too. Which of the acknowledged alerts
    were lost is known with the verdict. Whatever breaks in here costs the picture alone: ``problem`` says
    what, and the run goes on.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._run: LiveRun | None = None
        self._outcomes: LiveOutcomes | None = None
        self._told_to_the_end = False
        self._forget()

    def follow(self, current: Callable[[], LiveRun | None]) -> None:
        """Look at the current run for as long as the process lives."""
        while True:
            try:
                self._follow(current())
            except Exception as problem:  # noqa: BLE001 - a picture costs neither the run nor the next look
                self._broke(problem)
            gevent.sleep(_LOOK_S)

    def document(self) -> dict[str, Any] | None:
        """Return what is drawn; None before the first run."""
        run, outcomes = self._run, self._outcomes
        if run is None or outcomes is None:
            return None
        begins_s, phases = 0.0, []
        for phase in run.scenario.phases:
            phases.append((phase.name, begins_s, begins_s + phase.for_s))
            begins_s += phase.for_s
        return {
            **outcomes.document(),
            "lanes": [{"name": name, "spans": spans} for name, spans in self._lanes.items()],
            "bands": self._bands(run),
            "phases": phases,
            "recovered": [],
            "now_s": round(max(0.0, run.clock.now()), 2) if run.stage in _GOING else None,
        }

    @property
    def totals(self) -> dict[str, int]:
        """Return how many alerts each class holds so far."""
        return self._outcomes.totals if self._outcomes else {}

    def _forget(self) -> None:
        self.problem = ""
        self._told_to_the_end = False
        self._lanes: dict[str, list[tuple[float, float, str]]] = {}
        self._faults: dict[str, tuple[Injection, float | None]] = {}

    def _follow(self, run: LiveRun | None) -> None:
        if run is None or (run is self._run and self._told_to_the_end):
            return
        outcomes = self._of(run)
        # Asked first: what a run has written when it is over is all there is.
        over = run.is_over()
        if over or run.stage in _GOING:
            self._look(run)
            outcomes.read()
        if over:
            self._told_to_the_end = True
            verdict = run.result.verdict if run.result else None
            if verdict and (run.bench.folder / "truth.json").exists():
                outcomes.mark_lost(verdict.account.lost)

    def _of(self, run: LiveRun) -> LiveOutcomes:
        if run is not self._run:
            self._forget()
            self._run, self._outcomes = run, None
        if self._outcomes is None:
            self._outcomes = LiveOutcomes(run.bench.folder, run.scenario.alerts, run.bench.timeline.ends_s)
        return self._outcomes

    def _broke(self, problem: Exception) -> None:
        told = plain(f"the chart may stand still: {type(problem).__name__}: {problem}")
        if told != self.problem:
            self.problem = told
            print(f"alertstorm: {told}", file=sys.stderr)

    def _look(self, run: LiveRun) -> None:
        latest = run.bench.prober.latest if run.bench.prober else {}
        metrics, ready = latest.get(METRICS), latest.get(READY)
        for key, value in sorted((metrics.values if metrics and metrics.ok else {}).items()):
            if metrics and key.startswith("breaker."):
                self._saw(f"breaker {key.removeprefix('breaker.')}", metrics, _WORDS.get(value, "unknown"))
        if ready:
            self._saw("readiness", ready, "ready" if ready.ok else "not ready")
        active = run.bench.conductor.active if run.bench.conductor else {}
        for name, injection in list(active.items()):
            if injection.began:
                self._faults[name] = (injection, None)
        for name, (injection, ended_s) in self._faults.items():
            if name not in active and ended_s is None:
                self._faults[name] = (injection, run.clock.now())

    def _saw(self, lane: str, sample: Observation, state: str) -> None:
        spans = self._lanes.setdefault(lane, [])
        at_s = round(max(0.0, sample.answered_s), 2)
        if spans and at_s <= spans[-1][1]:
            return  # The same sample as at the last look.
        joined = bool(spans) and at_s - spans[-1][1] <= VOUCHES_S
        if joined:
            spans[-1] = (spans[-1][0], at_s, spans[-1][2])
        if not joined or spans[-1][2] != state:
            spans.append((at_s, at_s, state))

    def _bands(self, run: LiveRun) -> list[dict[str, Any]]:
        bands = []
        for fault in run.bench.timeline.scenario.faults:
            injection, ended_s = self._faults.get(fault.name, (None, None))
            seen, words = None, "to come"
            if injection and injection.began:
                now_s = ended_s if ended_s is not None else run.clock.now()
                seen = (round(injection.began.earliest_s, 2), round(now_s, 2))
                words = "on" if ended_s is None else "healed"
            asked = (fault.at_s, fault.at_s + fault.for_s)
            bit = injection.bit if injection else None
            bands.append({"name": fault.name, "asked": asked, "seen": seen, "bit": bit, "words": words})
        return bands
