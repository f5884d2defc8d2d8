"""Sandbox runner: how the tests start `python -m sandbox`, ask its control API, see what is left of it."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import requests

CHECKOUT = Path(__file__).resolve().parent.parent
DEADLINE_S = 30.0  # for conditions that hold within a second or two on an idle machine

# A Gateway that knows only /readyz, and leaves a daemon that is nobody's child, in a session of its own.
GATEWAY = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
folder = sys.argv[1]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
with open(os.path.join(folder, "environment.json"), "w") as file:
    json.dump(dict(os.environ), file)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
host, port = os.environ["GATEWAY_LISTEN_ADDR"].split(":")
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""


def gateway_command(folder: Path, program: str = GATEWAY) -> str:
    """A --gateway-command that runs this program with the folder as its argument."""
    file = folder / "stand_in_gateway.py"
    file.write_text(program, encoding="utf-8")
    return shlex.join([sys.executable, str(file), str(folder)])


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of the condition; fails the test when there is none in time."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)
    return value


def is_dead(process: psutil.Process) -> bool:
    """Gone or a zombie; another process with the same number does not count."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Sandbox:
    """A keeper, started by us or by another, that has said its line."""

    def __init__(self, pid: int, line: str) -> None:
        self.event: dict[str, Any] = json.loads(line)
        self.keeper = psutil.Process(pid)

    @property
    def directory(self) -> Path:
        """The run directory."""
        return Path(self.event["kubeconfig"]).parent

    def family(self) -> list[psutil.Process]:
        """The keeper and all its descendants, as of now."""
        return [self.keeper, *self.keeper.children(recursive=True)]

    def post(self, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        """POST to the control API."""
        return requests.post(self.event["control_url"] + path, json=body, timeout=DEADLINE_S)

    def components(self) -> dict[str, dict[str, Any]]:
        """GET /components, by name."""
        answer = requests.get(self.event["control_url"] + "/components", timeout=DEADLINE_S)
        assert answer.status_code == 200
        return {component["name"]: component for component in answer.json()["components"]}


def spawn(*arguments: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """`python -m sandbox` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=CHECKOUT,
        env={"SANDBOX_PROMETHEUS": "off", **os.environ},
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
    )


def ready(keeper: subprocess.Popen[str]) -> Sandbox:
    """The sandbox of a keeper that says it is ready."""
    assert keeper.stdout is not None
    line = keeper.stdout.readline()
    assert '"ready"' in line, line
    return Sandbox(keeper.pid, line)


def failure(*arguments: str) -> str:
    """The error of a sandbox that cannot be had; nothing of it is left."""
    keeper = spawn(*arguments)
    assert keeper.stdout is not None
    line = keeper.stdout.readline()  # before stdin is closed: that would be another reason to end
    keeper.communicate(timeout=DEADLINE_S)
    event = json.loads(line)
    assert (event["event"], keeper.returncode) == ("failed", 1), event
    return str(event["error"])
