"""A Locust process's session: one live run after another, each begun and ended by Locust's own events."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import gevent
from locust.env import Environment
from locust.runners import LocalRunner

from chaos_hooks import injection, options, preflight
from chaos_hooks.answers import Answer
from chaos_hooks.errors import SetupError
from chaos_hooks.live_run import LiveRun, Result
from chaos_hooks.options import SCENARIOS, TARGETS, Options
from chaos_hooks.progress import Progress
from chaos_hooks.sender import Exchange
from reports import folder as run_folder
from reports.formats import text
from reports.history import Outcome
from shapes import pattern, scenario, target
from shapes.alerts import Planned
from shapes.document import DocumentError
from shapes.pattern import Asked
from shapes.scenario import Scenario
from shapes.scenario_shape import ScenarioShape
from shapes.target import Target


class NotAcked(Exception):
    """An alert that the Gateway did not acknowledge; expected under chaos, judged by the criteria."""


class Session:
    """Holds the run there is; Locust's listeners call it."""

    def __init__(self) -> None:
        self.run: LiveRun | None = None
        self.results: list[Result] = []
        self.error = ""
        self._environment: Environment | None = None
        self._given: Options
        self._progress = Progress()

    def begin(self, environment: Environment) -> None:
        """Take the process over: check what was asked for, bind the shape, and follow the run.

        Raises:
            SystemExit: with code 2 and one sentence, when a headless run cannot begin.
        """
        self._environment = environment
        if not isinstance(environment.runner, LocalRunner):
            sys.exit(
                _refuse("distributed runs are not supported yet; run without --master, --worker, --processes")
            )
        if isinstance(environment.shape_class, ScenarioShape):
            environment.shape_class.is_over = self.is_over
        parsed = environment.parsed_options
        assert parsed
        self._given = options.read(parsed)
        if not parsed.headless:
            self._check_port(parsed.web_host, parsed.web_port)
        if parsed.headless:
            try:
                self._plan(options.read(parsed))
            except (SetupError, DocumentError) as problem:
                sys.exit(_refuse(str(problem)))
            parsed.only_summary = True  # The progress line takes the place of Locust's table.
        # Locust takes SIGTERM over only after a headless run; until then it would just die, unjudged.
        gevent.signal_handler(signal.SIGTERM, lambda: self.stop("ended by SIGTERM"))
        gevent.spawn(self._progress.follow, lambda: self.run)

    def _check_port(self, host: str, port: int) -> None:
        """Refuse a taken port of the web UI, where Locust itself would end in a traceback."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("" if host == "*" else host, port))
            except OSError as problem:
                sentence = f"--web-port: {host}:{port}: {problem.strerror}; name another port or host"
                sys.exit(_refuse(sentence))

    def start(self) -> None:
        """Begin a run; what cannot begin is told, and is over at once."""
        assert self._environment
        assert self._environment.parsed_options
        self.error = ""
        self.run = None
        try:
            asked = options.changed_in_form(self._given, options.read(self._environment.parsed_options))
            planned, spoken = self._plan(asked)
        except (SetupError, DocumentError) as problem:
            self.error = str(problem)
            self._progress.say(f"alertstorm: {problem}")
            self._environment.process_exit_code = 2
            return
        self._environment.process_exit_code = 3  # Until there is a verdict, nothing is decided.
        self.run = LiveRun(planned, spoken, asked, self._progress.say, self._told)

    def emit(self) -> None:
        """Carry the load of the run there is."""
        if self.run:
            self.run.emit()

    def stop(self, reason: str) -> None:
        """End the run, early if it still goes on, and remember how it ended."""
        run = self.run
        if run is None:
            return
        run.break_off(reason)
        self._conclude(run)

    def is_over(self) -> bool:
        """Return whether Locust may stop its test."""
        return self.run.is_over() if self.run else bool(self.error)

    def print_last(self) -> None:
        """Print the verdict, the last thing a headless run says."""
        if not self.results:
            return
        result = self.results[-1]
        if result.verdict is None or result.folder is None:
            self._progress.say(f"\nalertstorm: {result.error}")
            return
        if result.error:
            self._progress.say(f"\nalertstorm: {result.error}")
        self._progress.say("\n" + text.render(run_folder.read(result.folder), result.verdict))
        self._progress.say(f"report: {os.path.relpath(result.folder / 'report.html')}")

    def _conclude(self, run: LiveRun) -> None:
        result = run.result
        if result is None or result in self.results:
            return
        self.results.append(result)
        assert self._environment
        worst = max((r.exit_code for r in self.results), key=_badness)
        self._environment.process_exit_code = worst
        if result.verdict is None:
            self.error = result.error

    def _plan(self, asked: Options) -> tuple[Scenario, Target]:
        planned = self._scenario(asked)
        if asked.seed >= 0:
            planned = replace(planned, seed=asked.seed)
        preflight.check_scenario(planned, injection.names())
        return planned, target.find(TARGETS, asked.target or planned.target)

    def _scenario(self, asked: Options) -> Scenario:
        load = Asked(asked.pattern, asked.rate, asked.count, asked.duration, asked.alert_name)
        if asked.pattern and asked.scenario:
            raise SetupError(
                f"--chaos-pattern: {asked.pattern!r} stands beside --chaos-scenario {asked.scenario!r}; "
                "give one of them (the web form has an empty choice for the other)"
            )
        if asked.pattern:
            return pattern.scenario_of(load)
        pattern.refuse_without_pattern(load)
        if not asked.scenario:
            listed = ", ".join(scenario.names(SCENARIOS))
            raise SetupError(f"--chaos-scenario: is missing; there are: {listed}")
        if "/" in asked.scenario and asked.scenario == self._given.scenario:
            return scenario.load(Path(asked.scenario), asked.pace)
        return scenario.find(SCENARIOS, asked.scenario, asked.pace)

    def _told(self, exchange: Exchange, batch: list[Planned], answers: list[Answer]) -> None:
        """Let Locust's statistics and listeners know of a POST; its latency counts from the due time."""
        assert self._environment
        failed = [a for a in answers if a.outcome is not Outcome.ACKED]
        self._environment.events.request.fire(
            request_type="POST",
            name="alerts",
            response_time=(exchange.done_s - batch[0].due_s) * 1000,
            response_length=len(exchange.body),
            response=None,
            context={},
            exception=NotAcked(f"{failed[0].outcome.value}: {exchange.status or exchange.error}")
            if failed
            else None,
            start_time=batch[0].due_s,
            url="",
        )


def _badness(code: int) -> int:
    return {0: 0, 3: 1, 1: 2, 2: 3}[code]


def _refuse(sentence: str) -> int:
    print(f"alertstorm: {sentence}", file=sys.stderr)
    return 2
