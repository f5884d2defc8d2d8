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
from chaos_hooks.delivery import Told
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.fleet import Fleet
from chaos_hooks.options import Options
from chaos_hooks.truth import TruthError
from chaos_hooks.workbench import Workbench
from reports import folder as run_folder
from reports import writing
from reports.folder import FolderError
from reports.verdict import Verdict
from shapes import load
from shapes.scenario import Scenario
from shapes.target import Target

_CARRIER_TIMEOUT_S = 30.0
_LEAD_S = 1.0  # Probes run this long before the first alert, so that what is normal is seen first.
_NORMAL_S = 15.0  # A Gateway that is not back by then is judged as it is.
_TRUTH_S = 15.0
_TRUTH_BROKEN_OFF_S = 5.0
_READ_PER_S = 2000.0  # Slower than that, and two readings of a large load may not be waited for.


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
        fleet: Fleet | None = None,
    ) -> None:
        """Begin a run; with a fleet, its workers send the load."""
        self.scenario = scenario
        self.clock = RunClock()
        self.stage = Stage.PREPARING
        self.result: Result | None = None
        self.bench = Workbench(scenario, target, options, self.clock, say, told, self._fail, fleet)
        self._breaking = False
        self._broken_off = ""
        self._carried = gevent.event.Event()
        self._go = gevent.event.Event()
        self._over = gevent.event.Event()
        self._watching = gevent.Greenlet()
        self._driver = gevent.spawn(self._drive)
        gevent.spawn(self._run)

    def emit(self) -> None:
        """Send the load; the Locust user that carries it calls this, and it returns when all is begun."""
        self._carried.set()
        self._go.wait()
        if self.bench.emitter:
            self.bench.emitter.emit(load.plan(self.scenario))

    def is_over(self) -> bool:
        """Return whether there is a result."""
        return self._over.is_set()

    def join(self) -> None:
        """Return when it is over."""
        self._over.wait()

    def break_off(self, reason: str) -> None:
        """End the run early: heal, collect and judge what there is; return when that is done."""
        self._broken_off = self._broken_off or reason
        self._fail(Interrupted(reason))
        self._over.wait()

    def _fail(self, problem: BaseException) -> None:
        """Break off, once; called from the greenlet of the part that failed, or of who wants it."""
        if not self._breaking:
            self._breaking = True
            # Only the driving is ever broken off, never the finishing.
            self._driver.kill(problem, block=False)

    def _run(self) -> None:
        self._driver.join()
        self._watching.kill(block=False)
        ended, detail = _ending(self._driver.value if self._driver.successful() else self._driver.exception)
        self.stage = Stage.COLLECTING
        try:
            self._finish(ended, detail)
        finally:
            self.stage = Stage.OVER
            self._go.set()
            self._over.set()

    def _drive(self) -> BaseException | None:
        """Prepare, load and break; return what ended it early, or None."""
        try:
            self.bench.prepare()
            self._load()
        except BaseException as problem:  # noqa: BLE001 - whatever it is: faults must be healed, and it be told.
            return problem
        return None

    def _load(self) -> None:
        if not self._carried.wait(_CARRIER_TIMEOUT_S):
            raise SetupError("Locust started no user within 30 s; run it without --tags")
        self.clock.start_in(_LEAD_S)
        self.bench.begin()
        self.stage = Stage.RUNNING
        self._go.set()
        self._watching = gevent.spawn(self.bench.watch, lambda why: self._fail(Interrupted(why)))
        self._watching.link_exception(lambda g: self._fail(g.exception))
        self.bench.conduct()
        self.clock.sleep_until(self.scenario.load_s)
        self.bench.drain()
        self.stage = Stage.SETTLING
        self.bench.wait_normal(_NORMAL_S)
        gevent.sleep(self.scenario.settle_s)

    def _finish(self, ended: str, detail: str) -> None:
        """Heal, collect, close, stop and judge, each step whatever became of the one before."""
        problems = [detail] if detail else []
        for_s = _TRUTH_S if ended == "completed" else _TRUTH_BROKEN_OFF_S
        for_s += self.scenario.alerts / _READ_PER_S
        steps = (
            self.bench.heal,
            self.bench.drain,
            lambda: self.bench.keep_metrics("post"),
            lambda: self.bench.collect(for_s),
            self.bench.ask_queries,
            lambda: self.bench.close(ended, "; ".join(problems)),
            self.bench.stop_target,
        )
        for step in steps:
            try:
                step()
            except Exception as problem:  # noqa: BLE001 - no step may keep the next from being done.
                ended = "failed" if ended == "completed" else ended
                problems.append(_told(problem))
        self.stage = Stage.JUDGING
        verdict = None
        try:
            if self._broken_off and ended == "completed" and self.bench.began:
                # Stopped after the load: nothing was left to break off, but who stops a run wants no PASS.
                problems.append(self._broken_off)
                run_folder.write_end(self.bench.folder, "interrupted", "; ".join(problems))
            verdict = writing.write_all(self.bench.folder) if self.bench.began else None
        except Exception as problem:  # noqa: BLE001 - without a result nobody would learn that it is over.
            problems.append(_told(problem))
        self.result = Result(self.bench.folder, verdict, "; ".join(problems))


def _ending(problem: BaseException | None) -> tuple[str, str]:
    """Return how a run ended and the sentence that says why."""
    if problem is None:
        return "completed", ""
    return ("interrupted" if isinstance(problem, Interrupted) else "failed"), _told(problem)


def _told(problem: BaseException) -> str:
    """Return an expected problem's own sentence; another one is a bug, and shown with its traceback."""
    if isinstance(problem, Interrupted | SetupError | RecordError | TruthError | FolderError | OSError):
        return str(problem)
    traceback.print_exception(problem)
    return f"internal error: {type(problem).__name__}: {problem}"
