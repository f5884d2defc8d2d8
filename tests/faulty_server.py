"""A server that misbehaves in one named way (see faulty_modes), what it received, and a sender to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from chaos_hooks.exchange import Exchange
from chaos_hooks.sender import Sender

MODES = Path(__file__).with_name("faulty_modes.py")
WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Record:
    """What a server saw: complete requests by their bodies (long ones by their first 40 characters),
    connections accepted, and connections that are over."""

    delivered: tuple[str, ...]
    connections: int
    closed: int


class FaultyServer:
    """A faulty server and the way to ask it; a context manager."""

    def __init__(self, mode: str, argument: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", MODES, mode, argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port: int = self._answer()["port"]
        self.url = f"http://127.0.0.1:{self.port}/api/v1/signals/prometheus"

    def __enter__(self) -> FaultyServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=WAIT_S)

    def record(self) -> Record:
        """Return what it saw so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"?\n")
        self._process.stdin.flush()
        got = self._answer()
        return Record(tuple(got["delivered"]), got["connections"], got["closed"])

    def until(self, condition: Callable[[Record], bool]) -> Record:
        """Return the first record that fulfils the condition; fail if none does in WAIT_S."""
        end_s = time.monotonic() + WAIT_S
        while not condition(seen := self.record()):
            assert time.monotonic() < end_s, f"not in {WAIT_S} s: {seen}"
            time.sleep(0.01)
        return seen

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def sender_to(url: str, **options: Any) -> Sender:
    timeouts = {"connect_timeout_s": 5.0, "answer_timeout_s": 10.0, **options}
    return Sender(url, headers={"X-Test": "yes"}, clock=time.monotonic, **timeouts)


def post_once(mode: str, body: bytes = b"alert", **options: Any) -> tuple[Exchange, Record]:
    """Post once, hang up, and return what the sender says and what the server saw in the end."""
    with FaultyServer(mode) as server:
        sender = sender_to(server.url, **options)
        exchange = sender.post(body)
        sender.close()
        return exchange, server.until(lambda seen: seen.closed == seen.connections)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, letting other greenlets run; fail if it does not in WAIT_S."""
    with gevent.Timeout(WAIT_S, TimeoutError(f"not in {WAIT_S} s")):
        while not condition():
            gevent.sleep(0.01)
