"""What a wire does for each request of a healthy target, in Python: begin many, read the answers that came.

`loops` takes the compiled twin of this module, ``_loops.c``, if it is there. Both do the same: one send, one
receive, an answer in one piece under a header block that was seen before. Whatever differs is for the owner.
"""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chaos_hooks.exchange import Done, Exchange

EVENTS_A_TURN = 64
RECEIVE_BYTES = 8 * 1024  # An answer is mostly far shorter; to ask for more costs more, whatever comes.
_tuple = tuple.__new__  # Makes a named tuple at a third of the cost of its own name.


class Shot:
    """A request on its way. ``done`` is called once, with ``tag``, by the wire."""

    __slots__ = ("done", "line", "request", "since_s", "tag")

    def __init__(self, request: bytes, tag: Any, done: Done, since_s: float) -> None:
        self.request = request
        self.done = done
        self.tag = tag
        self.since_s = since_s
        self.line: Any = None


class Carrier:
    """What the loops must know of a connection; see `Line`."""

    __slots__ = ("error", "expects", "fd", "fresh", "left", "response", "sent_s", "shot", "since_s", "took")
    error: str
    expects: bool
    fd: int
    fresh: bool
    left: memoryview | None
    response: Any
    sent_s: float | None
    shot: Shot | None
    since_s: float
    took: bool


class Loops:
    """Loops over the connections of ``pool``; ``waiting`` and ``busy`` are `Lines`' own, ``known`` the header
    blocks of `Heads`, each with status and length of the body; ``looked_s`` is when all
    connections were looked at."""

    def __init__(
        self,
        poll: Any,
        clock: Callable[[], float],
        pool: Any,
        waiting: OrderedDict[Shot, None],
        busy: OrderedDict[Any, None],
        known: Mapping[bytes, tuple[int, int]],
        exchange: type[Exchange] = Exchange,
    ) -> None:
        self.looked_s = -1.0
        self._poll = poll
        self._clock = clock
        self._pool = pool
        self._waiting = waiting
        self._busy = busy
        self._known = known

    def launch(
        self, owner: Any, requests: Sequence[bytes], tags: Sequence[Any], done: Done, since_s: float
    ) -> None:
        """Put each request on an idle connection, or let it wait for one."""
        idle, waiting = self._pool.idle, self._waiting
        for request, tag in zip(requests, tags, strict=True):
            shot = Shot(request, tag, done, since_s)
            while idle and not waiting:
                if self.hand_over(owner, idle.pop(), shot):
                    break
            else:
                waiting[shot] = None

    def events(self, owner: Any) -> int:
        """Read what came, and return from how many connections. An answer counts as done when its last byte
        was told of, not when it was read."""
        events = self._poll.poll(0, EVENTS_A_TURN)
        self.looked_s = now_s = self._clock()
        lines = self._pool.open
        for fd, event in events:
            line = lines.get(fd)
            if line is None:
                owner.look(fd)
            elif event != select.EPOLLIN or not line.expects:
                owner.odd(line, event)
            else:
                try:
                    data = line.recv(RECEIVE_BYTES)
                except OSError as problem:
                    owner.failed(line, problem)
                    continue
                head, ends, body = data.partition(b"\r\n\r\n")
                said = self._known.get(head)
                if said is not None and len(body) == said[1] and ends:
                    self._answered(owner, line, now_s, said[0], body)
                else:
                    owner.take(line, data)
        return len(events)

    def hand_over(self, owner: Any, line: Any, shot: Shot) -> bool:
        """Put a request on a free connection; return False if that took nothing, and is gone."""
        request = shot.request
        try:
            taken = line.send(request)
        except OSError:
            taken = 0  # Whatever it is, it is met again.
        line.shot, shot.line = shot, line
        line.since_s = self._clock()
        if taken != len(request):
            return bool(owner.send_rest(line, shot, taken))
        line.sent_s, line.expects = line.since_s, True
        self._busy[line] = None
        return True

    def _answered(self, owner: Any, line: Any, now_s: float, status: int, body: bytes) -> None:
        """End a request that was answered whole, in one piece, on a connection that stays."""
        shot, sent_s = line.shot, line.sent_s
        del self._busy[line]
        line.shot, line.expects, line.fresh = None, False, False
        self.use(owner, line)
        shot.done((shot.tag, _tuple(Exchange, ("done", sent_s, now_s, status, body, "", True))))

    def use(self, owner: Any, line: Any) -> None:
        """Give a connection that came free to who waits longest, or keep it."""
        if not self._waiting:
            owner.keep(line)
            return
        shot, _ = self._waiting.popitem(last=False)
        if not self.hand_over(owner, line, shot):
            self._waiting[shot] = None
            self._waiting.move_to_end(shot, last=False)


def settled(
    batches: list[list[Any]], exchanges: list[Exchange], known: Mapping[tuple[int | None, bytes], Any]
) -> tuple[list[int], list[int], list[float | None], list[float], list[Any]] | None:
    """Return of POSTs of one alert each that are over: number, code, sent_s, done_s, what it was answered; or
    None, unless all answers are ``known``: of status and body, what they say and its code."""
    said = [
        known.get((status, body)) if len(batch) == 1 and framed and reached == "done" else None
        for batch, (reached, _, _, status, body, _, framed) in zip(batches, exchanges, strict=True)
    ]
    if None in said:
        return None
    numbers = [batch[0][0] for batch in batches]
    sent_s, done_s = [each[1] for each in exchanges], [each[2] for each in exchanges]
    return numbers, [each[1] for each in said], sent_s, done_s, [each[0] for each in said]  # type: ignore[index]
