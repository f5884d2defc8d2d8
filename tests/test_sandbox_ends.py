"""The sandbox leaves no process and no file behind, however it ends; a start that fails is such an end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import sandbox_runner as runner

# Starts a keeper with the arguments it got, passes its line on, and waits to be killed.
RUNNER = """
import subprocess, sys, time
own_pipe = sys.argv[1] == "own-pipe"
stdin = subprocess.PIPE if own_pipe else None
command = [sys.executable, "-m", "sandbox", *sys.argv[2:]]
keeper = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True)
print(keeper.pid, keeper.stdout.readline(), end="", flush=True)
time.sleep(600)
"""


def expect_no_trace(family: list[psutil.Process], directory: Path) -> None:
    """All dead, the files gone; there were eight components, the keeper and the gateway's daemon."""
    assert len(family) >= 10
    runner.wait_until(lambda: all(map(runner.is_dead, family)), f"the end of {family}", deadline_s=10)
    runner.wait_until(lambda: not directory.exists(), f"the removal of {directory}", deadline_s=10)


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGINT"])
def test_asked_to_end(tmp_path: Path, end: str) -> None:
    """EOF, SIGTERM and SIGINT each end everything, also a daemon that left its session, with status 0."""
    keeper = runner.spawn("--gateway-command", runner.gateway_command(tmp_path))
    sandbox = runner.ready(keeper)
    family, directory = sandbox.family(), sandbox.directory
    if end == "stdin":
        assert keeper.stdin is not None
        keeper.stdin.close()
    else:
        keeper.send_signal(signal.Signals[end])
    assert keeper.wait(timeout=10) == 0
    expect_no_trace(family, directory)


@pytest.mark.parametrize(
    ("pipe", "option"), [("own-pipe", "--ignore-sigint"), ("pipe-held-by-another", "--die-with-parent")]
)
def test_runner_is_killed(tmp_path: Path, pipe: str, option: str) -> None:
    """SIGKILL of the runner: by the end of its pipe, or, when another holds the pipe open, by its death."""
    parent = subprocess.Popen(
        [sys.executable, "-c", RUNNER, pipe, option, "--gateway-command", runner.gateway_command(tmp_path)],
        cwd=runner.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    pid, line = parent.stdout.readline().split(" ", 1)
    sandbox = runner.Sandbox(int(pid), line)
    family, directory = sandbox.family(), sandbox.directory
    if option == "--ignore-sigint":
        sandbox.keeper.send_signal(signal.SIGINT)
        assert all(component["state"] == "running" for component in sandbox.components().values())
    parent.kill()
    parent.wait()
    expect_no_trace(family, directory)
    parent.stdin.close()


def test_keeper_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the keeper ends its children at once; the next start sweeps files and daemon."""
    keeper = runner.spawn("--gateway-command", runner.gateway_command(tmp_path))
    sandbox = runner.ready(keeper)
    family, directory = sandbox.family(), sandbox.directory
    children = [psutil.Process(component["pid"]) for component in sandbox.components().values()]
    keeper.kill()
    keeper.wait()
    runner.wait_until(lambda: all(map(runner.is_dead, children)), f"the end of {children}", deadline_s=10)
    assert directory.exists()
    error = runner.failure("--gateway-command", f"{sys.executable} -c pass")
    assert "exited with 0 before it was ready" in error
    expect_no_trace(family, directory)


def test_ended_before_it_was_ready(tmp_path: Path) -> None:
    """A runner that goes while the sandbox starts leaves nothing; who still reads is told."""
    logs = tmp_path / "logs"
    keeper = runner.spawn("--dir", str(tmp_path / "home"), "--logs", str(logs))
    runner.wait_until(lambda: (logs / "sentinel-2.log").exists() or keeper.poll() is not None, "half a start")
    family = [psutil.Process(keeper.pid), *psutil.Process(keeper.pid).children(recursive=True)]
    out, _ = keeper.communicate(timeout=10)
    assert "ended before it was ready: stdin is at its end" in out
    assert keeper.returncode == 1
    assert all(map(runner.is_dead, family))
    assert not (tmp_path / "home").exists()


def test_crashing_gateway(tmp_path: Path) -> None:
    """The error names the component, how it ended, and its last lines."""
    crash = "import sys; print('no such table: alerts'); sys.exit(3)"
    error = runner.failure(
        "--gateway-command", runner.gateway_command(tmp_path, crash), "--dir", str(tmp_path / "home")
    )
    assert error.startswith(
        "sandbox: gateway: exited with 3 before it was ready; last log lines: no such table: alerts"
    )
    assert "; mend: " in error
    assert not (tmp_path / "home").exists()


def test_port_taken_by_a_faster_program(tmp_path: Path) -> None:
    """A picked port that turns out taken costs another try, not the run."""
    unlucky = f"""
import os, sys
if not os.path.exists(sys.argv[1] + "/tried"):
    open(sys.argv[1] + "/tried", "w").write(os.environ["GATEWAY_LISTEN_ADDR"])
    sys.exit("OSError: [Errno 98] Address already in use")
{runner.GATEWAY}"""
    keeper = runner.spawn("--gateway-command", runner.gateway_command(tmp_path, unlucky))
    sandbox = runner.ready(keeper)
    family, directory = sandbox.family(), sandbox.directory
    assert (tmp_path / "tried").read_text() not in sandbox.event["gateway_url"]
    keeper.communicate(timeout=10)
    expect_no_trace(family, directory)


def test_gateway_port_in_use(tmp_path: Path) -> None:
    """A port that was asked for is not exchanged for another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = runner.failure("--gateway-port", str(port), "--gateway-command", "true")
    assert error == (
        f"sandbox: gateway: --gateway-port: port {port} on 127.0.0.1 cannot be used: Address already in use; "
        "mend: end what uses it, or leave the option out"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--redis-server", "/nonexistent"],
            "sandbox: /nonexistent: No such file or directory; mend: pip install",
        ),
        (["--redis-server", "/bin/echo"], "sandbox: /bin/echo: is no redis-server or valkey-server; mend: "),
        (
            ["--ready-timeout", "15"],
            "sandbox: argument --ready-timeout: '15' is no duration with a unit; write",
        ),
        (["--gateway-command", "/nonexistent"], "sandbox: gateway: cannot be started: "),
        (["--dir", os.path.dirname(__file__)], "is not empty, and is removed at the end; mend: name a new"),
    ],
)
def test_options_that_cannot_be_used(arguments: list[str], error: str) -> None:
    """One clear sentence with place and mend."""
    assert error in runner.failure(*arguments)


def test_stdin_that_is_at_its_end() -> None:
    """Started with /dev/null a keeper would end at once: it says so, instead of nothing."""
    keeper = runner.spawn(stdin=subprocess.DEVNULL)
    out, _ = keeper.communicate(timeout=10)
    assert (keeper.returncode, "mend: start it with a pipe that stays open" in out) == (1, True)
