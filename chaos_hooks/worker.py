"""A worker process: it finds its master, compares clocks with it, and does what it is told."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
import gevent.event

from chaos_hooks import edition, options, orders, refusal
from chaos_hooks.delivery import Told
from chaos_hooks.options import Options
from chaos_hooks.peer_clock import PeerClock
from chaos_hooks.post import FLUSH_S, MESSAGE, Post, Send
from chaos_hooks.worker_run import WorkerRun

if TYPE_CHECKING:
    from locust.runners import WorkerRunner

_HELLO_S = 1.0
_PING_S = 1.0
_FIRST_PINGS, _FIRST_PING_S = 20, 0.02
_CLOCK_S = 5.0  # How often the master is told of the clocks' difference.
_LEAVE_S = 10.0


class Worker:
    """Sends what it is leased, in runs of the master's; a run that lost its master leases runs dry."""

    def __init__(
        self, runner: WorkerRunner, given: Options, told: Told, send: Send, end: Callable[[int], None]
    ) -> None:
        """Begin to look for the master.

        Args:
            send: sends a Locust message; what cannot be sent is as if it were lost.
            end: ends the process with an exit code.
        """
        self._send = send
        self._end = end
        self._given = given
        self._told = told
        self._post: Post | None = None
        self._name = ""
        self._run: WorkerRun | None = None
        self._clock = PeerClock()
        self._welcome = gevent.event.Event()
        runner.register_message(MESSAGE, self._on_message)
        gevent.spawn(self._hello)
        gevent.spawn(self._ping)
        gevent.spawn(self._flush)

    def leave(self) -> None:
        """Begin no more, and let the master have all that is known; return when it has, or soon after."""
        if self._run:
            self._run.finish(stop=True)
            self._run.join(_LEAVE_S)

    def _facts(self) -> dict[str, Any]:
        own, plain = asdict(self._given), asdict(options.ungiven())
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": edition.started(os.getpid()),
            "machine": edition.machine(),
            "edition": self._edition,
            "options": {k: v for k, v in own.items() if v != plain[k] and k != "runs_dir"},
        }

    def _hello(self) -> None:
        self._edition = edition.edition()
        while True:
            if not self._welcome.is_set():
                self._transmit({"kind": "hello", **self._facts()})
            gevent.sleep(_HELLO_S)

    def _ping(self) -> None:
        told_s = 0.0
        for count in range(sys.maxsize):
            self._welcome.wait()
            assert self._post
            self._post.tell("ping", asked_s=time.monotonic())
            gevent.sleep(_FIRST_PING_S if count < _FIRST_PINGS else _PING_S)
            estimate = self._clock.estimate(time.monotonic())
            if estimate and count >= _FIRST_PINGS - 1 and time.monotonic() - told_s >= _CLOCK_S:
                told_s = time.monotonic()
                self._post.send("clock", asdict(estimate))

    def _flush(self) -> None:
        while True:
            gevent.sleep(FLUSH_S)
            if self._post:
                self._post.flush()

    def _on_message(self, msg: Any, **_: Any) -> None:
        message = msg.data
        kind = message["kind"]
        if kind == "welcome":
            self._welcomed(message)
        elif kind == "who":
            self._welcome.clear()
        elif kind == "refused":
            self._refused(message["why"])
        elif self._post is None or message.get("session") != self._post.session:
            return
        elif kind == "pong":
            self._clock.add(message["asked_s"], message["theirs_s"], time.monotonic())
        elif kind == "wanted":
            if self._run and self._run.run_id == message["run"]:
                self._run.wanted(message["begins"])
        else:
            self._post.take(message)

    def _welcomed(self, message: dict[str, Any]) -> None:
        if self._post is None or self._post.session != message["session"]:
            if self._run:
                self._run.finish(stop=True)  # Of another master, which is no more.
            self._post = Post(message["session"], self._transmit, self._obey)
            self._name = message["name"]
        self._welcome.set()

    def _refused(self, why: str) -> None:
        self._end(refusal.say(f"the master refuses this worker: {why}"))

    def _obey(self, name: str, data: Any) -> None:
        if name == "run":
            self._begin(data)
        elif self._run is None or self._run.run_id != data["run"]:
            return
        elif name == "start":
            estimate = self._clock.estimate(time.monotonic())
            assert estimate
            self._run.start(data["zero_s"] + estimate.offset_s, data["zero_unix_s"], estimate)
        elif name == "lease":
            self._run.lease(data)
        elif name in ("stop", "finish"):
            self._run.finish(stop=name == "stop")

    def _begin(self, data: dict[str, Any]) -> None:
        if self._run:
            self._run.finish(stop=True)
        assert self._post
        folder = Path(self._given.runs_dir) / data["orders"]["run_id"] / "workers"
        self._run = WorkerRun(orders.from_wire(data["orders"]), folder, self._name, self._post, self._told)

    def _transmit(self, message: dict[str, Any]) -> None:
        self._send(MESSAGE, message, None)
