"""The harness itself under attack: its parts killed at random moments, its world broken, its clock stepped.

Whatever happens: no process stays, no fault outlives its lease, no record is lost, and nothing passes.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from locust_process import HOME, Ended, Locust, alive, locust, statuses, until, verdict

from reports import folder as run_folder
from reports.history import History, Outcome

BRIEF = str(HOME / "tests/data/brief.yaml")
READY_S = 60.0
# Steps the wall clock of the generator, and of nothing else, an hour ahead and an hour back again.
STEPPED = """
import sys, time
if any("locust" in word for word in sys.orig_argv[:4]):
    real, begun = time.time, time.monotonic()
    def stepped():
        return real() + (3600.0, 0.0, -3600.0)[int((time.monotonic() - begun) / 0.7) % 3]
    time.time = stepped
"""


@contextmanager
def several(tmp_path: Path, names: list[str], **more: Any) -> Iterator[dict[str, Locust]]:
    """Start a brief run for each name, side by side, each with runs of its own."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                locust(_made(tmp_path / name) / "runs", "--headless", "--chaos-scenario", BRIEF, **more)
            )
            for name in names
        }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def begun(process: Locust) -> Path:
    """Return the folder of a run whose ledger has begun."""
    until(lambda: _ledgers(process) or process.process.poll() is not None, process.output, READY_S)
    assert _ledgers(process), process.output()
    return _ledgers(process)[0].parent


def _ledgers(process: Locust) -> list[Path]:
    return [path for path in process.runs.glob("*/ledger*.bin") if path.stat().st_size]


def judged(folder: Path) -> int:
    """Return the exit code of judging what is on disk."""
    words = [sys.executable, "-m", "reports", str(folder), "--format", "json"]
    return subprocess.run(words, cwd=HOME, capture_output=True, timeout=60, check=False).returncode


def whole(folder: Path) -> History:
    """Return a run's history after checking that its ledger lost nothing: an alert is written down before it
    is sent, so it knows at least as many as the Gateway says that it acknowledged."""
    history = run_folder.read(folder)
    begun = [a for a in history.attempts if a.begun_s is not None]
    log = (folder / "logs/gateway.log").read_text().splitlines()
    acknowledged = [line for line in log if '"alert acknowledged"' in line]
    assert len(acknowledged) <= len(begun)
    assert len(history.attempts) == history.run.planned
    return history


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


def test_a_generator_killed_at_any_moment_leaves_nothing_but_its_record(tmp_path: Path) -> None:
    """SIGKILL at three random moments: before the fault, while it is on, at the end or as it is healed."""
    chance = random.Random(1)
    moments = {"early": (0.2, 1.0), "midst": (1.5, 3.5), "late": (3.8, 6.5)}
    with several(tmp_path, list(moments)) as runs:
        folders = {name: begun(process) for name, process in runs.items()}
        due = {name: time.monotonic() + chance.uniform(*moments[name]) for name in moments}
        started = {}
        for name, process in runs.items():  # In the order of their moments.
            time.sleep(max(0.0, due[name] - time.monotonic()))
            started[name] = process.descendants()
            os.kill(process.process.pid, signal.SIGKILL)
            assert process.wait().code == -signal.SIGKILL
        for name, processes in started.items():
            assert len(processes) >= 8
            until(lambda left=processes: not alive(left), lambda: "something lives on", 20)
            history = whole(folders[name])
            assert history.ended == ""
            assert name == "early" or len(history.of(Outcome.ACKED)) >= 5
            assert judged(folders[name]) == 3
            assert not list((folders[name]).glob("verdict.json"))


def test_a_keeper_killed_at_a_random_moment_ends_its_run_undecided(tmp_path: Path) -> None:
    """The whole sandbox dies at once, under load: the run ends by itself, is judged, and does not pass."""
    chance = random.Random(2)
    with several(tmp_path, ["keeper"]) as runs:
        process = runs["keeper"]
        folder = begun(process)
        time.sleep(chance.uniform(0.5, 4.0))
        started = process.descendants()
        os.kill(pid_of(process, "target"), signal.SIGKILL)
        ended = process.wait()
        history = whole(folder)

        assert ended.code in (1, 3), ended.output
        assert "Traceback" not in ended.output
        assert history.sealed
        assert history.ended in ("completed", "failed")
        assert verdict(folder)["state"] in ("INVALID", "FAIL")
        until(lambda: not alive(started), lambda: f"still alive: {alive(started)}", 20)


COMPONENTS = ["kubernetes-api", "toxiproxy", "sentinel-1", "redis-1"]


def test_a_component_that_is_no_fault_s_target_and_dies_is_never_passed(tmp_path: Path) -> None:
    """Each in a run of its own: what the run stood on is not whole, so it is INVALID, whatever else held."""
    ends: dict[str, tuple[Ended, Path]] = {}
    with several(tmp_path, COMPONENTS) as runs:
        folders = {name: begun(process) for name, process in runs.items()}
        time.sleep(0.7)
        started = {name: process.descendants() for name, process in runs.items()}
        for name, process in runs.items():
            os.kill(pid_of(process, name), signal.SIGKILL)
        for name, process in runs.items():
            ends[name] = process.wait(), folders[name]
        for processes in started.values():
            until(lambda left=processes: not alive(left), lambda: "something lives on", 20)
    for name, (ended, folder) in ends.items():
        found = statuses(folder)
        history = whole(folder)

        assert ended.code in (1, 3), f"{name}: {ended.output}"
        assert found["world_whole"] == "UNKNOWN", f"{name}: {ended.output}"
        (gone,) = (f for f in verdict(folder)["findings"] if f["criterion"] == "world_whole")
        assert f"{name} ended by itself" in gone["got"]
        assert history.sealed
        assert all(i.began is None or i.ended is not None for i in history.injections), name


def test_a_wall_clock_that_is_stepped_changes_nothing(tmp_path: Path) -> None:
    """An hour ahead and back, every 0.7 s: durations, deadlines and the order of events are monotonic."""
    patch = _made(tmp_path / "patch")
    (patch / "sitecustomize.py").write_text(STEPPED)
    with several(tmp_path, ["stepped"], env={"PYTHONPATH": str(patch)}) as runs:
        process = runs["stepped"]
        folder = begun(process)
        ended = process.wait()
    history = run_folder.read(folder)
    found = statuses(folder)

    assert ended.code == 0 or found["load_on_time"] == "UNKNOWN", ended.output
    assert {found[name] for name in ("zero_loss", "fault_bit", "ledger_whole", "world_whole")} == {"PASS"}
    assert len(history.of(Outcome.ACKED)) == history.run.planned == 70
    assert all(0.0 <= (a.latency_s or 0.0) < 30.0 for a in history.attempts)
    (injection,) = history.injections
    assert injection.began
    assert injection.ended
    assert 0.9 <= injection.began.earliest_s < injection.ended.latest_s < 30.0
    asked = [o.asked_s for o in history.samples("metrics")]
    assert asked == sorted(asked)
    assert all(-5.0 < at_s < 60.0 for at_s in asked)
