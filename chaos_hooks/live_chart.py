"""What the live page draws: the run so far on one time axis, in the shape of `reports.chart.Chart`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gevent

from chaos_hooks.live_run import LiveRun, Stage
from reports.chart import CLASSES, MOST_BUCKETS
from reports.history import Injection, Observation, Outcome
from reports.lanes import VOUCHES_S
from reports.signals import CLOSED, HALF_OPEN, METRICS, OPEN, READY

_LOOK_S = 0.2
_WORDS = {CLOSED: "closed", HALF_OPEN: "half-open", OPEN: "open"}
_CLASSES = {
    Outcome.ACKED: "acked",
    Outcome.REJECTED: "safe",  # The page's legend says that it stands for every refusal.
    Outcome.INDETERMINATE: "indeterminate",
    Outcome.UNSENT: "unsent",
}
_GOING = (Stage.RUNNING, Stage.SETTLING, Stage.COLLECTING, Stage.JUDGING)


class LiveChart:
    """Gathers answers and states of the run that goes on; the next run begins a new one.

    It counts alerts by the second in which their outcome was written down, on a master too. Which of them
    were refused safely, how long they took and which were lost is known at the end, and is in the report.
    """

    def __init__(self) -> None:
        self._run: LiveRun | None = None
        self._forget()

    def follow(self, current: Callable[[], LiveRun | None]) -> None:
        """Look at the current run's states for as long as the process lives."""
        while True:
            run = current()
            if run and run.stage in _GOING:
                self._of(run)
                self._look(run)
            gevent.sleep(_LOOK_S)

    def document(self) -> dict[str, Any] | None:
        """Return what is drawn; None before the first run."""
        run = self._run
        if run is None:
            return None
        buckets = int(self._end_s // self._bucket_s) + 1
        rates = {
            name: [round(self._counts[name].get(k, 0) / self._bucket_s, 3) for k in range(buckets)]
            for name in CLASSES
        }
        nothing: dict[str, list[float]] = {"at_ms": [], "took_ms": []}
        begins_s, phases = 0.0, []
        for phase in run.scenario.phases:
            phases.append((phase.name, begins_s, begins_s + phase.for_s))
            begins_s += phase.for_s
        return {
            "end_s": self._end_s,
            "bucket_s": self._bucket_s,
            "rates": rates,
            "points": dict.fromkeys(CLASSES, nothing),
            "latency": False,
            "lanes": [{"name": name, "spans": spans} for name, spans in self._lanes.items()],
            "bands": self._bands(run),
            "phases": phases,
            "recovered": [],
            "lost_ms": [],
            "now_s": None if run.is_over() else round(max(0.0, run.clock.now()), 2),
        }

    def _forget(self) -> None:
        self._counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._lanes: dict[str, list[tuple[float, float, str]]] = {}
        self._faults: dict[str, tuple[Injection, float | None]] = {}
        self._counted: dict[str, int] = {}
        self._end_s = self._bucket_s = 1.0

    def _of(self, run: LiveRun) -> None:
        if run is self._run:
            return
        self._run = run
        self._forget()
        self._end_s = max(1.0, run.bench.timeline.ends_s)
        self._bucket_s = float(max(1, math.ceil(self._end_s / MOST_BUCKETS)))

    def _look(self, run: LiveRun) -> None:
        bucket = max(0, int(run.clock.now() // self._bucket_s))
        for outcome, count in dict(run.bench.ledger.counts if run.bench.ledger else {}).items():
            name = _CLASSES[outcome]
            # An alert that is tried again may leave an outcome; it was answered in its second all the same.
            self._counts[name][bucket] += max(0, count - self._counted.get(name, 0))
            self._counted[name] = count
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
