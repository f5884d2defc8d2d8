"""What tests that kill parts of the harness share: brief runs side by side, whom to kill, what is left."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml
from locust_process import HOME, Locust, alive, locust, until
from sandbox_runner import Sandbox

from reports import folder as run_folder
from reports.history import History, Outcome
from reports.ledger import Reader

BRIEF = str(HOME / "tests/data/brief.yaml")
READY_S = 60.0
GONE_S = 30.0
# More moments than the suite has time for: KILL_SEEDS=20 make test-long TESTS=...
SEEDS = range(1, 1 + int(os.environ.get("KILL_SEEDS", "1")))
Process = tuple[int, str]


def moments(test: str, seed: int, *spans: tuple[float, float]) -> list[float]:
    """Return a random instant in each span, in seconds; the same for the same test and seed."""
    chance = random.Random(f"{test} {seed}")
    return [chance.uniform(*span) for span in spans]


@contextmanager
def several(tmp_path: Path, names: list[str], *arguments: str, **more: Any) -> Iterator[dict[str, Locust]]:
    """Start a brief run for each name, side by side, each with runs of its own."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                locust(
                    made(tmp_path / name) / "runs",
                    "--headless",
                    "--chaos-scenario",
                    BRIEF,
                    *arguments,
                    **more,
                )
            )
            for name in names
        }


def made(folder: Path) -> Path:
    """Return a new folder."""
    folder.mkdir(parents=True)
    return folder


def begun(process: Locust) -> Path:
    """Return the folder of a run whose ledger has begun."""
    until(lambda: _ledgers(process) or process.process.poll() is not None, process.output, READY_S)
    assert _ledgers(process), process.output()
    return _ledgers(process)[0].parent


def _ledgers(process: Locust) -> list[Path]:
    return [path for path in process.runs.glob("*/ledger*.bin") if path.stat().st_size]


def gone(processes: list[Process], within_s: float = GONE_S) -> None:
    """Wait until none of them lives, or fail the test."""
    until(lambda: not alive(processes), lambda: f"still alive: {_told(alive(processes))}", within_s)


def _told(pids: list[int]) -> list[str]:
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids]


def judged(folder: Path) -> int:
    """Return the exit code of judging what is on disk."""
    words = [sys.executable, "-m", "reports", str(folder), "--format", "json"]
    return subprocess.run(words, cwd=HOME, capture_output=True, timeout=60, check=False).returncode


def whole(folder: Path) -> History:
    """Return a run's history after checking that its ledger lost nothing: an alert is written down before it
    is sent, so what is on disk knows at least as many as the Gateway says that it acknowledged. What a worker
    had not told a master that was killed is in the worker's own file, and INDETERMINATE in the history."""
    history = run_folder.read(folder)
    begun = sum(a.begun_s is not None for a in history.attempts)
    possible = sum(a.begun_s is not None or a.outcome is Outcome.INDETERMINATE for a in history.attempts)
    log = (folder / "logs/gateway.log").read_text().splitlines()
    acknowledged = sum('"alert acknowledged"' in line for line in log)
    assert acknowledged <= max(begun, _begun_by_workers(folder))
    assert acknowledged <= possible
    assert len(history.attempts) == history.run.planned
    return history


def _begun_by_workers(folder: Path) -> int:
    begun = 0
    for path in (folder / "workers").glob("*.bin"):
        reader = Reader([])
        reader.take(path)
        begun += sum(a.begun_s is not None for a in reader.attempts(0))
    return begun


def pid_of(process: Locust, log: str) -> int:
    """Return the process below a run that logs into a file of this name."""
    for pid, _ in process.descendants():
        try:
            writes_to = os.readlink(f"/proc/{pid}/fd/2")
        except OSError:
            continue
        if writes_to.endswith(f"/logs/{log}.log"):
            return pid
    raise AssertionError(f"no process that logs into {log}.log")


def standing(sandbox: Sandbox, folder: Path) -> str:
    """Return the target file of a sandbox that is there already, and outlives every run."""
    document = yaml.safe_load((HOME / "scenarios/targets/sandbox.yaml").read_text(encoding="utf-8"))
    del document["start"]
    named = ("gateway_url", "control_url", "kubeconfig", "namespace", "sentinels", "sentinel_master",
             "proxy_url")  # fmt: skip
    document["endpoints"] = {key: sandbox.event[key] for key in named}
    path = folder / "standing.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def toxics(sandbox: Sandbox) -> list[str]:
    """Return what is on in the sandbox's proxies: toxics by name, and proxies that are off."""
    proxies = requests.get(f"{sandbox.event['proxy_url']}/proxies", timeout=10).json()
    found = [f"{name}: {toxic['name']}" for name, each in proxies.items() for toxic in each["toxics"]]
    return found + [f"{name} is off" for name, each in proxies.items() if not each["enabled"]]


def sleep_until(at_s: float) -> None:
    """Sleep until an instant of the monotonic clock; at once if it is over."""
    time.sleep(max(0.0, at_s - time.monotonic()))


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
