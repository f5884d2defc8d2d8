"""One end of the talk between master and worker, over Locust's messages, which may be lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chaos_hooks.link import Link, Packet

MESSAGE = "alertstorm"  # The only type of Locust message that is used, in both directions.
FLUSH_S = 0.05
NO_MORE = -1  # The place in a ledger that is wanted next, when nobody gathers it any more.

Transmit = Callable[[dict[str, Any]], None]
Send = Callable[[str, Any, "str | None"], None]  # A Locust message, by its type, data and worker.


class Post:
    """Sends commands so that each is obeyed once, in order; other messages as they are.

    ``session`` names what both ends agreed on when they met: what an earlier acquaintance sends is ignored.
    ``transmit`` raises nothing: what cannot be sent is as if it were lost on the way. ``obey`` is called in
    Locust's receiving loop: it must not block.
    """

    def __init__(self, session: str, transmit: Transmit, obey: Callable[[str, Any], None]) -> None:
        self.session = session
        self.heard_s = time.monotonic()
        self._transmit = transmit
        self._obey = obey
        self._link = Link()

    @property
    def idle(self) -> bool:
        """Return whether the other end has obeyed every command."""
        return self._link.idle

    def send(self, name: str, data: Any = None) -> None:
        """Send a command; it is repeated until the other end has it."""
        self._link.send(name, data)
        self.flush()

    def flush(self) -> None:
        """Send what is new, and again what was not acknowledged; to be called all `FLUSH_S`."""
        for packet in self._link.due(time.monotonic()):
            self.tell("command", place=packet.place, name=packet.name, data=packet.data)

    def tell(self, kind: str, **more: Any) -> None:
        """Send a message that may be lost."""
        self._transmit({"kind": kind, "session": self.session, **more})

    def take(self, message: dict[str, Any]) -> bool:
        """Take a message of the channel itself; return whether it was one."""
        if message.get("session") != self.session:
            return True
        self.heard_s = time.monotonic()
        if message["kind"] == "command":
            ready = self._link.receive(Packet(message["place"], message["name"], message["data"]))
            self.tell("have", upto=self._link.upto)
            for packet in ready:
                self._obey(packet.name, packet.data)
            return True
        if message["kind"] == "have":
            self._link.acknowledged(message["upto"])
            return True
        return False
