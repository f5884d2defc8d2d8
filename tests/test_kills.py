"""The harness itself under attack: parts of it and of its world killed, its disk full, its clock stepped.

Whatever happens: no process stays, no fault outlives its lease, no record is lost, and nothing passes. The
moments are drawn from a seed; KILL_SEEDS=20 draws twenty times as many.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sandbox_runner
from killing import (
    BRIEF,
    SEEDS,
    begun,
    free_port,
    gone,
    judged,
    made,
    moments,
    pid_of,
    several,
    sleep_until,
    standing,
    toxics,
    whole,
)
from locust_process import Ended, locust, statuses, until, verdict
from sandbox_runner import Sandbox

from reports import folder as run_folder
from reports.history import Outcome

# A fault of three seconds, what it took to be injected, and what a busy machine adds.
HEALED_S = 15.0
# Steps the wall clock of the generator, and of nothing else, ahead and back again.
STEPPED = """
import sys, time
if any("locust" in word for word in sys.orig_argv[:4]):
    real, begun = time.time, time.monotonic()
    def stepped():
        return real() + ({step}, 0.0, -{step})[int((time.monotonic() - begun) / {period}) % 3]
    time.time = stepped
"""
pytestmark = pytest.mark.parametrize("seed", SEEDS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A world that outlives every run."""
    keeper = sandbox_runner.spawn("--redis-layout", "around")
    try:
        yield sandbox_runner.ready(keeper)
    finally:
        keeper.communicate(timeout=sandbox_runner.DEADLINE_S)


def test_a_generator_killed_at_any_moment_leaves_nothing_but_its_record(tmp_path: Path, seed: int) -> None:
    """SIGKILL at three random moments: before the fault, while it is on, at the end or as it is healed."""
    names = ("early", "midst", "late")
    at_s = moments("generator", seed, (0.2, 1.0), (1.5, 3.5), (3.8, 6.5))
    with several(tmp_path, list(names)) as runs:
        folders = {name: begun(process) for name, process in runs.items()}
        due = {name: time.monotonic() + each for name, each in zip(names, at_s, strict=True)}
        started = {}
        for name, process in runs.items():  # In the order of their moments.
            sleep_until(due[name])
            started[name] = process.descendants()
            os.kill(process.process.pid, signal.SIGKILL)
            assert process.wait().code == -signal.SIGKILL
        for name, processes in started.items():
            assert len(processes) >= 8
            gone(processes)
            history = whole(folders[name])
            assert history.ended == ""
            assert name == "early" or len(history.of(Outcome.ACKED)) >= 5
            assert judged(folders[name]) == 3
            assert not list((folders[name]).glob("verdict.json"))


def test_a_killed_generator_leaves_no_fault_in_a_world_that_outlives_it(
    sandbox: Sandbox, tmp_path: Path, seed: int
) -> None:
    """SIGKILL while the fault is on, or is being injected or healed: within its lease it is off."""
    (at_s,) = moments("lease", seed, (0.9, 4.1))
    path = standing(sandbox, tmp_path)
    with locust(
        tmp_path / "runs", "--headless", "--chaos-scenario", BRIEF, "--chaos-target", path
    ) as process:
        folder = begun(process)
        time.sleep(at_s)
        started = process.descendants()
        os.kill(process.process.pid, signal.SIGKILL)
        process.process.wait()
        until(lambda: not toxics(sandbox), lambda: f"still on: {toxics(sandbox)}", HEALED_S)
        gone(started, HEALED_S)
        time.sleep(1.0)  # Nothing comes back.

    assert toxics(sandbox) == []
    assert judged(folder) == 3
    assert len(run_folder.read(folder).attempts) == 70


@pytest.mark.parametrize("whom", ["conductor", "worker"])
def test_a_conductor_or_a_worker_killed_at_a_random_moment_is_never_passed(
    tmp_path: Path, seed: int, whom: str
) -> None:
    """Of a master that conducts and two workers that it forked. Without a master nobody goes on; without a
    worker the other one does, and its record on this machine's disk is read."""
    (at_s,) = moments(whom, seed, (0.3, 5.5))
    port = free_port()
    ports = ("--master-bind-port", port, "--master-port", port, "--master-bind-host", "127.0.0.1")
    with several(tmp_path, [whom], "--processes", "2", *ports) as runs:
        process = runs[whom]
        until(lambda: any(process.runs.glob("*/workers/*.bin")), process.output, 60)
        folder = next(process.runs.glob("*/workers")).parent
        time.sleep(at_s)
        started = process.descendants()
        workers = [int(path.stem.rpartition("-")[2]) for path in sorted((folder / "workers").glob("*.bin"))]
        os.kill(process.process.pid if whom == "conductor" else workers[-1], signal.SIGKILL)
        ended = process.wait()
        gone(started)
        history = whole(folder)

        if whom == "conductor":
            assert ended.code == -signal.SIGKILL
            assert judged(folder) == 3
        else:
            assert ended.code in (1, 3), ended.output
            assert verdict(folder)["state"] in ("INVALID", "FAIL")
            assert all(i.began is None or i.ended is not None for i in history.injections)
        assert sum(len(history.of(outcome)) for outcome in Outcome) == history.run.planned == 70


def test_a_keeper_killed_at_a_random_moment_ends_its_run_undecided(tmp_path: Path, seed: int) -> None:
    """The whole sandbox dies at once, under load: the run ends by itself, is judged, and does not pass."""
    (at_s,) = moments("keeper", seed, (0.5, 5.0))
    with several(tmp_path, ["keeper"]) as runs:
        process = runs["keeper"]
        folder = begun(process)
        time.sleep(at_s)
        started = process.descendants()
        os.kill(pid_of(process, "target"), signal.SIGKILL)
        ended = process.wait()
        history = whole(folder)

        assert ended.code in (1, 3), ended.output
        assert "Traceback" not in ended.output
        assert history.sealed
        assert history.ended in ("completed", "failed")
        assert verdict(folder)["state"] in ("INVALID", "FAIL")
        gone(started)


@pytest.mark.parametrize(
    "components",
    [
        ["kubernetes-api", "toxiproxy", "sentinel-0", "redis-1"],
        ["gateway", "redis-0", "sentinel-1", "sentinel-2"],
    ],
    ids=["one half", "the other half"],
)
def test_a_component_that_is_no_fault_s_target_and_dies_is_never_passed(
    tmp_path: Path, seed: int, components: list[str]
) -> None:
    """Each of them in a run of its own, at a random moment: `no_cascade` convicts by its name. The faults
    that were on are off, or could not be healed as their server is gone, and that is told."""
    ends: dict[str, tuple[Ended, Path]] = {}
    at_s = dict(zip(components, moments(components[0], seed, *[(0.3, 5.0)] * 4), strict=True))
    scenario = made(tmp_path / "scenario") / "cascade.yaml"
    scenario.write_text(Path(BRIEF).read_text(encoding="utf-8") + "  - no_cascade\n", encoding="utf-8")
    with several(tmp_path, components, "--chaos-scenario", str(scenario)) as runs:
        folders = {name: begun(process) for name, process in runs.items()}
        first_s = time.monotonic()
        started = {name: process.descendants() for name, process in runs.items()}
        for name in sorted(components, key=lambda each: at_s[each]):
            sleep_until(first_s + at_s[name])
            started[name] += runs[name].descendants()
            os.kill(pid_of(runs[name], name), signal.SIGKILL)
        for name, process in runs.items():
            ends[name] = process.wait(), folders[name]
        for processes in started.values():
            gone(processes)
    for name, (ended, folder) in ends.items():
        history = whole(folder)

        assert ended.code in (1, 3), f"{name}: {ended.output}"
        assert statuses(folder)["no_cascade"] == "FAIL", f"{name}: {ended.output}"
        (found,) = (f for f in verdict(folder)["findings"] if f["criterion"] == "no_cascade")
        assert name in str(found), found
        assert history.sealed
        assert all(i.began is None or i.ended or i.error for i in history.injections), name


def test_a_disk_that_is_full_at_any_moment_ends_the_run_and_keeps_the_record(
    tmp_path: Path, seed: int
) -> None:
    """No file of the generator's grows any more: the run ends with a sentence, heals, and is never passed."""
    names = ("early", "late")
    at_s = moments("disk", seed, (0.2, 3.0), (3.0, 6.5))
    with several(tmp_path, list(names)) as runs:
        folders = {name: begun(process) for name, process in runs.items()}
        first_s = time.monotonic()
        started = {}
        for name, each_s in zip(names, at_s, strict=True):
            sleep_until(first_s + each_s)
            process = runs[name]
            started[name] = process.descendants()
            most = max(path.stat().st_size for path in folders[name].iterdir() if path.is_file())
            resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (most, most))
        for name, process in runs.items():
            ended = process.wait()
            gone(started[name])
            history = run_folder.read(folders[name])

            assert ended.code == 3, ended.output
            assert "cannot be written (File too large)" in ended.output
            assert history.of(Outcome.ACKED)
            assert len(history.attempts) == 70
            assert judged(folders[name]) == 3


def test_a_wall_clock_that_is_stepped_changes_nothing(tmp_path: Path, seed: int) -> None:
    """Ahead and back, by up to a day, every so often: durations, deadlines and the order of events are
    monotonic."""
    step_s, period_s = moments("clock", seed, (60.0, 86_400.0), (0.2, 1.5))
    patch = made(tmp_path / "patch")
    (patch / "sitecustomize.py").write_text(STEPPED.format(step=step_s, period=period_s))
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
