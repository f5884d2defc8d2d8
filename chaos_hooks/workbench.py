"""The parts of one live run, made in order, so that each can be ended whatever became of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chaos_hooks import (
    description,
    emission,
    guarding,
    injection,
    ledger,
    preflight,
    probes,
    promql,
    range_queries,
    replica_probes,
    snapshot,
    stop_watch,
    target_process,
    traceparent,
)
from chaos_hooks.clock import RunClock
from chaos_hooks.conductor import Conductor
from chaos_hooks.delivery import Told
from chaos_hooks.emitter import Emitter
from chaos_hooks.fleet import Fleet
from chaos_hooks.fleet_emitter import FleetEmitter
from chaos_hooks.followers import Followers
from chaos_hooks.injection import Injector
from chaos_hooks.journal import Journal
from chaos_hooks.ledger import Ledger
from chaos_hooks.line_file import LineFile
from chaos_hooks.messaging import Messaging
from chaos_hooks.options import Options
from chaos_hooks.sender import Sender
from chaos_hooks.target_process import TargetProcess
from chaos_hooks.truth import Truth
from chaos_hooks.usage import Usage
from reports import folder as run_folder
from shapes.alerts import Naming
from shapes.scenario import Scenario
from shapes.target import Target
from shapes.timeline import Timeline


class Workbench:
    """Everything that a run opens, starts or injects. ``began`` tells that there is something to judge."""

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        options: Options,
        clock: RunClock,
        say: Callable[[str], None],
        told: Told,
        fail: Callable[[BaseException], None],
        fleet: Fleet | None = None,
    ) -> None:
        self.scenario = scenario
        self.timeline = Timeline(scenario)
        storms = frozenset(p.family(scenario.alert) for p in scenario.phases if p.distinct)
        self.naming = Naming(description.token(), target.alerts, storms)
        self.began = False
        self.ledger: Ledger | None = None
        self.tally: Ledger | FleetEmitter | None = None  # Who counts the alerts.
        self.emitter: Emitter | FleetEmitter | None = None
        self.conductor: Conductor | None = None
        self.prober: probes.Prober | None = None
        self._target = target
        self._options = options
        self._clock = clock
        self._say = say
        self._told = told
        self._fail = fail
        self._fleet = fleet
        self._process: TargetProcess | None = None
        self._truth: Truth | None = None
        self._sender: Sender | None = None
        self._injectors: dict[str, Injector] = {}
        self._files: list[LineFile | Journal] = []
        self._endpoints = target.endpoints
        self._facts: dict[str, str] = {}
        self._prometheus: promql.Prometheus | None = None
        self._messaging = Messaging(scenario, self.naming, clock, say)
        self._followers: Followers | None = None
        self.run_id = description.run_id(scenario, self.naming)
        self.folder = Path(options.runs_dir) / self.run_id

    def prepare(self) -> None:
        """Start the target and check all that can be checked before the first alert.

        Raises:
            SetupError: with one sentence; nothing was sent.
        """
        preflight.check_scenario(self.scenario, injection.names())
        description.make_folder(self.folder)
        if self._target.start and not self._options.target_url:
            more = target_process.arguments(
                self.scenario, self._options, self.folder, self._messaging.relay_url()
            )
            self._process = target_process.begun(self._target, more, self.folder, self._say)
            self._endpoints, self._facts = self._process.announced(self._target, self._say)
        self._endpoints = preflight.complete(self._endpoints, self._target, self._options, self.run_id)
        preflight.guard(self._endpoints, self._options, self._target.allow)
        if not self._process:
            guarding.check(self._target, self._endpoints)
        for told in preflight.answers(self._endpoints):
            self._say(told)
        self._truth = Truth(self._endpoints, self._target.resources, self.scenario)
        preflight.readable(self._truth)
        self._prometheus = promql.connect(self._options.prometheus_url, self._endpoints, self._say)
        self._facts |= self._messaging.connect(self._endpoints) | traceparent.facts(
            self._options, between=bool(self.scenario.through)
        )
        for told in preflight.sweep(self.folder.parent, self._endpoints, self._clock):
            self._say(told)
        if not self._options.no_faults:
            self._injectors = preflight.load_injectors(self.scenario, self._endpoints, self._clock)
        stop_watch.check(self.scenario, self._questions())
        self._open()
        self.keep_metrics("baseline")

    def begin(self) -> None:
        """Start the probes and write down what is to be done; the next thing is the first alert."""
        assert self.prober
        told = {**self._facts, "queries": promql.source(self._prometheus)}
        run = description.describe(self.run_id, self.scenario, self._target, self._options, self.naming, told)
        run_folder.write_run(self.folder, self._clock.placed(run))
        self.began = True
        self._usage = Usage()
        description.point_latest(self.folder)
        replica_probes.begin(self.prober, self._questions(), self._endpoints, self._target)
        if self._truth:
            self._followers = Followers(self._truth, self.naming, self._endpoints, self.folder)

    def _questions(self) -> dict[str, probes.Question]:
        found = probes.questions(self._target, self._endpoints) | self._messaging.questions()
        wanted = any(each.probe == "prometheus" for each in self.scenario.stop_when)
        return found | (promql.question(self._prometheus) if wanted else {})

    def watch(self, stop: Callable[[str], None]) -> None:
        """Call ``stop`` when a stop condition of the scenario is broken."""
        if self.tally and self.prober and self.scenario.stop_when:
            stop_watch.watch(self.scenario, self._clock, self.tally, self.prober, stop)

    def conduct(self) -> None:
        """Inject and heal on time; return after the last heal."""
        if self.conductor and not self._options.no_faults:
            self.conductor.run()

    def heal(self) -> None:
        """Send no more, and end every fault that is still on."""
        if self.emitter:
            self.emitter.stop()
        if self.conductor:
            self.conductor.heal_all()

    def drain(self) -> None:
        """Wait until what is to be sent again was taken or given up, and for the answers in flight, as long
        as one may take."""
        if self.emitter:
            self.emitter.finish()
            self.emitter.stop()
            self.emitter.drain(self._target.connect_timeout_s + self._target.answer_timeout_s + 1.0)

    def wait_normal(self, for_s: float) -> None:
        """Return when the last probes found the Gateway ready and all breakers closed, or after ``for_s``;
        and when an Alertmanager in between has posted what it took, as far as it ever will."""
        if self.prober:
            self.prober.wait_normal(for_s)
        self._messaging.wait_delivered(self.prober)

    def collect(self, for_s: float) -> None:
        """Read the truth, for at most ``for_s`` seconds until it holds still.

        Raises:
            TruthError: if it cannot be read.
        """
        if self._followers:
            self._followers.collect(for_s)

    def ask_queries(self) -> None:
        """Write down the plan's queries, and series over the run; they are told, and never judged."""
        if self.began:
            url = self._endpoints.gateway_url
            range_queries.keep_all(self.folder, self._target, url, self._clock, self._prometheus)

    def keep_metrics(self, when: str) -> None:
        """Write down all that the Gateway's metrics say now, or why there are none: baseline or post.

        Raises:
            RecordError: if the disk does not take it.
        """
        if self.emitter:  # Else the run did not get so far as to have a Gateway.
            snapshot.keep(self.folder, when, self._endpoints, self._clock.now())

    def close(self, ended: str, detail: str) -> None:
        """Seal the ledger and write how the run ended.

        Raises:
            RecordError: if the disk does not take it.
        """
        for part in (self.prober, self._messaging, self._followers):
            if part:
                part.stop()
        if self._sender:
            self._sender.close()
        for file in self._files:
            file.close()
        if self.ledger:
            self.ledger.seal()
        if self.began:
            run_folder.write_end(self.folder, ended, detail, self._usage.used())

    def stop_target(self) -> None:
        """End the started target; it takes its faults along. In another one, the run's alerts end."""
        if not self._process:
            self._messaging.dismiss()
        else:
            self._process.stop()
            self._process = None

    def _open(self) -> None:
        injections = LineFile(self.folder / "injections.jsonl")
        observations = LineFile(self.folder / "observations.jsonl")
        journal = Journal(self.folder)
        self._files = [injections, observations, journal]
        self.ledger = Ledger(self.folder / ledger.FILE)
        self.conductor = Conductor(
            self.timeline, self._injectors, self._clock, journal, injections, self._say
        )
        self.prober = probes.Prober(self._clock, observations, self._fail, self.scenario.probe_every_s)
        url, traced = self._endpoints.gateway_url, self._options.traceparent
        told = self._messaging.orders(self.run_id, self._target, url, traced)
        self._messaging.open_relay(self._target, url, self.folder)
        if self._fleet:
            self.emitter = self.tally = FleetEmitter(
                self._fleet, told, self.scenario, self._clock, self.ledger, self._fail, self._say
            )
            self.emitter.prepare()
            return
        self.tally = self.ledger
        self._sender = emission.connect(told, self._clock)
        self.emitter = emission.emitter(told, self._sender, self.ledger, self._clock, self._told, self._fail)
