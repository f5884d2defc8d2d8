"""The sender's TCP and TLS connections: made within a deadline, looked at before they are used again."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import ssl
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import monkey, socket

# The kernel's own poll, patched or not: it answers at once, and unlike select it takes descriptors
# above 1023.
_poll = monkey.get_original("select", "poll")


class ConnectError(Exception):
    """No connection was made; the message is short, and the same for every such failure."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where connections go; ``tls`` is a gevent.ssl.SSLContext, or None for plain TCP."""

    host: str
    port: int
    tls: Any = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sender allows itself; `chaos_hooks.sender.Sender` tells what each means."""

    connect_timeout_s: float
    answer_timeout_s: float
    max_idle: int
    max_connections: int


def connect(endpoint: Endpoint, timeout_s: float) -> Any:
    """Return a connected socket with Nagle's delay off, its TLS handshake done if there is one.

    The timeout covers all of it: the name's resolution, every address it has, and the handshake.

    Raises:
        ConnectError: if there is none; not a byte of a request was sent.
    """
    with gevent.Timeout(timeout_s, False):
        try:
            return _connect(endpoint)
        except OSError as problem:
            raise ConnectError(describe(problem)) from None
    raise ConnectError("timed out")


def is_quiet(sock: Any) -> bool:
    """Return whether an idle connection is fit for use: not closed, not broken, no unasked bytes to read."""
    watch = _poll()
    watch.register(sock.fileno(), select.POLLIN | select.POLLPRI)
    return not watch.poll(0)


def describe(problem: OSError) -> str:
    """Return what went wrong without addresses and ids, so that equal failures read the same."""
    if isinstance(problem, socket.gaierror):
        return "name not resolved"
    if isinstance(problem, ssl.SSLError):
        return f"TLS: {problem.reason or type(problem).__name__}"
    if problem.errno is None:
        return "timed out" if isinstance(problem, TimeoutError) else type(problem).__name__
    return os.strerror(problem.errno)


def literal(endpoint: Endpoint) -> tuple[int, Any] | None:
    """Return family and address of an IPv4 literal; None of a name, which needs the resolver, and so a turn
    in gevent's pool of ten threads."""
    try:
        ipaddress.IPv4Address(endpoint.host)
    except ValueError:
        return None
    return socket.AF_INET, (endpoint.host, endpoint.port)


def _connect(endpoint: Endpoint) -> Any:
    last = OSError(errno.EADDRNOTAVAIL, "")
    for family, address in _addresses(endpoint):
        try:
            return _open(endpoint, family, address)
        except OSError as problem:
            last = problem
    raise last


def _addresses(endpoint: Endpoint) -> list[tuple[int, Any]]:
    known = literal(endpoint)
    if known:
        return [known]
    found = socket.getaddrinfo(endpoint.host, endpoint.port, 0, socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _open(endpoint: Endpoint, family: int, address: Any) -> Any:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.connect(address)
        if sock.getsockname() == sock.getpeername():
            # Nobody listens: the kernel chose the very port that was called, and the socket met itself.
            raise OSError(errno.ECONNREFUSED, "")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls is None:
            return sock
        # An end without TLS's own farewell must be an error: it may be a cut.
        return endpoint.tls.wrap_socket(sock, server_hostname=endpoint.host, suppress_ragged_eofs=False)
    except BaseException:
        sock.close()
        raise
