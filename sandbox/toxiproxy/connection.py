"""Connection: a client, the server it is led to, and the two links between them."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from sandbox.toxiproxy.link import Link
from sandbox.toxiproxy.toxic import DOWNSTREAM, UPSTREAM, Toxic
from sandbox.toxiproxy.traffic import Traffic

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s


class Side(asyncio.Protocol):
    """One of the two sockets."""

    def __init__(self, lost: Callable[[], None], reset_both: Callable[[], None]) -> None:
        self.outgoing: Link | None = None  # where what this side says goes; None: not linked yet
        self.incoming: Link | None = None
        self.transport: asyncio.Transport | None = None
        self.is_lost = False
        self._early: list[bytes] = []  # What came before there was a link: the event loop may read once.
        self._early_end = False
        self._lost = lost
        self._reset_both = reset_both

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """No reading before there is a link; small segments go at once, as a delayed ACK costs 40 ms."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Into the link."""
        if self.outgoing is not None:
            self.outgoing.take(data)
        else:
            self._early.append(data)
            self.hold(True)

    def eof_received(self) -> bool:
        """The end, too, goes through the toxics; this side stays open for what comes the other way."""
        self._ends()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Closed by us, by the peer or by the network: for the other side it is an end."""
        self.is_lost = True
        self._ends()
        self._lost()

    def _ends(self) -> None:
        if self.outgoing is not None:
            self.outgoing.end()
        else:
            self._early_end = True

    def begin(self) -> None:
        """Both links are there: what came early goes first."""
        assert self.outgoing is not None
        self.hold(False)
        for data in self._early:
            self.outgoing.take(data)
        self._early.clear()
        if self._early_end:
            self.outgoing.end()

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        if self.incoming is not None:
            self.incoming.sink_is_full(True)

    def resume_writing(self) -> None:
        """The peer has read."""
        if self.incoming is not None:
            self.incoming.sink_is_full(False)

    def write(self, data: bytes) -> None:
        """Send; dropped when the peer is gone."""
        if self.transport is not None and not self.is_lost:
            self.transport.write(data)

    def finish(self) -> None:
        """Close when all is sent."""
        if self.transport is not None:
            self.transport.close()

    def hold(self, on: bool) -> None:
        """Stop reading, or go on."""
        if self.transport is None or self.is_lost or self.transport.is_closing():
            return
        if on:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def reset(self) -> None:
        """End the whole connection with RST on both sides."""
        self._reset_both()

    def abort(self, with_reset: bool = False) -> None:
        """Close now, whatever is still to be sent."""
        if self.transport is None or self.is_lost:
            return
        if with_reset:
            option = (socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.get_extra_info("socket").setsockopt(*option)
        self.transport.abort()


class Connection:
    """Client and server; `over` is called once, when both are gone."""

    def __init__(self, over: Callable[["Connection"], None]) -> None:
        self.client = Side(self._one_lost, self._reset)
        self.server = Side(self._one_lost, self._reset)
        self.links: dict[str, Link] = {}
        self._over = over

    def link(
        self, toxics: Mapping[str, Sequence[Toxic]], traffic: Mapping[str, Traffic], rng: random.Random
    ) -> None:
        """Both sides are connected: let data flow through the toxics."""
        client, server = self.client, self.server
        self.links[UPSTREAM] = Link(client, server, traffic[UPSTREAM], rng)
        self.links[DOWNSTREAM] = Link(server, client, traffic[DOWNSTREAM], rng)
        client.outgoing = server.incoming = self.links[UPSTREAM]
        server.outgoing = client.incoming = self.links[DOWNSTREAM]
        for direction, link in self.links.items():
            for toxic in toxics[direction]:
                link.add(toxic)
        for side in (client, server):
            side.begin()

    def abort(self) -> None:
        """Close both sides now."""
        self.client.abort()
        self.server.abort()

    def _reset(self) -> None:
        self.client.abort(with_reset=True)
        self.server.abort(with_reset=True)

    def _one_lost(self) -> None:
        if self.links and self.client.is_lost and self.server.is_lost:
            self._over(self)
