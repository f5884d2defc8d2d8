"""The lines of a wire: all connections to one endpoint, and the requests on them or waiting for one."""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from gevent import monkey

from chaos_hooks import connection
from chaos_hooks.connection import Endpoint, Limits
from chaos_hooks.deadlines import Deadline, Deadlines
from chaos_hooks.exchange import Done, Exchange
from chaos_hooks.line import Heads, Line
from chaos_hooks.loops import EVENTS_A_TURN, RECEIVE_BYTES, Loops, Shot
from chaos_hooks.pool import Pool

EARLY_ANSWER_S = 0.5  # How long an answer is waited for when the request can no longer be sent.
LOOK_S = 0.0005  # An idle connection is looked at before use, unless all were looked at just now.
_epoll = monkey.get_original("select", "epoll")


class Lines:
    """What `Wire` says of requests is done here, a turn at a time: nothing here waits. ``poll`` is the epoll
    set of all connections. ``wake`` is called when there is something to do that no connection told of."""

    def __init__(
        self, endpoint: Endpoint, clock: Callable[[], float], limits: Limits, wake: Callable[[], None]
    ) -> None:
        self.poll = _epoll()
        self.waiting: OrderedDict[Shot, None] = OrderedDict()  # The first waits longest; so below.
        self.busy: OrderedDict[Line, None] = OrderedDict()
        self._early: dict[Line, None] = {}
        self._clock = clock
        self._most = limits.max_connections
        self._heads = Heads()
        self.pool = Pool(endpoint, clock, limits, self.poll, self._made, self._fail_first)
        self._dialer = self.pool.dialer
        self._dialer.wake = wake
        self._loops = Loops(self.poll, clock, self.pool, self.waiting, self.busy, self._heads.known, Exchange)
        connect_s = limits.connect_timeout_s
        self._deadlines = Deadlines(
            Deadline(self.waiting, connect_s, self._waited),
            Deadline(self._dialer.connecting, connect_s, self._undialed),
            Deadline(self.busy, limits.answer_timeout_s, self._unanswered),
            Deadline(self._early, EARLY_ANSWER_S, lambda line: self._finish(line, line.error)),
        )

    @property
    def pending(self) -> int:
        """Return how many requests are not done."""
        return len(self.waiting) + len(self.busy) + len(self._early)

    def launch(self, shot: Shot) -> None:
        """Put a request on an idle connection that is fit for it, or let it wait for one."""
        idle = self.pool.idle
        while idle and not self.waiting:
            line = idle.pop()
            if not connection.is_quiet(line.sock):
                self.pool.drop(line)
            elif self._loops.hand_over(self, line, shot):
                return
        self.waiting[shot] = None

    def launch_all(self, requests: Sequence[bytes], tags: Sequence[Any], done: Done) -> None:
        """Do it with several, from the loop: all connections are looked at once, unless just now."""
        now_s = self._clock()
        late = now_s - self._loops.looked_s > LOOK_S
        if late and self._loops.events(self) == EVENTS_A_TURN:  # There may be more to see.
            for request, tag in zip(requests, tags, strict=True):
                self.launch(Shot(request, tag, done, now_s))
            return
        self._loops.launch(self, requests, tags, done, now_s)

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

    def turn(self) -> None:
        """Do what can be done now; what took too long is for `expire`."""
        if self.waiting:
            self.pool.connect_some(self.waiting)
        self._loops.events(self)

    def expire(self, now_s: float) -> None:
        """End what took too long."""
        self._deadlines.expire(now_s)

    def rest_s(self, now_s: float) -> float | None:
        """Return how long nothing is to be done unless a connection says something; None for ever."""
        return 0.0 if self.waiting and self.pool.may_connect(self.waiting) else self._deadlines.rest_s(now_s)

    # What `Loops` leaves to its owner:

    def look(self, fd: int) -> None:
        """Look at a connection that is being made."""
        self._dialer.look(fd)

    def odd(self, line: Line, event: int) -> None:
        """Do what an event asks for that is not the beginning of an answer."""
        if event & select.EPOLLOUT and line.left is not None and not line.error:
            self._go_on(line)
        elif line.shot is None:
            self.pool.drop(line)  # An idle connection that closed, or says what nobody asked for.
        else:
            try:
                data = line.recv(RECEIVE_BYTES)
            except OSError as problem:
                self.failed(line, problem)
            else:
                self.take(line, data)

    def take(self, line: Line, data: bytes) -> None:
        """Read what came of an answer."""
        over = line.take(data, self._heads)
        if over is not None:
            self._finish(line, line.error or over)

    def failed(self, line: Line, problem: OSError) -> None:
        """Do what an error asks for that came instead of an answer."""
        if not isinstance(problem, BlockingIOError):
            self._finish(line, line.error or connection.describe(problem))

    def _waited(self, shot: Shot) -> None:
        self._unsent(shot, f"none of {self._most} was free" if self.pool.full else "timed out")
        connecting = self._dialer.connecting
        if len(connecting) > len(self.waiting):
            self._dialer.drop(next(iter(connecting)))

    def _undialed(self, line: Line) -> None:
        self._dialer.drop(line)
        self._fail_first("timed out")

    def _unanswered(self, line: Line) -> None:
        if line.left is not None:
            self._await_early(line, "timed out")
        else:
            self._finish(line, "timed out")

    def _made(self, line: Line) -> None:
        self.pool.open[line.fd] = line
        self._loops.use(self, line)

    def keep(self, line: Line) -> None:
        """Keep a free connection."""
        self.pool.keep(line)

    def send_rest(self, line: Line, shot: Shot, taken: int) -> bool:
        """Go on with a request of which not all bytes were taken; return False if not one was, and the
        connection is gone."""
        line.hand_over_rest(shot.request, taken, self._clock)
        if line.left is None:
            line.expects = True
            self.busy[line] = None
            return True
        if line.error and not line.took and not line.fresh:
            # Closed between the look and the first send: another one may take it.
            line.shot, shot.line = None, None
            self.pool.drop(line)
            return False
        if line.error:
            self._await_early(line, line.error)
            return True
        self.busy[line] = None
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

    def _finish(self, line: Line, error: str) -> None:
        shot = line.shot
        assert shot
        self.busy.pop(line, None)
        self._early.pop(line, None)
        exchange = line.result(error, self._clock())
        stays = line.response is not None and line.response.reusable and line.left is None
        line.clear()
        line.fresh = False
        if stays:
            self._loops.use(self, line)
        else:
            self.pool.drop(line)
        shot.done((shot.tag, exchange))

    def _unsent(self, shot: Shot, why: str) -> None:
        del self.waiting[shot]
        shot.done((shot.tag, Exchange("connect", None, self._clock(), None, b"", f"connect: {why}")))

    def _fail_first(self, why: str) -> None:
        """A connection that was tried could not be made: who waits longest was not sent."""
        if self.waiting:
            self._unsent(next(iter(self.waiting)), why)
