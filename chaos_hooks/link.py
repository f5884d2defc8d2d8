"""A channel for commands over messages that may be lost: each arrives, once and in order.

It is pure: it owns no clock and sends nothing. What it carries are commands, never alerts: a lease that comes
twice is the same lease, and whoever got it says again what it said before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RESEND_S = 0.3
WINDOW = 32  # So many are under way at once; the rest waits.


@dataclass(slots=True)
class _Sent:
    name: str
    data: Any
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """A command with its place in the order, counted from 1."""

    place: int
    name: str
    data: Any


class Link:
    """One end of the channel; the other one is a Link, too."""

    def __init__(self) -> None:
        self._sending: dict[int, _Sent] = {}
        self._last = 0
        self._early: dict[int, Packet] = {}
        self.upto = 0  # What was received whole, and the other end is to be told.

    @property
    def idle(self) -> bool:
        """Return whether the other end has everything that was sent."""
        return not self._sending

    def send(self, name: str, data: Any) -> None:
        """Take a command; `due` will tell when it goes out."""
        self._last += 1
        self._sending[self._last] = _Sent(name, data)

    def due(self, now_s: float) -> list[Packet]:
        """Return what is to go out now: what is new, and what was not acknowledged for a while."""
        packets = []
        for place in sorted(self._sending)[:WINDOW]:
            sent = self._sending[place]
            if sent.at_s is None or now_s - sent.at_s >= RESEND_S:
                sent.at_s = now_s
                packets.append(Packet(place, sent.name, sent.data))
        return packets

    def acknowledged(self, upto: int) -> None:
        """Forget what the other end has: everything up to a place."""
        for place in [place for place in self._sending if place <= upto]:
            del self._sending[place]

    def receive(self, packet: Packet) -> list[Packet]:
        """Return the commands that can be obeyed now, in order; none twice."""
        if packet.place > self.upto:
            self._early[packet.place] = packet
        ready = []
        while self.upto + 1 in self._early:
            self.upto += 1
            ready.append(self._early.pop(self.upto))
        return ready
