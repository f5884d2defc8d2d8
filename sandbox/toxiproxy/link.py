"""Link: one direction of one connection, from the socket that is read through the stages to the other one."""

import random
import time
from dataclasses import dataclass
from typing import Protocol

from sandbox.toxiproxy.cuts import LimitDataStage, ResetPeerStage, TimeoutStage
from sandbox.toxiproxy.delays import BandwidthStage, LatencyStage, SlicerStage, SlowCloseStage
from sandbox.toxiproxy.stage import Next, Stage
from sandbox.toxiproxy.toxic import Toxic
from sandbox.toxiproxy.traffic import Traffic

STAGES: dict[str, type[Stage]] = {
    "noop": Stage,
    "latency": LatencyStage,
    "bandwidth": BandwidthStage,
    "slow_close": SlowCloseStage,
    "timeout": TimeoutStage,
    "reset_peer": ResetPeerStage,
    "slicer": SlicerStage,
    "limit_data": LimitDataStage,
}


class Socket(Protocol):
    """A side of the connection as the links use it."""

    def write(self, data: bytes) -> None:
        """Send; dropped when the peer is gone."""

    def finish(self) -> None:
        """Close when all is sent."""

    def hold(self, on: bool) -> None:
        """Stop reading, or go on."""

    def reset(self) -> None:
        """End the whole connection with RST on both sides."""


@dataclass(slots=True)
class _Tail:
    """The end of the chain: the socket that is written to."""

    sink: Socket
    traffic: Traffic
    ended: bool = False

    def take(self, data: bytes, at_s: float) -> None:
        if not self.ended:
            self.traffic.sent += len(data)
            self.sink.write(data)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.sink.finish()


class Link:
    """The chain of one direction. Toxics are added at its end, as in Toxiproxy."""

    def __init__(self, source: Socket, sink: Socket, traffic: Traffic, rng: random.Random) -> None:
        self._source = source
        self._traffic = traffic
        self._rng = rng
        self._tail = _Tail(sink, traffic)
        self._stages: list[tuple[str, Stage]] = []
        self._first: Next = self._tail
        self._sink_is_full = False
        self._holding = False

    def take(self, data: bytes) -> None:
        """Data that was just read."""
        self._traffic.received += len(data)
        self._first.take(data, time.monotonic() if self._stages else 0.0)

    def end(self) -> None:
        """There is nothing more to read."""
        self._first.end()

    def add(self, toxic: Toxic) -> None:
        """A new toxic, which may spare this connection."""
        stage = STAGES[toxic.type](self, toxic.attributes, self._roll(toxic), self._rng)
        self._stages.append((toxic.name, stage))
        self._chain()
        stage.begin()

    def change(self, toxic: Toxic) -> None:
        """Other attributes or toxicity, under the same name."""
        for name, stage in self._stages:
            if name == toxic.name and not stage.closed:
                stage.change(toxic.attributes, self._roll(toxic))

    def remove(self, name: str) -> None:
        """The toxic is gone. A stage that has ended the stream stays, so that nothing comes after its end."""
        for entry in [entry for entry in self._stages if entry[0] == name and not entry[1].closed]:
            entry[1].leave()
            if not entry[1].closed:
                self._stages.remove(entry)
                self._chain()
        self.balance()

    def reset(self) -> None:
        """End the whole connection with RST on both sides."""
        self._tail.ended = True
        self._source.reset()

    def sink_is_full(self, full: bool) -> None:
        """The socket that is written to takes no more for now, or does again."""
        self._sink_is_full = full
        self.balance()

    def balance(self) -> None:
        """Read on only while there is room for what comes."""
        hold = self._sink_is_full or any(stage.held > stage.capacity for _, stage in self._stages)
        if hold != self._holding:
            self._holding = hold
            self._source.hold(hold)

    def _roll(self, toxic: Toxic) -> bool:
        return self._rng.random() < toxic.toxicity

    def _chain(self) -> None:
        after: Next = self._tail
        for _, stage in reversed(self._stages):
            stage.after = after
            after = stage
        self._first = after
