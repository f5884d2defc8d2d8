"""Runs Locust as a user does, as a process of its own, and looks at what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
SHORT = str(HOME / "tests/data/short.yaml")
DEADLINE_S = 120.0


@dataclass(frozen=True)
class Ended:
    """A process that ended: its exit code and all that it printed."""

    code: int
    output: str


class Locust:
    """A running `locust` with a runs folder of its own."""

    def __init__(self, runs: Path, *arguments: str, env: dict[str, str] | None = None, **popen: Any) -> None:
        self.runs = runs
        self.log = runs.parent / f"locust-{time.monotonic_ns()}.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("CHAOS_", "LOCUST_", "SANDBOX_"))}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "locust",
                    "--loglevel",
                    "WARNING",
                    "--chaos-runs-dir",
                    str(runs),
                    *arguments,
                ],
                cwd=popen.pop("cwd", HOME),
                # A Prometheus costs five seconds until its first scrape; the tests of it ask for it.
                env={**clean, "SANDBOX_PROMETHEUS": "off", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **popen,
            )

    def output(self) -> str:
        """Return what it printed so far."""
        return self.log.read_text(errors="replace")

    def wait(self) -> Ended:
        """Return how it ended, or fail the test after the deadline."""
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"locust did not end in {DEADLINE_S} s:\n{self.output()}") from None
        return Ended(code, self.output())

    def wait_for(self, sentence: str) -> None:
        """Return when it printed a sentence, or fail the test after the deadline."""
        until(lambda: sentence in self.output() or self.process.poll() is not None, self.output)
        assert sentence in self.output(), self.output()

    def descendants(self) -> list[tuple[int, str]]:
        """Return every process below it, by id and start time, so that a reused id is no match."""
        found: list[tuple[int, str]] = []
        parents = [self.process.pid]
        table = {pid: stat for pid in _pids() if (stat := _stat(pid))}
        while parents:
            parent = parents.pop()
            children = [pid for pid, stat in table.items() if int(stat[1]) == parent]
            found += [(pid, table[pid][19]) for pid in children]
            parents += children
        return found

    def end(self) -> None:
        """Kill it if it still runs, by its process id."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def run_folder(self) -> Path:
        """Return the folder of its last run."""
        return (self.runs / "latest").resolve()


@contextmanager
def locust(runs: Path, *arguments: str, **more: Any) -> Iterator[Locust]:
    """Start it, and end it whatever the test does."""
    process = Locust(runs, *arguments, **more)
    try:
        yield process
    finally:
        process.end()


def headless(runs: Path, *arguments: str, **more: Any) -> Ended:
    """Run the short scenario to its end."""
    with locust(runs, "--headless", "--chaos-scenario", SHORT, *arguments, **more) as process:
        return process.wait()


def verdict(folder: Path) -> dict[str, Any]:
    """Return the machine-readable verdict of a run."""
    value: dict[str, Any] = json.loads((folder / "verdict.json").read_text())
    return value


def statuses(folder: Path) -> dict[str, str]:
    """Return each criterion's status."""
    return {f["criterion"]: f["status"] for f in verdict(folder)["findings"]}


def until(condition: Callable[[], bool], told: Callable[[], str] = str, within_s: float = DEADLINE_S) -> None:
    """Wait for a condition, or fail the test after the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def alive(processes: list[tuple[int, str]]) -> list[int]:
    """Return those that still live; a zombie does not, it only waits to be reaped."""
    return [
        pid for pid, start in processes if (stat := _stat(pid)) and stat[19] == start and stat[0] not in "ZX"
    ]


def interrupt(process: Locust, number: signal.Signals) -> None:
    """Send a signal to it alone, by its process id."""
    os.kill(process.process.pid, number)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name: state, parent, …, [19] start time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
