"""The watchdog: heals when its run is dead or hangs, and not when the fault was healed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import injecting
import psutil
import pytest
from injecting import CHECKOUT, fault, wait_until

from chaos_hooks import journal, lease, preflight
from chaos_hooks.clock import RunClock
from chaos_hooks.journal import Journal
from chaos_hooks.lease import Lease
from shapes.target import Endpoints


class Watchdog:
    """A watchdog over a clock file that holds a skew; healed means that the file is gone."""

    def __init__(self, folder: Path, for_s: float) -> None:
        self.file = folder / "clock"
        self.file.write_text("+65.000\n")
        self.undo = {"clock_file": str(self.file), "before": None, "options": {"skew_s": 65.0}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chaos_hooks.watchdog"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.tell({"injector": "clock", "fault": "skew", "undo": self.undo, "for_s": for_s})
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"armed\n"

    def tell(self, message: Any) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()


@pytest.fixture
def watchdogs() -> Iterator[list[Watchdog]]:
    """Those of a test, ended after it."""
    made: list[Watchdog] = []
    yield made
    for watchdog in made:
        watchdog.process.kill()
        watchdog.process.communicate()


def test_it_heals_when_its_run_hangs(tmp_path: Path, watchdogs: list[Watchdog]) -> None:
    """The lease is over, and the pipe still open."""
    watchdogs.append(watchdog := Watchdog(tmp_path, 0.3))
    assert watchdog.process.wait(injecting.WAIT_S) == lease.HEALED
    assert not watchdog.file.exists()
    assert watchdog.process.stderr is not None
    assert watchdog.process.stderr.read() == b"watchdog: skew: clock removed\n"


def test_signals_do_not_take_the_lease_away(tmp_path: Path, watchdogs: list[Watchdog]) -> None:
    """Who ends a run by a signal to all its processes still has the fault healed: by the end of the pipe."""
    watchdogs.append(watchdog := Watchdog(tmp_path, 600))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(watchdog.process.pid, number)
    time.sleep(0.1)
    assert (watchdog.process.poll(), watchdog.file.exists()) == (None, True)
    watchdog.process.communicate()
    assert (watchdog.process.returncode, watchdog.file.exists()) == (lease.HEALED, False)


def test_it_leaves_a_healed_fault_alone(tmp_path: Path, watchdogs: list[Watchdog]) -> None:
    """Told that it is healed, it ends and touches nothing."""
    watchdogs.append(watchdog := Watchdog(tmp_path, 600))
    watchdog.tell({"healed": True})
    assert watchdog.process.wait(injecting.WAIT_S) == 0
    assert watchdog.file.exists()


def test_a_lease_tells_what_its_watchdog_did(tmp_path: Path) -> None:
    """Not needed; healed already; dead. A second release says the same."""
    file = tmp_path / "clock"
    undo = {"clock_file": str(file), "before": None, "options": {"skew_s": 65.0}}
    held = Lease(fault("clock", for_s=600.0, skew_s=65.0), undo)
    held.confirm()
    assert os.getsid(held.pid) == held.pid  # Ctrl-C in the terminal of the run does not reach it.
    assert [held.release(), held.release()] == ["its watchdog was not needed"] * 2
    assert injecting.watchdogs() == []

    held = Lease(fault("clock", for_s=-9.7, skew_s=65.0), undo)
    held.confirm()
    watchdog = psutil.Process(held.pid)
    wait_until(lambda: not injecting.is_alive(watchdog), "the end of the lease")
    assert held.release() == "its watchdog had healed it already"

    held = Lease(fault("clock", for_s=600.0, skew_s=65.0), undo)
    held.confirm()
    os.kill(held.pid, signal.SIGKILL)
    assert held.release() == "its watchdog died (-9)"


def test_the_next_run_sweeps_what_nobody_healed(tmp_path: Path) -> None:
    """The journal's undo is enough for any backend: no scenario and no endpoints of then are needed."""
    folder = tmp_path / "runs" / "earlier"
    folder.mkdir(parents=True)
    file = tmp_path / "clock"
    file.write_text("+65.000\n")
    undo = {"clock_file": str(file), "before": "+1\n", "options": {"skew_s": 65.0}}
    earlier = Journal(folder)
    earlier.injecting("skew", "clock", undo)
    earlier.close()
    told = preflight.sweep(folder.parent, Endpoints(), RunClock())
    assert (told, file.read_text()) == (["swept skew of earlier: clock holds '+1\\n' again"], "+1\n")
    assert list(journal.leftovers(folder.parent)) == []


# Locust replaces sockets, pipes and waits in the whole process; a lease has to work there, too.
_PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys, time, gevent
from pathlib import Path
from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from shapes.scenario import Fault
from shapes.target import Endpoints
ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.01)
gevent.spawn(tick)
file = Path(sys.argv[1])
backend = injection.load(
    Fault("skew", "clock", 0.0, 60.0, {"skew_s": 65.0}), Endpoints(clock_file=str(file)), RunClock(), "here"
)
undo = {}
backend.inject(undo.update)
assert file.read_text() == "+65.000\\n"
healed = backend.heal(undo)
assert not file.exists()
print(len(ticks), healed.evidence[-1])
"""


def test_a_lease_does_not_stop_the_load(tmp_path: Path) -> None:
    """Under gevent, starting and arming a watchdog lets the other greenlets go on."""
    command = [sys.executable, "-c", _PATCHED, str(tmp_path / "clock")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    ticks, _, told = done.stdout.strip().partition(" ")
    assert (told, int(ticks) > 5) == ("its watchdog was not needed", True)
