"""The lines of a wire: all connections to one endpoint, and the requests on them or waiting for one."""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from gevent import monkey

from chaos_hooks import connection
from chaos_hooks.connection import Endpoint, Limits
from chaos_hooks.dialer import Dialer
from chaos_hooks.exchange import Exchange
from chaos_hooks.line import Heads, Line, Shot

EARLY_ANSWER_S = 0.5  # How long an answer is waited for when the request can no longer be sent.
LOOK_S = 0.0005  # An idle connection is looked at before use, unless all were looked at just now.
_CONNECTS_A_TURN = 8
_EVENTS_A_TURN = 64
_epoll = monkey.get_original("select", "epoll")


class Lines:
    """What `Wire` says of requests is done here, a turn at a time: nothing here waits. ``poll`` is the epoll
    set of all connections. ``wake`` is called when there is something to do that no connection told of."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float], limits: Limits) -> None:
        self.poll = _epoll()
        self.wake: Callable[[], None] = lambda: None
        self.max_idle = limits.max_idle
        self.idle: list[Line] = []
        self.waiting: OrderedDict[Shot, None] = (
            OrderedDict()
        )  # The first is the one that waits longest; so below.
        self.busy: OrderedDict[Line, None] = OrderedDict()
        self._clock = clock
        self._limits = limits
        self._heads = Heads()
        self._lines: dict[int, Line] = {}
        self._early: dict[Line, None] = {}
        self._looked_s = -1.0
        self._dialer = Dialer(endpoint, clock, limits.connect_timeout_s, self.poll)
        self._dialer.made, self._dialer.failed = self._made, self._fail_first
        self._dialer.wake = self._woken

    @property
    def pending(self) -> int:
        """Return how many requests are not done."""
        return len(self.waiting) + len(self.busy) + len(self._early)

    def launch(self, shot: Shot, *, look: bool) -> None:
        """Put a request on an idle connection, or let it wait for one; ``look`` if turns may be rare."""
        look = look or shot.since_s - self._looked_s > LOOK_S
        while self.idle and not self.waiting:
            line = self.idle.pop()
            if look and not connection.is_quiet(line.sock):
                self._drop(line)
            elif self._send(line, shot):
                return
        self.waiting[shot] = None

    def abandon(self, shot: Shot, why: str) -> None:
        """Give a request up, if it is not done, and close its connection."""
        if shot.line is not None and shot.line.shot is shot:
            self._finish(shot.line, why)
        elif shot in self.waiting:
            self._unsent(shot, why)

    def abandon_all(self, why: str) -> None:
        """Give up all that is not done; each of them is told."""
        for line in [*self.busy, *self._early]:
            self._finish(line, why)
        for shot in list(self.waiting):
            self._unsent(shot, why)

    def close(self) -> None:
        """Close the idle connections, and each other one when it is done."""
        self.max_idle = 0
        while self.idle:
            self._drop(self.idle[-1])

    def turn(self) -> None:
        """Do what can be done now."""
        if self.waiting:
            self._connect_some()
        self._events()
        self._expire(self._clock())

    def rest_s(self, now_s: float) -> float | None:
        """Return how long nothing is to be done unless a connection says something; None for ever."""
        if self.waiting and self._may_connect():
            return 0.0
        firsts = [(next(iter(each), None), timeout_s) for each, timeout_s in self._timeouts()]
        due_s = [first.since_s + timeout_s for first, timeout_s in firsts if first is not None]
        return max(0.0, min(due_s) - now_s) if due_s else None

    def _events(self) -> None:
        self._looked_s = self._clock()
        for fd, event in self.poll.poll(0, _EVENTS_A_TURN):
            line = self._lines.get(fd)
            if line is None:
                self._dialer.look(fd)
            elif event & select.EPOLLOUT and line.left is not None and not line.error:
                self._go_on(line)
            else:
                self._receive(line)

    def _timeouts(self) -> tuple[tuple[dict[Any, None], float], ...]:
        return (
            (self.waiting, self._limits.connect_timeout_s),
            (self._dialer.connecting, self._limits.connect_timeout_s),
            (self.busy, self._limits.answer_timeout_s),
            (self._early, EARLY_ANSWER_S),
        )

    def _expire(self, now_s: float) -> None:
        for lines, timeout_s in self._timeouts():
            while lines:
                first = next(iter(lines))
                if first.since_s + timeout_s > now_s:
                    break
                self._timed_out(first)

    def _timed_out(self, first: Any) -> None:
        if isinstance(first, Shot):
            most = self._limits.max_connections
            self._unsent(first, f"none of {most} was free" if len(self._lines) >= most else "timed out")
            connecting = self._dialer.connecting
            if len(connecting) > len(self.waiting):
                self._dialer.drop(next(iter(connecting)))
        elif first in self._dialer.connecting:
            self._dialer.drop(first)
            self._fail_first("timed out")
        elif first in self.busy and first.left is not None:
            self._await_early(first, "timed out")
        else:
            self._finish(first, first.error or "timed out")

    def _may_connect(self) -> bool:
        making = self._dialer.making
        return making < len(self.waiting) and len(self._lines) + making < self._limits.max_connections

    def _connect_some(self) -> None:
        for _ in range(_CONNECTS_A_TURN):
            if not self._may_connect():
                return
            self._dialer.dial()

    def _woken(self) -> None:
        self.wake()

    def _made(self, line: Line) -> None:
        self._lines[line.fd] = line
        self._use(line)

    def _use(self, line: Line) -> None:
        """Give a free connection to who waits longest, or keep it."""
        if self.waiting:
            shot, _ = self.waiting.popitem(last=False)
            if not self._send(line, shot):
                self.waiting[shot] = None
                self.waiting.move_to_end(shot, last=False)
            return
        if len(self.idle) < self.max_idle:
            self.idle.append(line)
        else:
            self._drop(line)

    def _drop(self, line: Line) -> None:
        if line.shot is None and line in self.idle:
            self.idle.remove(line)
        if self._lines.pop(line.fd, None) is not None:
            line.sock.close()

    def _send(self, line: Line, shot: Shot) -> bool:
        """Put a request on a free connection; return False if that took not one byte, and is gone."""
        line.load(shot, self._clock())
        line.begin(self._clock)
        if line.error and not line.took and not line.fresh:
            # Closed between the look and the first send: another one may take it.
            line.shot, shot.line = None, None
            self._drop(line)
            return False
        if line.error:
            self._await_early(line, line.error)
            return True
        self.busy[line] = None
        if line.left is not None:
            self.poll.modify(line.fd, select.EPOLLIN | select.EPOLLOUT)
        return True

    def _go_on(self, line: Line) -> None:
        line.push(self._clock)
        if line.error:
            self._await_early(line, line.error)
        elif line.left is None:
            self.poll.modify(line.fd, select.EPOLLIN)

    def _await_early(self, line: Line, why: str) -> None:
        """Read what may have been answered before the whole request was there: who refuses a large body
        early (413) answers, then closes on the rest of it."""
        self.busy.pop(line, None)
        line.error, line.since_s = why, self._clock()
        self._early[line] = None
        self.poll.modify(line.fd, select.EPOLLIN)

    def _receive(self, line: Line) -> None:
        if line.shot is None:
            self._drop(line)  # An idle connection that closed, or says what nobody asked for.
            return
        got = line.receive(self._heads)
        if isinstance(got, str):
            self._finish(line, line.error or got)
        elif got is not None:
            self._answered(line, *got)

    def _answered(self, line: Line, status: int, body: bytes) -> None:
        """End a request that was answered whole, in one piece, on a connection that stays."""
        shot = line.shot
        assert shot
        del self.busy[line]
        line.shot, line.fresh = None, False
        self._use(line)
        shot.done(shot.tag, Exchange("done", line.sent_s, self._clock(), status, body, ""))

    def _finish(self, line: Line, error: str) -> None:
        shot = line.shot
        assert shot
        self.busy.pop(line, None)
        self._early.pop(line, None)
        exchange = line.result(error, self._clock())
        stays = line.response is not None and line.response.reusable and line.left is None
        line.shot, line.fresh = None, False
        if stays:
            self._use(line)
        else:
            self._drop(line)
        shot.done(shot.tag, exchange)

    def _unsent(self, shot: Shot, why: str) -> None:
        del self.waiting[shot]
        shot.done(shot.tag, Exchange("connect", None, self._clock(), None, b"", f"connect: {why}"))

    def _fail_first(self, why: str) -> None:
        """A connection that was tried could not be made: who waits longest was not sent."""
        if self.waiting:
            self._unsent(next(iter(self.waiting)), why)
