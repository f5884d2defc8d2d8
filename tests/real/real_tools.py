"""The real programs that the sandbox imitates: where they are, and the skip that names a missing one."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
INSTALLED = CHECKOUT / ".tools" / "bin"  # Where `make real` puts what no package manager has.
DEADLINE_S = 60.0


def find(name: str) -> str:
    """Return the program's path, of those that `make real` installed or of PATH; empty if there is none."""
    return shutil.which(name, path=os.pathsep.join((str(INSTALLED), os.environ.get("PATH", "")))) or ""


def needs(*names: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test, naming what it lacks."""
    lacking = [name for name in names if not find(name)]
    return pytest.mark.skipif(
        bool(lacking), reason=f"needs the real {' and '.join(lacking)}; `make real` installs what it can"
    )


@contextmanager
def running(
    command: list[str], log: Path, ready: Callable[[], bool], env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it is ready when ``ready`` says so."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=env, cwd=log.parent)
    try:
        until(ready, lambda: f"{command[0]}: {log.read_text(errors='replace')[-3000:]}", process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(
    condition: Callable[[], bool],
    told: Callable[[], str] = str,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait for a condition, or fail the test after the deadline or when the process ended."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, told()
        assert process is None or process.poll() is None, told()
        threading.Event().wait(0.05)
