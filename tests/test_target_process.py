"""A target that a command brings up: whatever the command does, one sentence, and nothing left of it."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import locust_process
import patched_process
import pytest

from chaos_hooks import target_process
from chaos_hooks.errors import SetupError
from chaos_hooks.target_process import TargetProcess
from shapes.target import Endpoints, Start

READY = {
    "event": "ready",
    "gateway_url": "http://127.0.0.1:20001",
    "sentinels": ["127.0.0.1:20002", "127.0.0.1:20003"],
    "redis_version": "7.2",
    "ready_after_s": 1.5,
}


def command(program: str) -> str:
    """Return a start command that runs a Python program."""
    return shlex.join([sys.executable, "-c", program])


def start(program: str, folder: Path, timeout_s: float = 30.0, *more: str) -> TargetProcess:
    """Start a Python program as a target."""
    return TargetProcess(Start(command(program), timeout_s), more, folder / "target.log")


def says(text: str) -> str:
    """Return a program that prints a line and waits for the end of its input."""
    return f"import sys; print({text!r}, flush=True); sys.stdin.read()"


def is_gone(pid: int) -> bool:
    """Return whether no such process lives."""
    return not locust_process.alive([(pid, stat[19])]) if (stat := locust_process._stat(pid)) else True


def test_a_ready_line_gives_the_endpoints_and_the_facts(tmp_path: Path) -> None:
    """What is no endpoint is a fact of the target; it ends when its input does."""
    target = start(says(json.dumps(READY)), tmp_path)
    endpoints, facts = target.wait_ready()
    alive = not target.died()
    target.stop()
    target.stop()

    assert endpoints == Endpoints(
        gateway_url="http://127.0.0.1:20001", sentinels=("127.0.0.1:20002", "127.0.0.1:20003")
    )
    assert facts == {"redis_version": "7.2", "ready_after_s": "1.5"}
    assert alive
    assert target.died()
    assert is_gone(target.pid)


def test_it_gets_the_further_arguments_and_keeps_its_errors(tmp_path: Path) -> None:
    """As words, not as the shell would read them; its standard error is a file of the run."""
    program = f"import sys; print(sys.argv[1:], file=sys.stderr); print({json.dumps(READY)!r}, flush=True)"
    target = start(program, tmp_path, 30.0, "--logs", "a b; $HOME")
    target.wait_ready()
    target.stop()

    assert (tmp_path / "target.log").read_text() == "['--logs', 'a b; $HOME']\n"


def test_python_is_the_interpreter_that_runs_this(tmp_path: Path) -> None:
    """So that a target file needs no path, and finds the packages installed here."""
    line = '{"event": "ready", "x": "%s"}'
    words = shlex.join(["python", "-c", f"import sys; print({line!r} % sys.executable)"])
    target = TargetProcess(Start(words, 30.0), (), tmp_path / "target.log")
    _, facts = target.wait_ready()
    target.stop()

    assert facts == {"x": sys.executable}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("/none/such --x", r"start\.command: '/none/such --x': No such file or directory; mend the command"),
        ("/etc/passwd", r"start\.command: '/etc/passwd': Permission denied; mend the command"),
        ("sandbox 'x", r"start\.command: \"sandbox 'x\": No closing quotation; mend the quotation marks"),
        ("  ", r"start\.command: is empty; write the program"),
    ],
)
def test_a_command_that_cannot_be_run_is_one_sentence(tmp_path: Path, words: str, sentence: str) -> None:
    """Before anything is started."""
    with pytest.raises(SetupError, match=sentence):
        TargetProcess(Start(words, 30.0), (), tmp_path / "target.log")


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (says('{"event": "failed", "error": "no Redis; install one"}'), r"^no Redis; install one$"),
        (
            says("Starting up ..."),
            r"printed b'Starting up \.\.\.\\n', wanted one line of JSON; it said nothing",
        ),
        (says('["ready"]'), r"wanted one line of JSON"),
        (says('{"event": "starting"}'), r"printed b'\{\"event\": \"starting\"\}"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\n')", r"printed b'\\xff\\xfe\\n'"),
        (
            "import sys; sys.exit('first\\nport 1 is taken')",
            r"ended before it was ready; its last words: port 1 is taken",
        ),
        ("pass", r"ended before it was ready; it said nothing"),
    ],
)
def test_a_target_that_does_not_get_ready_is_one_sentence(
    tmp_path: Path, program: str, sentence: str
) -> None:
    """What it printed, or its last words, or its own error; and it is gone."""
    target = start(program, tmp_path)
    with pytest.raises(SetupError, match=sentence):
        target.wait_ready()

    assert is_gone(target.pid)


def be_silent(folder: str) -> dict[str, Any]:
    """Wait for a target that prints no whole line, and tell what came of it."""
    program = "import sys; print('{\"event\":', end='', flush=True); sys.stdin.read()"
    target = start(program, Path(folder), 0.3)
    begun_s = time.monotonic()
    try:
        target.wait_ready()
    except SetupError as problem:
        return {"error": str(problem), "waited_s": time.monotonic() - begun_s, "gone": is_gone(target.pid)}
    raise AssertionError("it never was ready")


def test_a_target_that_says_nothing_in_time_is_given_up(tmp_path: Path) -> None:
    """After the target file's ready_timeout; half a line is none."""
    told = patched_process.call("test_target_process", "be_silent", str(tmp_path))

    assert "was not ready within 0.3s; it said nothing" in told["error"]
    assert told["waited_s"] >= 0.3
    assert told["gone"]


def test_who_ignores_the_end_of_its_input_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its process group, after it was given time to end by itself."""
    monkeypatch.setattr(target_process, "_STOP_TIMEOUT_S", 0.2)
    program = (
        "import json, os, time\n"
        "child = os.fork()\n"
        "if child: print(json.dumps({'event': 'ready', 'child': child}), flush=True)\n"
        "time.sleep(600)\n"
    )
    target = start(program, tmp_path)
    _, facts = target.wait_ready()
    target.stop()

    assert is_gone(target.pid)
    locust_process.until(lambda: is_gone(int(facts["child"])), within_s=20)


def test_a_target_that_dies_is_seen_and_stopping_it_does_no_harm(tmp_path: Path) -> None:
    """It may go at any time."""
    target = start(f"print({json.dumps(READY)!r}, flush=True)", tmp_path)
    target.wait_ready()
    locust_process.until(target.died, within_s=20)
    target.stop()

    assert target.died()


def test_an_argument_left_open_names_its_option() -> None:
    """The further arguments are read as a shell does, too."""
    with pytest.raises(SetupError, match=r"--chaos-start-args: '--x \"y': No closing quotation"):
        target_process.split("--chaos-start-args", '--x "y')
    assert target_process.split("--chaos-start-args", "--x 'a b'") == ["--x", "a b"]
