"""One run as a worker has it: leases in, alerts out at their due times, its ledger's bytes to the master."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.queue

from chaos_hooks import emission, orders
from chaos_hooks.clock import RunClock
from chaos_hooks.delivery import Told
from chaos_hooks.emitter import Emitter
from chaos_hooks.errors import RecordError
from chaos_hooks.ledger import Ledger
from chaos_hooks.orders import Orders
from chaos_hooks.peer_clock import Estimate
from chaos_hooks.post import NO_MORE, Post
from chaos_hooks.usage import Usage
from shapes.alerts import Planned

STREAM_S = 0.05
UNDER_WAY = 256 * 1024  # Bytes of the ledger that may be on their way at once: 6,000 alerts, 5 MB/s.
_AGAIN_S = 1.0  # What was not taken for so long is sent again.
_FIGURES_S = 0.5
_STALE_S = 5.0


class WorkerRun:
    """A lease is accepted in time, or refused for ever; what is accepted is sent once, what is said is kept.

    The ledger is written to this machine's disk first, in ``workers/`` of the run's folder, and streamed from
    there; the master has all of it when `join` returns.
    """

    def __init__(self, told: Orders, folder: Path, name: str, post: Post, say: Told) -> None:
        self.run_id = told.run_id
        self._orders = told
        self._name = name
        self._post = post
        self._clock = RunClock()
        self._started = gevent.event.Event()
        self._said: dict[int, bool] = {}
        self._leases: gevent.queue.Queue[list[Planned] | None] = gevent.queue.Queue()
        self._stopping = self._finishing = self._abandoned = False
        self._error_s = 0.0
        self._wanted = self._sent_to = 0
        self._moved_s = time.monotonic()
        self._over = gevent.event.Event()
        self._usage = Usage()
        self._ledger: Ledger | None = None
        self._emitter: Emitter | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._ledger = Ledger(folder / f"{name}-{os.getpid()}.bin")
        except (OSError, RecordError) as problem:
            self._fail(problem)
            return
        self._sender = emission.connect(told, self._clock)
        self._emitter = emission.emitter(told, self._sender, self._ledger, self._clock, say, self._fail)
        self._send("prepared", {"path": str(self._ledger.path.resolve())})
        gevent.spawn(self._carry)
        gevent.spawn(self._stream)
        gevent.spawn(self._tell)

    def start(self, zero_s: float, zero_unix_s: float, estimate: Estimate) -> None:
        """Learn when second 0 is, on this machine's clock, as far as that is known."""
        self._clock.start_at(zero_s, zero_unix_s)
        self._error_s = estimate.error_s
        self._started.set()
        self._send("started", {"offset_s": estimate.offset_s, "error_s": estimate.error_s})

    def lease(self, data: dict[str, Any]) -> None:
        """Answer a lease: accepted, or refused, as it came too late or nothing more is begun."""
        number = data["lease"]
        if number not in self._said:
            now_s = self._clock.now() + self._error_s
            able = self._started.is_set() and not self._stopping and not self._finishing
            self._said[number] = able and now_s <= data["accept_by_s"]
            if self._said[number]:
                self._leases.put(orders.alerts_from_wire(data))
        self._send("answer", {"lease": number, "accepted": self._said[number]})

    def finish(self, *, stop: bool) -> None:
        """Take no more leases and seal the ledger when the answers are in; with ``stop``, begin no more."""
        if stop and not self._stopping:
            self._stopping = True
            if self._emitter:
                self._emitter.stop()
        if not self._finishing:
            self._finishing = True
            self._started.set()
            self._leases.put(None)

    def join(self, for_s: float) -> None:
        """Return when the master has everything, or after so many seconds."""
        self._over.wait(for_s)

    def wanted(self, begins: int) -> None:
        """Learn from where on the master wants the ledger."""
        if begins == NO_MORE:
            self._abandoned = True
        elif begins != self._wanted:
            self._wanted = begins
            self._moved_s = time.monotonic()

    def _carry(self) -> None:
        """Send what is leased, slice by slice; then wait for the answers, and seal."""
        assert self._emitter
        assert self._ledger
        self._started.wait()
        try:
            while (alerts := self._leases.get()) is not None:
                self._emitter.emit(self._in_time(alerts))
            self._emitter.finish()
            self._emitter.stop()
            self._emitter.drain(self._orders.connect_timeout_s + self._orders.answer_timeout_s + 1.0)
            self._sender.close()
            self._ledger.seal()
        except Exception as problem:  # noqa: BLE001 - told to the master, whose run ends by it.
            self._fail(problem)

    def _in_time(self, alerts: list[Planned]) -> Iterator[Planned]:
        """Yield alerts, but for those that a process that stood still would send long after their time: the
        run may be over. They stay unsent."""
        for alert in alerts:
            if self._clock.now() - alert.due_s <= _STALE_S:
                yield alert

    def _stream(self) -> None:
        """Send the ledger as it grows, a piece at a time, until the master has its seal."""
        assert self._ledger
        while not self._abandoned and not (self._ledger.sealed and self._wanted >= self._ledger.size):
            if self._sent_to > self._wanted and time.monotonic() - self._moved_s > _AGAIN_S:
                self._sent_to, self._moved_s = self._wanted, time.monotonic()
            while self._sent_to - self._wanted < UNDER_WAY:
                piece = self._ledger.chunk(self._sent_to)
                if not piece:
                    break
                if self._sent_to == self._wanted:
                    self._moved_s = time.monotonic()
                self._post.tell("rows", run=self.run_id, begins=self._sent_to, data=piece)
                self._sent_to += len(piece)
                gevent.sleep(0)
            gevent.sleep(STREAM_S)
        self._over.set()

    def _tell(self) -> None:
        """Tell the master how far it is, for those who watch."""
        assert self._ledger
        over = False
        while not over:
            over = self._over.wait(_FIGURES_S)
            counts = {outcome.value: count for outcome, count in self._ledger.counts.items()}
            told = {"begun": self._ledger.begun, "counts": counts, "used": self._usage.used()}
            self._post.tell("figures", run=self.run_id, **told)

    def _fail(self, problem: BaseException) -> None:
        self._send("trouble", {"what": f"{self._name}: {problem}"})

    def _send(self, name: str, data: dict[str, Any]) -> None:
        self._post.send(name, {"run": self.run_id, **data})
