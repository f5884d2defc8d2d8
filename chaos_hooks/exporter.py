"""This tool's own metrics, in Prometheus's format, read from the run that goes on when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from locust.env import Environment
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from chaos_hooks.live_run import LiveRun, Stage
from chaos_hooks.locust_stats import METHOD, NAME
from chaos_hooks.session import Session
from reports.signals import METRICS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Exporter(Collector):
    """Counters begin again at zero with each run, as after a restart. They tell where to look; what was lost
    is told by a run's report alone."""

    def __init__(self, environment: Environment, session: Session) -> None:
        self._environment = environment
        self._session = session
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the metrics as they are now."""
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: there may be no run."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield each metric of the current run; without one only that there is none."""
        run = self._session.run
        busy = run is not None and not run.is_over()
        yield GaugeMetricFamily("alertstorm_run_active", "1 while a run goes on", value=float(busy))
        yield self._answers()
        if run is not None:
            yield from _of_run(run)

    def _answers(self) -> Metric:
        """Return the times of the POSTs, from when they were due, as Locust's statistics have them."""
        entry = self._environment.stats.get(NAME, METHOD)
        times_ms = dict(entry.response_times)
        buckets = [
            (f"{b:g}", float(sum(n for ms, n in times_ms.items() if ms <= b * 1000))) for b in _BOUNDS_S
        ]
        buckets.append(("+Inf", float(sum(times_ms.values()))))
        found = HistogramMetricFamily("alertstorm_answer_seconds", "From the due time of a POST to its end")
        found.add_metric([], buckets, sum_value=entry.total_response_time / 1000)
        return found


def _of_run(run: LiveRun) -> Iterator[Metric]:
    scenario, bench = run.scenario, run.bench
    info = GaugeMetricFamily("alertstorm_run_info", "The run", labels=["run_id", "scenario", "pace"])
    info.add_metric([bench.run_id, scenario.name, scenario.pace], 1.0)
    yield info
    phase = GaugeMetricFamily("alertstorm_phase", "1 for where the run is", labels=["phase"])
    at = bench.timeline.phase_at(run.clock.now()) if run.stage is Stage.RUNNING else run.stage.value
    phase.add_metric([at], 1.0)
    yield phase
    yield GaugeMetricFamily("alertstorm_alerts_planned", "Alerts of the plan", value=float(scenario.alerts))
    if bench.ledger:
        yield CounterMetricFamily(
            "alertstorm_alerts_begun", "Alerts taken up", value=float(bench.ledger.begun)
        )
        ended = CounterMetricFamily("alertstorm_alerts", "Alerts ended, by outcome", labels=["outcome"])
        for outcome, count in bench.ledger.counts.items():
            ended.add_metric([outcome.value], float(count))
        yield ended
        in_flight = float(bench.ledger.in_flight)
        yield GaugeMetricFamily("alertstorm_alerts_in_flight", "Alerts without an outcome", value=in_flight)
    yield _faults(run)
    yield from _probes(run)


def _faults(run: LiveRun) -> Metric:
    found = GaugeMetricFamily("alertstorm_fault_active", "1 while it is on", labels=["fault", "injector"])
    active: Any = run.bench.conductor.active if run.bench.conductor else {}
    for fault in run.scenario.faults:
        # One that could not be healed stays in there, whether the run goes on or not.
        found.add_metric([fault.name, fault.inject], float(fault.name in active))
    return found


def _probes(run: LiveRun) -> Iterator[Metric]:
    latest = run.bench.prober.latest if run.bench.prober else {}
    answers = GaugeMetricFamily("alertstorm_probe_ok", "1 if its last answer was good", labels=["probe"])
    for name, observation in sorted(latest.items()):
        answers.add_metric([name], float(observation.ok))
    yield answers
    breakers = GaugeMetricFamily(
        "alertstorm_breaker_state", "0 closed, 1 half-open, 2 open, as last seen", labels=["component"]
    )
    for key, value in (latest[METRICS].values if METRICS in latest else {}).items():
        if key.startswith("breaker."):
            breakers.add_metric([key.removeprefix("breaker.")], value)
    yield breakers
