"""Proxy: one listening address in front of one server, with its toxics and its connections."""

import asyncio
import logging
import random
import socket
from typing import Any

from sandbox.toxiproxy import errors, listener, toxic
from sandbox.toxiproxy.connection import Connection
from sandbox.toxiproxy.errors import ApiError
from sandbox.toxiproxy.listener import Listener
from sandbox.toxiproxy.toxic import DOWNSTREAM, UPSTREAM, Toxic
from sandbox.toxiproxy.traffic import Traffic, TrafficBook

log = logging.getLogger("toxiproxy")


class Proxy:
    """Enabled it listens; disabled it refuses, and has no connections."""

    def __init__(self, name: str, listen: str, upstream: str, book: TrafficBook, rng: random.Random) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self._book = book
        self._rng = rng
        self._listener: Listener | None = None
        self._toxics: dict[str, list[Toxic]] = {UPSTREAM: [], DOWNSTREAM: []}
        self._connections: set[Connection] = set()
        self._arrivals: set[asyncio.Task[None]] = set()

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    @property
    def toxics(self) -> list[Toxic]:
        """All toxics, upstream ones first, each stream in the order of creation."""
        return self._toxics[UPSTREAM] + self._toxics[DOWNSTREAM]

    def described(self) -> dict[str, Any]:
        """As the API shows it; Logger is an accident of the original that clients have learned to skip."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "Logger": {},
            "toxics": [each.described() for each in self.toxics],
        }

    async def start(self) -> None:
        """Listen, unless it does. Raises ApiError."""
        if self.enabled:
            return
        try:
            address = await listener.resolve(self.listen)
        except ApiError as error:
            raise ApiError(error.status, f"listen tcp: {error.message}") from error
        self._listener = Listener(address, self._arrived)
        self.listen = self._listener.address

    async def stop(self) -> None:
        """Refuse, and drop every connection; when this returns it is done."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for arrival in self._arrivals:
            arrival.cancel()
        for connection in self._connections:
            connection.abort()
        while self._arrivals or self._connections:  # A turn or two of the loop, until the sockets are closed.
            await asyncio.sleep(0)

    async def differs(self, listen: str, upstream: str) -> bool:
        """Whether these are other addresses than it has. Raises ApiError."""
        return await listener.resolve(listen) != self.listen or upstream != self.upstream

    async def change(self, listen: str, upstream: str, enabled: bool) -> None:
        """Take these; other addresses drop every connection. Raises ApiError: then it is left disabled."""
        if await self.differs(listen, upstream):
            await self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled:
            await self.start()
        else:
            await self.stop()

    def toxic(self, name: str) -> Toxic:
        """The toxic of this name. Raises ApiError."""
        for each in self.toxics:
            if each.name == name:
                return each
        raise errors.toxic_not_found()

    def add_toxic(self, body: bytes) -> Toxic:
        """A new toxic, on existing connections too. Raises ApiError."""
        added = toxic.from_body(body, {each.name for each in self.toxics})
        self._toxics[added.direction].append(added)
        for connection in list(self._connections):
            connection.links[added.direction].add(added)
        return added

    def change_toxic(self, name: str, body: bytes) -> Toxic:
        """Other attributes, other toxicity. Raises ApiError."""
        changed = toxic.changed(self.toxic(name), body)
        chain = self._toxics[changed.direction]
        chain[:] = [changed if each.name == name else each for each in chain]
        for connection in list(self._connections):
            connection.links[changed.direction].change(changed)
        return changed

    def remove_toxic(self, name: str) -> None:
        """What the toxic holds is sent at once. Raises ApiError."""
        removed = self.toxic(name)
        self._toxics[removed.direction].remove(removed)
        for connection in list(self._connections):
            connection.links[removed.direction].remove(name)

    def remove_toxics(self) -> None:
        """All of them."""
        for each in self.toxics:
            self.remove_toxic(each.name)

    def _arrived(self, client: socket.socket) -> None:
        arrival = asyncio.ensure_future(self._connect(client))
        self._arrivals.add(arrival)
        arrival.add_done_callback(self._arrivals.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        """Connect to the upstream, then let data flow; when there is none the client sees an end."""
        loop = asyncio.get_running_loop()
        connection = Connection(self._connections.discard)
        try:
            await loop.connect_accepted_socket(lambda: connection.client, accepted)
            host, port = listener.split(self.upstream)
            await loop.create_connection(lambda: connection.server, host, port)
        except (OSError, ApiError) as error:
            log.warning("%s: no connection to %s: %s", self.name, self.upstream, error)
            connection.abort()
            return
        except asyncio.CancelledError:
            connection.abort()
            raise
        connection.link(self._toxics, self._traffic(), self._rng)
        if not (connection.client.is_lost and connection.server.is_lost):
            self._connections.add(connection)

    def _traffic(self) -> dict[str, Traffic]:
        return {
            direction: self._book.line(direction, self.name, self.listen, self.upstream)
            for direction in (UPSTREAM, DOWNSTREAM)
        }
