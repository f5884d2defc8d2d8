"""Ports: loopback ports for servers that are killed and started again, each held for the sandbox alone.

A picked port stays bound, without listening, by the keeper. Linux then lets a server that sets SO_REUSEADDR
bind it and listen, while no other picker can take it and the kernel never hands it out to an outgoing
connection. A client that hammers a dead port is refused, and can neither meet a stranger nor connect to
itself.
"""

import random
import socket
from collections.abc import Iterable

HOST = "127.0.0.1"
LOW = 20000
HIGH = 32000  # below 32768, where the usual range of outgoing ports begins


class PortError(Exception):
    """No port to be had; the message says which, and the mend."""


class Ports:
    """Picks ports from [low, high), or these numbers, no port twice in one life."""

    def __init__(
        self,
        rng: random.Random | None = None,
        low: int = LOW,
        high: int = HIGH,
        numbers: Iterable[int] = (),
    ) -> None:
        order = list(numbers) or list(range(low, high))
        (rng or random.Random()).shuffle(order)
        self._untried = order
        self._held: dict[int, socket.socket] = {}

    def pick(self) -> int:
        """A port that nobody has bound, from now on held. Raises PortError when all are taken."""
        while self._untried:
            port = self._untried.pop()
            holder = socket.socket()
            try:
                holder.bind((HOST, port))
            except OSError:
                holder.close()
                continue
            # Set after the bind: the bind itself was exclusive, and the server to come may share.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held[port] = holder
            return port
        raise PortError(
            "no free port left on 127.0.0.1 between 20000 and 32000; mend: end programs that hold them"
        )

    def release(self, port: int) -> None:
        """Stop holding a port: for a server that may not set SO_REUSEADDR."""
        holder = self._held.pop(port, None)
        if holder is not None:
            holder.close()

    def close(self) -> None:
        """Release every port."""
        for port in list(self._held):
            self.release(port)


def require_free(port: int) -> None:
    """Raises PortError when a server could not listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError as error:
            raise PortError(f"port {port} on {HOST} cannot be used: {error.strerror}") from error
