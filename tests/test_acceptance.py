"""As a user runs it: `locust --headless` on the sandbox; good Gateways pass, defects are convicted."""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path

import pytest
from locust_process import HOME, SHORT, alive, headless, interrupt, locust, statuses, until, verdict

from reports import folder as run_folder
from reports.history import Outcome


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return an empty folder for runs."""
    return tmp_path / "runs"


def test_the_good_gateway_passes_and_nothing_stays_behind(runs: Path) -> None:
    """Exit 0, every format written, exactly the planned alerts in the ledger, no process left."""
    with locust(runs, "--headless", "--chaos-scenario", "redis-master-failure") as process:
        process.wait_for("injected: redis-0")
        started = process.descendants()
        ended = process.wait()
    folder = process.run_folder()
    history = run_folder.read(folder)

    assert ended.code == 0, ended.output
    assert set(statuses(folder).values()) == {"PASS"}
    assert len(started) >= 7
    assert alive(started) == []
    assert {a.number for a in history.attempts} == set(range(875))
    assert history.sealed
    assert {"report.html", "report.md", "verdict.json", "junit.xml"} <= {p.name for p in folder.iterdir()}
    assert {"redis-0.log", "sentinel-0.log", "gateway.log", "kubernetes-api.log"} <= {
        p.name for p in (folder / "logs").iterdir()
    }
    assert "PASS: 0 of 875 acknowledged alerts lost, at most 0.35% at 95 %." in ended.output
    assert "report.html" in ended.output


def test_acked_then_dropped_alerts_are_convicted_with_their_ids(runs: Path) -> None:
    """The Gateway says 201 and creates nothing while Redis fails over: only zero_loss convicts, by name."""
    ended = headless(runs, "--chaos-start-args", "--gateway-defects ack-then-drop-on-redis-failure")
    found = statuses(runs / "latest")
    got = verdict(runs / "latest")

    assert ended.code == 1, ended.output
    assert [name for name, status in found.items() if status == "FAIL"] == ["zero_loss"]
    assert len(got["account"]["lost_ids"]) > 5
    assert all(lost in (runs / "latest/report.md").read_text() for lost in got["account"]["lost_ids"])
    assert got["account"]["lost_ids"][0] in ended.output


def test_a_breaker_that_never_opens_is_convicted(runs: Path) -> None:
    """No alert is lost, and yet the run fails."""
    ended = headless(runs, "--chaos-start-args", "--gateway-defects breaker-never-opens")
    found = statuses(runs / "latest")

    assert ended.code == 1, ended.output
    assert [name for name, status in found.items() if status == "FAIL"] == ["breaker_opens"]
    assert found["zero_loss"] == "PASS"


def test_without_a_fault_the_run_is_invalid_not_passed(runs: Path) -> None:
    """Nothing was shown, so nothing passes."""
    ended = headless(runs, "--chaos-no-faults")

    assert ended.code == 3, ended.output
    assert verdict(runs / "latest")["state"] == "INVALID"
    assert "INVALID, neither passed nor failed: fault_bit" in ended.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_heals_collects_and_is_invalid(runs: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM while the fault is on: it is healed, the truth is read, what there is is judged."""
    with locust(runs, "--headless", "--chaos-scenario", SHORT) as process:
        process.wait_for("injected: redis-0")
        started = process.descendants()
        interrupt(process, number)
        ended = process.wait()
    folder = process.run_folder()
    history = run_folder.read(folder)

    assert ended.code == 3, ended.output
    assert "fault primary-down healed" in ended.output
    assert verdict(folder)["state"] == "INVALID"
    assert alive(started) == []
    assert history.ended == "interrupted"
    assert history.sealed
    assert history.resources
    assert history.injections[0].ended


def test_a_killed_runner_leaves_no_process_and_its_record_can_be_judged(runs: Path) -> None:
    """SIGKILL: the sandbox dies along, the ledger holds, the next run sweeps what the journal names."""
    with locust(runs, "--headless", "--chaos-scenario", SHORT) as process:
        process.wait_for("injected: redis-0")
        started = process.descendants()
        interrupt(process, signal.SIGKILL)
        process.wait()
    killed = process.run_folder()
    until(lambda: not alive(started), lambda: f"still alive: {alive(started)}", 10)
    history = run_folder.read(killed)
    judged = _reports(killed, "--format", "json")
    after = headless(runs)

    assert len(history.of(Outcome.ACKED)) >= 40
    assert len(history.attempts) == history.run.planned
    assert judged.returncode == 3
    assert "the process that ran it died" in judged.stdout
    assert f"swept primary-down of {killed.name}" in after.output
    assert after.code == 0, after.output


def test_a_foreign_gateway_takes_the_reference_ones_place(runs: Path, tmp_path: Path) -> None:
    """Any program is run with the documented environment; here one that starts the reference Gateway."""
    program = tmp_path / "gateway.py"
    seen = tmp_path / "environment.json"
    program.write_text(
        "import json, os, pathlib, runpy, sys\n"
        f"sys.path.insert(0, {str(HOME)!r})\n"
        f"pathlib.Path({str(seen)!r}).write_text(json.dumps(dict(os.environ)))\n"
        "runpy.run_module('sandbox.gateway', run_name='__main__')\n"
    )
    ended = headless(runs, "--chaos-gateway-command", f"{sys.executable} {program}")
    environment = json.loads(seen.read_text())

    assert ended.code == 0, ended.output
    assert {"GATEWAY_LISTEN_ADDR", "GATEWAY_REDIS_ADDR", "GATEWAY_REDIS_SENTINELS", "KUBECONFIG"} <= set(
        environment
    )


def test_a_full_disk_ends_the_run_and_keeps_the_record(runs: Path) -> None:
    """When the record cannot grow, the run ends with a sentence, heals, and is never passed."""
    with locust(runs, "--headless", "--chaos-scenario", SHORT) as process:
        process.wait_for("fault primary-down injected")
        started = process.descendants()
        # From here on, and for the generator alone: no file grows beyond what the observations have already.
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (24_000, 24_000))
        ended = process.wait()
    history = run_folder.read(process.run_folder())

    assert ended.code == 3, ended.output
    assert "cannot be written (File too large)" in ended.output
    assert history.of(Outcome.ACKED)
    assert alive(started) == []


BAD = {
    "unknown scenario": (
        ["--chaos-scenario", "redis-master-failur"],
        "--chaos-scenario: unknown scenario 'redis-master-failur'; did you mean 'redis-master-failure'?",
    ),
    "no scenario": ([], "--chaos-scenario: is missing; there are: "),
    "no such file": (
        ["--chaos-scenario", "./none.yaml"],
        "none.yaml: cannot be read (No such file or directory)",
    ),
    "unknown target": (
        ["--chaos-scenario", SHORT, "--chaos-target", "sandbx"],
        "--chaos-target: unknown target 'sandbx'; did you mean 'sandbox'?",
    ),
    "target that does not answer": (
        ["--chaos-scenario", SHORT, "--chaos-target-url", "http://127.0.0.1:1"],
        "http://127.0.0.1:1/readyz: does not answer",
    ),
    "target that is not loopback": (
        ["--chaos-scenario", SHORT, "--chaos-target-url", "http://192.0.2.1:8080"],
        "--chaos-target-url: http://192.0.2.1:8080 is not loopback; if you mean to load and break it, "
        "say so with --chaos-allow-target 192.0.2.1",
    ),
    "target that is no URL": (
        ["--chaos-scenario", SHORT, "--chaos-target-url", "gateway:8080"],
        "--chaos-target-url: 'gateway:8080' is no URL",
    ),
    "no Redis binary": (
        ["--chaos-scenario", SHORT, "--chaos-start-args", "--redis-server /nonexistent/redis-server"],
        "/nonexistent/redis-server",
    ),
    "gateway that dies": (
        ["--chaos-scenario", SHORT, "--chaos-gateway-command", "false"],
        "gateway",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_exit_2_before_the_first_alert(runs: Path, name: str) -> None:
    """File, place and mend; nothing is sent, nothing stays behind."""
    arguments, sentence = BAD[name]
    with locust(runs, "--headless", *arguments) as process:
        ended = process.wait()

    assert ended.code == 2, ended.output
    assert sentence in ended.output
    assert "Traceback" not in ended.output
    assert not list(runs.glob("*/ledger*"))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("- zero_loss", "- zero_los", "criteria[0]: unknown criterion 'zero_los'; there are: "),
        ("within: 5s", "withn: 5s", "criteria[4].breaker_opens: breaker_opens: unknown option 'withn_s'"),
        ("inject: process", "inject: proces", "paces.quick.faults[0].inject: unknown injector 'proces'"),
        ("component: redis-primary", "component: redis-9", "no component 'redis-9'; there are: "),
        (
            "rate: 20/s, for: 2s",
            "rate: 20, for: 2s",
            "paces.quick.phases[0].rate: 20 has no unit; write 20/s",
        ),
        ("title: Redis", "title: [Redis", "YAML error"),
    ],
)
def test_a_bad_scenario_is_one_sentence_and_exit_2(
    runs: Path, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    """The sentence names the file and the place in it."""
    text = Path(SHORT).read_text()
    assert old in text
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace(old, new, 1))
    with locust(runs, "--headless", "--chaos-scenario", str(path)) as process:
        ended = process.wait()

    assert ended.code == 2, ended.output
    assert "bad.yaml" in ended.output
    assert sentence in ended.output
    assert "Traceback" not in ended.output


def test_a_port_in_use_is_named(runs: Path) -> None:
    """The Gateway's port can be chosen; a taken one is one sentence."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = headless(runs, "--chaos-gateway-port", str(port))

    assert ended.code == 2, ended.output
    assert str(port) in ended.output
    assert "Traceback" not in ended.output


def test_options_stand_in_a_config_file_and_in_the_environment(runs: Path, tmp_path: Path) -> None:
    """Command line, then environment, then file, as Locust has it; an unknown name proves it was read."""
    config = tmp_path / "locust.conf"
    config.write_text("headless = true\nchaos-scenario = from-the-file\n")
    with locust(runs, "--config", str(config)) as process:
        by_file = process.wait()
    with locust(runs, "--headless", env={"CHAOS_SCENARIO": "from-the-environment"}) as process:
        by_environment = process.wait()

    assert "unknown scenario 'from-the-file'" in by_file.output
    assert "unknown scenario 'from-the-environment'" in by_environment.output


def _reports(*arguments: object):  # type: ignore[no-untyped-def]
    import subprocess

    words = [sys.executable, "-m", "reports", *map(str, arguments)]
    return subprocess.run(words, cwd=HOME, capture_output=True, text=True, timeout=60, check=False)
