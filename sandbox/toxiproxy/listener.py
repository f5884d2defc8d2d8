"""Listener: the socket on which a proxy waits for clients, opened and closed at once; Go's error texts."""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable

from sandbox.toxiproxy.errors import ApiError

_BACKLOG = 512
_FULL_PAUSE_S = 0.05  # out of file descriptors: do not spin until one is free

log = logging.getLogger("toxiproxy")


def split(address: str) -> tuple[str, int]:
    """Host and port of 'host:port' or '[v6]:port'; '' is ':0'. Raises ApiError with what Go's net says."""
    if not address:
        return "", 0
    host, colon, port = address.rpartition(":")
    if not colon:
        raise ApiError(500, f"address {address}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ApiError(500, f"address {address}: too many colons in address")
    if port and not (port.isdecimal() and int(port) <= 65535):
        raise ApiError(500, f"address {port}: invalid port")
    return host, int(port or 0)


def join(host: str, port: int) -> str:
    """'host:port', with brackets around a v6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def resolve(address: str) -> str:
    """The address with the host as a number, as it is shown and compared. Raises ApiError."""
    host, port = split(address)
    if not host:
        return f":{port}"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ApiError(500, f"lookup {host}: {error.strerror}") from error
    first = min(found, key=lambda entry: entry[0] != socket.AF_INET)  # v4 before v6, as Go does
    return join(str(first[4][0]), port)


class Listener:
    """A listening socket; `accepted` gets each connection. Raises ApiError when it cannot listen."""

    def __init__(self, address: str, accepted: Callable[[socket.socket], None]) -> None:
        host, port = split(address)
        self._accepted = accepted
        self._socket = _open(host, port)
        bound = self._socket.getsockname()
        self.address = join(bound[0], bound[1])
        self._resume: asyncio.TimerHandle | None = None
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        try:
            client, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            log.error("%s: cannot accept: %s", self.address, error)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            self._resume = loop.call_later(_FULL_PAUSE_S, loop.add_reader, self._socket, self._accept)
            return
        client.setblocking(False)
        self._accepted(client)

    def close(self) -> None:
        """From now on clients are refused."""
        if self._resume is not None:
            self._resume.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


def _open(host: str, port: int) -> socket.socket:
    """A bound, listening socket; without a host for v6 and v4 alike."""
    any_host = not host
    family = socket.AF_INET6 if ":" in host or (any_host and socket.has_dualstack_ipv6()) else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by what is accepted, so that not even the first segment waits.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6 and any_host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno or errno.EIO)
        text = reason[0].lower() + reason[1:]
        raise ApiError(500, f"listen tcp {join(host, port)}: bind: {text}") from error
    listener.setblocking(False)
    return listener
