"""Processes for the tests of the Gateway: their output goes to a file, they are ended by their pid."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 20.0


def free_port() -> int:
    """A port nobody listens on, below the range from which outgoing connections take theirs."""
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port between 20000 and 32000")


def until(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of `condition`; fails when there is none in WAIT_S seconds."""
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not seen within {WAIT_S:.0f} s: {what}")


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Child:
    """A process with its output in a file; ended by its own pid."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("GATEWAY_", "KUBE"))
        }
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=inherited | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (no thread runs while children are started)
            )

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._process.terminate()

    def exit_code(self) -> int:
        """Wait for the end."""
        return self._process.wait(WAIT_S)


def listens(port: int) -> bool:
    """Whether a connection to the port is accepted."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
