"""Makes connections for a wire, a few at a time, without waiting."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

import gevent

from chaos_hooks import connection
from chaos_hooks.connection import ConnectError, Endpoint
from chaos_hooks.line import Line


class Dialer:
    """Tells ``made`` of each connection, ``failed`` why one was not made, and calls ``wake`` when it told of
    either from a greenlet of its own: a name's connections are made there, through the resolver."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float], timeout_s: float, poll: Any) -> None:
        self.made: Callable[[Line], None]
        self.failed: Callable[[str], None]
        self.wake: Callable[[], None]
        self.timeout_s = timeout_s
        self.connecting: dict[Line, None] = {}  # The first one is the oldest.
        self._by_fd: dict[int, Line] = {}
        self._resolving = 0
        self._endpoint = endpoint
        self._address = connection.literal(endpoint)
        self._clock = clock
        self._poll = poll

    @property
    def making(self) -> int:
        """Return how many connections are being made."""
        return len(self.connecting) + self._resolving

    def dial(self) -> None:
        """Begin to make a connection."""
        if self._address is None:
            self._resolving += 1
            gevent.spawn(self._connect_by_name)
            return
        try:
            line = Line(self._clock(), *self._address)
        except OSError as problem:
            self.failed(connection.describe(problem))
            return
        self._by_fd[line.fd] = line
        self.connecting[line] = None
        self._poll.register(line.fd, select.EPOLLOUT)

    def look(self, fd: int) -> None:
        """Take note that something happened to a connection that is being made, if it is one."""
        line = self._by_fd.get(fd)
        if line is None:
            return
        problem = line.connected()
        if problem:
            self.drop(line)
            self.failed(problem)
            return
        del self._by_fd[fd], self.connecting[line]
        self._poll.modify(fd, select.EPOLLIN)
        self.made(line)

    def drop(self, line: Line) -> None:
        """Give a connection up that is being made."""
        del self._by_fd[line.fd], self.connecting[line]
        line.sock.close()

    def _connect_by_name(self) -> None:
        try:
            line = Line.of(connection.connect(self._endpoint, self.timeout_s), self._clock())
        except ConnectError as problem:
            self._resolving -= 1
            self.failed(str(problem))
        else:
            self._resolving -= 1
            self._poll.register(line.fd, select.EPOLLIN)
            self.made(line)
        self.wake()
