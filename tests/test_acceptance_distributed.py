"""As a user runs it over several processes: workers that join late, die, stand still, or do not fit."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from locust_process import HOME, SHORT, Locust, alive, interrupt, locust, statuses, until, verdict

from reports import folder as run_folder
from reports.history import History, Outcome

PER_S = 40
LONG = 90


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return an empty folder for runs."""
    return tmp_path / "runs"


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def led(runs: Path, seconds: int, *arguments: str) -> Iterator[tuple[Locust, list[str]]]:
    """Run a master with a steady load, longer than a slow machine may need; give what a worker needs to find
    it. A test that has seen enough breaks the run off: what is left of the load is then UNSENT."""
    port = free_port()
    load = ("--chaos-pattern", "steady", "--chaos-rate", f"{PER_S}/s", "--chaos-duration", f"{seconds}s")
    bound = ("--master", "--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    with locust(runs, *bound, *load, *arguments) as master:
        yield master, ["--worker", "--master-host", "127.0.0.1", "--master-port", port]


def leased(master: Locust) -> Counter[str]:
    """Return how many leases each worker was offered so far."""
    path = master.runs / "latest" / "leases.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(line["w"] for line in map(json.loads, lines) if line["r"] == "offer")


def wait_for_leases(master: Locust, worker: str, count: int) -> None:
    """Return when a worker was offered so many leases."""
    until(lambda: leased(master)[worker] >= count or master.process.poll() is not None, master.output)
    assert leased(master)[worker] >= count, master.output()


def name_of(master: Locust, worker: Locust) -> str:
    """Return what the master calls a worker: its own ledger's name has both."""
    return next(
        path.name.rpartition("-")[0]
        for path in (master.run_folder() / "workers").glob(f"*-{worker.process.pid}.bin")
    )


def workers_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is recorded of each worker."""
    return {w["name"]: w for w in json.loads((folder / "workers.json").read_text())["workers"]}


def check_sums(history: History, planned: int) -> None:
    """Every alert has one outcome, and no alert made two requests: none was sent twice."""
    assert history.resources is not None
    created = Counter(r.creator for r in history.resources)

    assert sorted(a.number for a in history.attempts) == list(range(planned))
    assert sum(len(history.of(outcome)) for outcome in Outcome) == planned
    assert set(created.values()) <= {1}
    assert {r.count for r in history.resources} <= {1}
    assert {a.number for a in history.of(Outcome.ACKED)} <= set(created)
    assert not {a.number for a in history.of(Outcome.UNSENT)} & set(created)


def test_forked_workers_share_the_load_and_the_master_judges(runs: Path) -> None:
    """`--processes 2`: the verdict is the exit code, both had their share, all is told, none stays behind."""
    port = free_port()
    ports = ("--master-bind-port", port, "--master-port", port, "--master-bind-host", "127.0.0.1")
    with locust(runs, "--headless", "--processes", "2", *ports, "--chaos-scenario", SHORT) as process:
        process.wait_for("injected: redis-0")
        started = process.descendants()
        ended = process.wait()
    history = run_folder.read(process.run_folder())
    found = workers_of(process.run_folder())

    assert ended.code == 0, ended.output
    assert set(statuses(process.run_folder()).values()) == {"PASS"}
    assert {name: w["leased"] for name, w in found.items()} == {"worker-0": 100, "worker-1": 100}
    assert {w["ended"] for w in found.values()} == {"sealed"}
    # On one machine there is one clock: the estimate must be right to its own error.
    assert all(abs(w["offset_s"]) <= w["error_s"] < 1.0 for w in found.values())
    assert all(w["used"]["cpu_s"] > 0 and w["used"]["memory_mib"] > 1 for w in found.values())
    assert len(history.of(Outcome.ACKED)) == 200
    assert alive(started) == []


def test_a_late_joiner_has_its_share_and_a_killed_one_loses_only_what_it_had(runs: Path) -> None:
    """The second worker joins in the midst and dies by SIGKILL, its disk with it: what it had and did not
    tell is INDETERMINATE, the first goes on, and the sum is N. When that is told to end, it tells all that it
    knows, and the run is broken off for want of workers."""
    with led(runs, LONG) as (master, found_by), ExitStack() as more:
        first = more.enter_context(locust(runs, *found_by))
        wait_for_leases(master, "worker-0", 4)
        second = more.enter_context(locust(runs, *found_by))
        wait_for_leases(master, "worker-1", 5)
        interrupt(second, signal.SIGKILL)
        second.process.wait()
        for path in (master.run_folder() / "workers").glob("worker-1-*"):
            path.unlink()
        wait_for_leases(master, "worker-0", leased(master)["worker-0"] + 4)
        interrupt(first, signal.SIGTERM)
        first_ended = first.wait()
        ended = master.wait()
    folder = master.run_folder()
    history = run_folder.read(folder)
    workers = workers_of(folder)
    check_sums(history, LONG * PER_S)

    assert ended.code == 3, ended.output
    assert first_ended.code == 0, first_ended.output
    assert (workers["worker-0"]["ended"], workers["worker-1"]["ended"]) == ("sealed", "lost")
    assert 0 < len(history.of(Outcome.INDETERMINATE)) <= 3 * PER_S
    assert {a.kind for a in history.of(Outcome.INDETERMINATE)} <= {"worker", "killed"}
    assert len(history.of(Outcome.ACKED)) >= 2 * PER_S
    assert verdict(folder)["state"] == "INVALID"
    assert "did not seal its ledger" in ended.output
    assert history.ended_detail == "no worker is left"


def test_a_killed_workers_ledger_is_read_from_its_disk(runs: Path) -> None:
    """On the same machine nothing that it wrote is lost: what it never began is UNSENT, as its own record
    proves."""
    with led(runs, LONG, "--expect-workers", "2") as (master, found_by), ExitStack() as more:
        pair = [more.enter_context(locust(runs, *found_by)) for _ in range(2)]
        wait_for_leases(master, "worker-1", 4)
        interrupt(pair[1], signal.SIGKILL)
        pair[1].process.wait()
        interrupt(master, signal.SIGINT)
        ended = master.wait()
    folder = master.run_folder()
    history = run_folder.read(folder)
    check_sums(history, LONG * PER_S)

    assert ended.code == 3, ended.output
    assert sorted(w["ended"] for w in workers_of(folder).values()) == ["dead", "sealed"]
    assert {a.kind for a in history.of(Outcome.UNSENT)} == {"stopped"}
    assert {a.kind for a in history.of(Outcome.INDETERMINATE)} <= {"killed", "answer"}


def test_a_worker_that_stood_still_refuses_what_is_too_late_and_goes_on(runs: Path) -> None:
    """SIGSTOP for some slices: the other has the load meanwhile, nothing is sent twice, the sum is N."""
    with led(runs, LONG, "--expect-workers", "2") as (master, found_by), ExitStack() as more:
        pair = [more.enter_context(locust(runs, *found_by)) for _ in range(2)]
        wait_for_leases(master, "worker-1", 3)
        stopped = name_of(master, pair[1])
        other = {"worker-0": "worker-1", "worker-1": "worker-0"}[stopped]
        interrupt(pair[1], signal.SIGSTOP)
        wait_for_leases(master, other, leased(master)[other] + 5)
        stood = leased(master)[stopped]
        interrupt(pair[1], signal.SIGCONT)
        wait_for_leases(master, stopped, stood + 2)
        interrupt(master, signal.SIGINT)
        ended = master.wait()
    folder = master.run_folder()
    found = workers_of(folder)
    check_sums(run_folder.read(folder), LONG * PER_S)

    assert ended.code == 3, ended.output
    assert {w["ended"] for w in found.values()} == {"sealed"}
    assert found[stopped]["refused"] >= 1
    assert found[other]["leased"] > found[stopped]["leased"] > 0


def test_a_misfit_is_refused_and_told_why_at_both_ends(runs: Path, tmp_path: Path) -> None:
    """Another edition, and other options; Ctrl-C ends a master that waits for workers."""
    other = tmp_path / "other"
    for name in ("shapes", "chaos_hooks", "reports", "scenarios"):
        shutil.copytree(HOME / name, other / name, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    shutil.copy(HOME / "locustfile.py", other)
    with (other / "shapes/units.py").open("a") as file:
        file.write("# another edition\n")
    with led(runs, 2, "--expect-workers", "3") as (master, found_by):
        edition = locust(runs, *found_by, "--locustfile", str(other / "locustfile.py"), cwd=other)
        options = locust(runs, *found_by, "--chaos-rate", "3/s")
        with edition as one, options as two:
            ended = [one.wait(), two.wait()]
        interrupt(master, signal.SIGINT)
        stopped = master.wait()

    assert [e.code for e in ended] == [2, 2], [e.output for e in ended]
    assert "install the same on both" in ended[0].output
    assert f"--chaos-rate: it was given '3/s', the master '{PER_S}/s'; leave it out" in ended[1].output
    assert stopped.output.count("is refused: ") == 2
    assert stopped.code == 2, stopped.output
    assert "stopped by the user while it waited for workers" in stopped.output
    assert "Traceback" not in stopped.output + ended[0].output + ended[1].output
    assert not list(runs.glob("*/run.json"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--expect-workers-max-wait", "1"], "0 of 1 workers are ready; start others with locust --worker"),
        (["--chaos-target", "sandbx"], "unknown target 'sandbx'"),
    ],
)
def test_a_master_that_cannot_begin_says_one_sentence_and_exits_with_2(
    runs: Path, arguments: list[str], sentence: str
) -> None:
    """No worker came in time; or what is wrong without any is said before one is waited for."""
    with led(runs, 2, *arguments) as (master, _):
        ended = master.wait()

    assert ended.code == 2, ended.output
    assert sentence in ended.output
    assert "Traceback" not in ended.output
    assert not list(runs.glob("*/run.json"))
