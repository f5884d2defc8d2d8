"""A target that a command brings up: started before the run, gone after it, however the run ends."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import gevent

from chaos_hooks import alertmanager, description
from chaos_hooks.errors import SetupError
from chaos_hooks.options import HOME, Options
from shapes.scenario import Scenario
from shapes.target import Endpoints, Start, Target

_STOP_TIMEOUT_S = 10.0


class TargetProcess:
    """The started command. Its contract: one line of JSON with ``"event": "ready"`` and its endpoints on
    standard output, or ``"event": "failed"`` and an error; it ends when its standard input does, so that it
    also ends when this process is killed.
    """

    def __init__(self, start: Start, more: Sequence[str], stderr: Path) -> None:
        words = split("start.command", start.command)
        if not words:
            raise SetupError("start.command: is empty; write the program that brings the target up")
        command = [sys.executable if w == "python" else w for w in words] + list(more)
        self._stderr_path = stderr
        self._timeout_s = start.ready_timeout_s
        self._shown = start.command
        try:
            with stderr.open("ab") as errors:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=HOME,
                    # Of its own session: a Ctrl-C in the terminal is ours to handle, and the target must
                    # outlive it until its faults are healed and its truth is read.
                    start_new_session=True,
                )
        except OSError as problem:
            raise SetupError(
                f"start.command: {start.command!r}: {problem.strerror}; mend the command"
            ) from None

    @property
    def pid(self) -> int:
        """Return the process id of the command."""
        return self._process.pid

    def wait_ready(self) -> tuple[Endpoints, dict[str, str]]:
        """Return the endpoints and the other facts it announced.

        Raises:
            SetupError: if it fails, or does not get ready in time.
        """
        assert self._process.stdout is not None
        line, what = b"", f"was not ready within {self._timeout_s:g}s"
        with gevent.Timeout(self._timeout_s, False):
            line = self._process.stdout.readline()
            what = f"printed {line[:80]!r}, wanted one line of JSON" if line else "ended before it was ready"
        try:
            announced = json.loads(line)
        except ValueError:
            announced = None
        if isinstance(announced, dict) and announced.get("event") == "ready":
            return _endpoints(announced), _facts(announced)
        self.stop()
        if isinstance(announced, dict) and announced.get("error"):
            raise SetupError(str(announced["error"]))
        last = self._last_words() or "it said nothing"
        raise SetupError(f"start.command: {self._shown!r} {what}; {last}")

    def announced(self, target: Target, say: Callable[[str], None]) -> tuple[Endpoints, dict[str, str]]:
        """Return what it announced, and the endpoints that the target file insists on; see `wait_ready`."""
        found, facts = self.wait_ready()
        endpoints = description.merge(found, target.endpoints)
        shown = ", ".join(f"{k} {v}" for k, v in facts.items() if k in ("ready_after_s", "redis_version"))
        say(f"target is ready at {endpoints.gateway_url} ({shown})")
        return endpoints, facts

    def stop(self) -> None:
        """End it: close its input, wait, and kill it by its process id when it does not go."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):  # It went in this very moment.
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()

    def died(self) -> bool:
        """Return whether it ended by itself."""
        return self._process.poll() is not None

    def _last_words(self) -> str:
        lines = self._stderr_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"its last words: {lines[-1]}" if lines else ""


def begun(target: Target, more: Sequence[str], folder: Path, say: Callable[[str], None]) -> TargetProcess:
    """Return the started command, with what a run adds to it; its last words go to the folder's logs."""
    assert target.start
    say(f"starting {target.title}")
    return TargetProcess(target.start, more, folder / "logs" / "target.log")


def split(place: str, text: str) -> list[str]:
    """Return the words of a command line, as a shell reads them.

    Raises:
        SetupError: naming the place, if a quotation is left open.
    """
    try:
        return shlex.split(text)
    except ValueError as problem:
        raise SetupError(f"{place}: {text!r}: {problem}; mend the quotation marks") from None


def arguments(scenario: Scenario, options: Options, folder: Path, relay_url: str = "") -> list[str]:
    """Return what a run adds to its target's start command; at ``relay_url`` a relay listens that an
    Alertmanager is to post to in the Gateway's place.

    Raises:
        SetupError: naming the place, if a quotation is left open.
    """
    more = ["--logs", str((folder / "logs").resolve())]
    for flag, value in (
        ("--gateway-command", options.gateway_command),
        ("--gateway-port", options.gateway_port),
        ("--alertmanager-relay", relay_url),
    ):
        more += [flag, str(value)] if value else []
    if options.gateway_command:
        more += ["--gateway-cwd", str(Path.cwd())]  # Where the user typed it; relative paths mean that.
    more += alertmanager.START if scenario.through else ()
    more += split(f"scenarios/{scenario.name}.yaml: start_args", scenario.start_args)
    return more + split("--chaos-start-args", options.start_args)


def _endpoints(announced: dict[str, Any]) -> Endpoints:
    known = {f.name for f in fields(Endpoints)}
    given = {key: value for key, value in announced.items() if key in known}
    if "sentinels" in given:
        given["sentinels"] = tuple(given["sentinels"])
    return Endpoints(**given)


def _facts(announced: dict[str, Any]) -> dict[str, str]:
    known = {f.name for f in fields(Endpoints)} | {"event"}
    return {key: str(value) for key, value in announced.items() if key not in known}
