"""How the tests drive one fault backend: with an undo that is written down, and with a run that is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, Injector
from shapes.scenario import Fault
from shapes.target import Endpoints

CHECKOUT = Path(__file__).resolve().parent.parent
WAIT_S = 30.0

# A run reduced to one fault: it injects, says so, and never comes to heal.
_RUN = """
import json, sys, time
from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from shapes.scenario import Fault
from shapes.target import Endpoints
endpoints, fault = json.loads(sys.argv[1])
endpoints |= {name: tuple(endpoints[name]) for name in ("sentinels", "redis_addresses")}
backend = injection.load(Fault(**fault), Endpoints(**endpoints), RunClock(), "here")
undo = {}
effect = backend.inject(undo.update)
print(json.dumps({"evidence": effect.evidence, "seen": effect.seen}), flush=True)
time.sleep(600)
"""


def fault(inject: str, name: str = "broken", for_s: float = 60.0, **options: Any) -> Fault:
    """A fault of this backend."""
    return Fault(name, inject, 1.0, for_s, options)


class Broken:
    """A backend, what it wrote down, and what it saw."""

    def __init__(self, endpoints: Endpoints, asked: Fault) -> None:
        self.backend: Injector = injection.load(asked, endpoints, RunClock(), "here")
        self.undo: dict[str, Any] = {}
        assert self.backend.available() == ""
        self.effect: Effect = self.backend.inject(self._write)

    def _write(self, undo: Mapping[str, Any]) -> None:
        self.undo.update(json.loads(json.dumps(undo)))

    def heal(self) -> Effect:
        """End the fault."""
        return self.backend.heal(self.undo)


def why_not(endpoints: Endpoints, asked: Fault) -> str:
    """Why the fault is not available."""
    return injection.load(asked, endpoints, RunClock(), "here").available()


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """The first true value; fails when there is none in WAIT_S."""
    end_s = time.monotonic() + WAIT_S
    while not (value := condition()):
        assert time.monotonic() < end_s, f"not within {WAIT_S} s: {what}"
        time.sleep(0.02)
    return value


def watchdogs(pid: int | None = None) -> list[psutil.Process]:
    """The living watchdogs that a process, or this one, has started."""
    children = [child for child in psutil.Process(pid).children() if is_alive(child)]
    return [child for child in children if child.cmdline()[1:] == ["-m", "chaos_hooks.watchdog"]]


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def killed_run(endpoints: Endpoints, asked: Fault) -> Iterator[dict[str, Any]]:
    """What a run saw of the fault that it injected; inside the block it has just been killed with SIGKILL.

    After the block its watchdog must be gone.
    """
    described = json.dumps([asdict(endpoints), asdict(asked)])
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN, described], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    try:
        said = json.loads(run.stdout.readline())
        (watchdog,) = watchdogs(run.pid)
    finally:
        run.kill()
        run.communicate()
    yield said
    wait_until(lambda: not is_alive(watchdog), "the end of the watchdog")
