"""The pool: a wire's connections, those that are open, those of them that are idle, those being made."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any

from chaos_hooks.connection import Endpoint, Limits
from chaos_hooks.dialer import Dialer
from chaos_hooks.line import Line

_CONNECTS_A_TURN = 8


class Pool:
    """Connections to one endpoint. ``open`` holds them by their descriptors, ``idle`` the last used at its
    end; at most ``max_idle`` are kept. ``made`` and ``failed`` are told as `Dialer` says."""

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Callable[[], float],
        limits: Limits,
        poll: Any,
        made: Callable[[Line], None],
        failed: Callable[[str], None],
    ) -> None:
        self.open: dict[int, Line] = {}
        self.idle: list[Line] = []
        self.max_idle = limits.max_idle
        self.dialer = Dialer(endpoint, clock, limits.connect_timeout_s, poll)
        self.dialer.made, self.dialer.failed = made, failed
        self._most = limits.max_connections

    @property
    def full(self) -> bool:
        """Return whether no more may be open."""
        return len(self.open) >= self._most

    def may_connect(self, waiting: Sized) -> bool:
        """Return whether those that wait for a connection may have another one made."""
        making = self.dialer.making
        return making < len(waiting) and len(self.open) + making < self._most

    def connect_some(self, waiting: Sized) -> None:
        """Begin to make connections for those that wait, not too many in one turn."""
        for _ in range(_CONNECTS_A_TURN):
            if not self.may_connect(waiting):
                return
            self.dialer.dial()

    def keep(self, line: Line) -> None:
        """Have a free connection idle, if it may be."""
        if len(self.idle) < self.max_idle:
            self.idle.append(line)
        else:
            self.drop(line)

    def drop(self, line: Line) -> None:
        """Close a connection, unless it is closed."""
        if line.shot is None and line in self.idle:
            self.idle.remove(line)
        if self.open.pop(line.fd, None) is not None:
            line.sock.close()

    def close(self) -> None:
        """Close the idle connections, and have no other one idle."""
        self.max_idle = 0
        while self.idle:
            self.drop(self.idle[-1])
