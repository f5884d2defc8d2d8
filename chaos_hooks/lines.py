"""The lines of a wire: all connections to one endpoint, and the requests on them or waiting for one."""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gevent import monkey

from chaos_hooks import connection
from chaos_hooks.connection import Endpoint, Limits
from chaos_hooks.deadlines import Deadline, Deadlines
from chaos_hooks.exchange import Exchange
from chaos_hooks.line import RECEIVE_BYTES, Heads, Line, Shot
from chaos_hooks.pool import Pool

EARLY_ANSWER_S = 0.5  # How long an answer is waited for when the request can no longer be sent.
LOOK_S = 0.0005  # An idle connection is looked at before use, unless all were looked at just now.
_EVENTS_A_TURN = 64
_tuple = tuple.__new__  # Makes a named tuple at a third of the cost of its own name.
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
        self._looked_s = -1.0
        self.pool = Pool(endpoint, clock, limits, self.poll, self._made, self._fail_first)
        self._dialer = self.pool.dialer
        self._dialer.wake = wake
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
            elif self._send(line, shot):
                return
        self.waiting[shot] = None

    def launch_all(self, shots: Sequence[Shot]) -> None:
        """Do it with several, from the loop: all connections are looked at once, unless just now."""
        late = self._clock() - self._looked_s > LOOK_S
        if late and self._events() == _EVENTS_A_TURN:  # There may be more to see.
            for shot in shots:
                self.launch(shot)
            return
        idle, waiting, send = self.pool.idle, self.waiting, self._send
        for shot in shots:
            while idle and not waiting:
                if send(idle.pop(), shot):
                    break
            else:
                waiting[shot] = None

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
        self._events()

    def expire(self, now_s: float) -> None:
        """End what took too long."""
        self._deadlines.expire(now_s)

    def rest_s(self, now_s: float) -> float | None:
        """Return how long nothing is to be done unless a connection says something; None for ever."""
        return 0.0 if self.waiting and self.pool.may_connect(self.waiting) else self._deadlines.rest_s(now_s)

    def _events(self) -> int:
        """Read what came. An answer counts as done when its last byte was told of, not when it was read."""
        events = self.poll.poll(0, _EVENTS_A_TURN)
        self._looked_s = now_s = self._clock()
        lines, read, answered = self.pool.open, self._heads.read, self._answered
        for fd, event in events:
            line = lines.get(fd)
            if line is None:
                self._dialer.look(fd)
            elif event != select.EPOLLIN or not line.expects:
                self._odd(line, event)
            else:
                try:
                    data = line.recv(RECEIVE_BYTES)
                except OSError as problem:
                    self._failed(line, problem)
                    continue
                known = read(data)
                if known:
                    answered(line, now_s, known)
                else:
                    self._take(line, data)
        return len(events)

    def _odd(self, line: Line, event: int) -> None:
        """Do what an event asks for that is not the beginning of an answer."""
        if event & select.EPOLLOUT and line.left is not None and not line.error:
            self._go_on(line)
        elif line.shot is None:
            self.pool.drop(line)  # An idle connection that closed, or says what nobody asked for.
        else:
            try:
                data = line.recv(RECEIVE_BYTES)
            except OSError as problem:
                self._failed(line, problem)
            else:
                self._take(line, data)

    def _take(self, line: Line, data: bytes) -> None:
        over = line.take(data, self._heads)
        if over is not None:
            self._finish(line, line.error or over)

    def _failed(self, line: Line, problem: OSError) -> None:
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
        self._use(line)

    def _use(self, line: Line) -> None:
        """Give a free connection to who waits longest, or keep it."""
        if self.waiting:
            shot, _ = self.waiting.popitem(last=False)
            if not self._send(line, shot):
                self.waiting[shot] = None
                self.waiting.move_to_end(shot, last=False)
        else:
            self.pool.keep(line)

    def _send(self, line: Line, shot: Shot) -> bool:
        """Put a request on a free connection; return False if that took not one byte, and is gone."""
        if line.hand_over(shot, self._clock):
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

    def _answered(self, line: Line, now_s: float, known: tuple[int, bytes]) -> None:
        """End a request that was answered whole, in one piece, on a connection that stays."""
        shot, sent_s = line.shot, line.sent_s
        assert shot
        del self.busy[line]
        line.shot, line.expects, line.fresh = None, False, False
        self._use(line)
        shot.done((shot.tag, _tuple(Exchange, ("done", sent_s, now_s, *known, "", True))))

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
            self._use(line)
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
