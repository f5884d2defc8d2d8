"""One live run from the first check to the written report; it owns everything that it starts."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import gevent
import gevent.event

from chaos_hooks.clock import RunClock
from chaos_hooks.emitter import Told
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.options import Options
from chaos_hooks.truth import TruthError
from chaos_hooks.workbench import Workbench
from reports import folder as run_folder
from reports import writing
from reports.verdict import Verdict
from shapes import alerts
from shapes.scenario import Scenario
from shapes.target import Target

_CARRIER_TIMEOUT_S = 30.0
_LEAD_S = 1.0  # Probes run this long before the first alert, so that what is normal is seen first.
_TRUTH_S = 15.0
_TRUTH_BROKEN_OFF_S = 5.0


class Stage(StrEnum):
    """Where a run is."""

    PREPARING = "preparing"
    RUNNING = "running"
    SETTLING = "settling"
    COLLECTING = "collecting"
    JUDGING = "judging"
    OVER = "over"


class Interrupted(Exception):
    """The run was broken off from outside; no error, somebody wanted it."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: with a verdict, or with a sentence when it never began."""

    folder: Path | None
    verdict: Verdict | None
    error: str

    @property
    def exit_code(self) -> int:
        """Return the verdict's exit code, or 2 when the run could not begin."""
        return self.verdict.exit_code if self.verdict else 2


class LiveRun:
    """Drives a scenario through its stages in a greenlet of its own; `result` is set when it is over."""

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        options: Options,
        say: Callable[[str], None],
        told: Told,
    ) -> None:
        self.scenario = scenario
        self.clock = RunClock()
        self.stage = Stage.PREPARING
        self.result: Result | None = None
        self.bench = Workbench(scenario, target, options, self.clock, say, told, self._fail)
        self._say = say
        self._breaking = False
        self._carried = gevent.event.Event()
        self._go = gevent.event.Event()
        self._over = gevent.event.Event()
        self._greenlet = gevent.spawn(self._run)

    def emit(self) -> None:
        """Send the load; the Locust user that carries it calls this, and it returns when all is begun."""
        self._carried.set()
        self._go.wait()
        if self.bench.emitter:
            self.bench.emitter.emit(alerts.plan(self.scenario))

    def is_over(self) -> bool:
        """Return whether there is a result."""
        return self._over.is_set()

    def break_off(self, reason: str) -> None:
        """End the run early: heal, collect and judge what there is; return when that is done."""
        self._fail(Interrupted(reason))
        self._over.wait()

    def _fail(self, problem: BaseException) -> None:
        """Break off, once; called from the greenlet of the part that failed, or of who wants it."""
        if self._breaking or self.stage not in (Stage.PREPARING, Stage.RUNNING, Stage.SETTLING):
            return
        self._breaking = True  # A second throw would hit the finishing.
        self._greenlet.kill(problem, block=False)

    def _run(self) -> None:
        ended, detail = "completed", ""
        try:
            self.bench.prepare()
            self._drive()
        except Interrupted as stop:
            ended, detail = "interrupted", str(stop)
        except (SetupError, RecordError) as problem:
            ended, detail = "failed", str(problem)
        except BaseException as problem:  # noqa: BLE001 - whatever it is, faults must be healed and it be told.
            traceback.print_exception(problem)
            ended, detail = "failed", f"internal error: {type(problem).__name__}: {problem}"
        self.stage = Stage.COLLECTING
        try:
            self._finish(ended, detail)
        finally:
            self.stage = Stage.OVER
            self._go.set()
            self._over.set()

    def _drive(self) -> None:
        if not self._carried.wait(_CARRIER_TIMEOUT_S):
            raise SetupError("Locust started no user within 30 s; run it without --worker and without --tags")
        self.clock.start_in(_LEAD_S)
        self.bench.begin()
        self.stage = Stage.RUNNING
        self._go.set()
        self.bench.conduct()
        self.clock.sleep_until(self.scenario.load_s)
        self.bench.drain()
        self.stage = Stage.SETTLING
        gevent.sleep(self.scenario.settle_s)

    def _finish(self, ended: str, detail: str) -> None:
        """Heal, collect, stop and judge, each step whatever became of the one before."""
        problems = [detail] if detail else []
        for_s = _TRUTH_S if ended == "completed" else _TRUTH_BROKEN_OFF_S
        for step in (
            self.bench.heal,
            self.bench.drain,
            lambda: self.bench.collect(for_s),
            self.bench.ask_queries,
        ):
            try:
                step()
            except (RecordError, TruthError, run_folder.FolderError, OSError) as problem:
                ended = "failed" if ended == "completed" else ended
                problems.append(str(problem))
        detail = "; ".join(problems)
        try:
            self.bench.close(ended, detail)
        except (RecordError, OSError) as problem:
            detail = f"{detail}; {problem}" if detail else str(problem)
        finally:
            self.bench.stop_target()
        self.stage = Stage.JUDGING
        verdict = self._judge() if self.bench.began else None
        self.result = Result(self.bench.folder, verdict, detail)

    def _judge(self) -> Verdict | None:
        try:
            return writing.write_all(self.bench.folder)
        except run_folder.FolderError as problem:
            self._say(str(problem))
            return None
