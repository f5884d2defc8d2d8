"""One plain TCP connection of the wire's: a request handed over and an answer read, as far as either goes
without waiting."""

from __future__ import annotations

import _socket
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from chaos_hooks import connection
from chaos_hooks.exchange import Done, Exchange
from chaos_hooks.http_response import HttpResponse

RECEIVE_BYTES = 8 * 1024  # An answer is mostly far shorter; to ask for more costs more, whatever comes.
_MOST_HEADS = 256


class Shot:
    """A request on its way. ``done`` is called once, with ``tag``, by the wire."""

    __slots__ = ("done", "line", "request", "since_s", "tag")

    def __init__(self, request: bytes, tag: Any, done: Done, since_s: float) -> None:
        self.request = request
        self.done = done
        self.tag = tag
        self.since_s = since_s
        self.line: Line | None = None


class Heads:
    """Header blocks that were seen before, so that an equal one need not be parsed again: a target repeats
    its own. Only answers whose body has a Content-Length, and after which the connection stays, are kept."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int]] = {}

    def read(self, data: bytes) -> tuple[int, bytes] | None:
        """Return status and body if the bytes are one whole answer, and its header block is known."""
        head, ends, body = data.partition(b"\r\n\r\n")
        known = self._known.get(head)
        if known is None or len(body) != known[1] or not ends:
            return None
        return known[0], body

    def learn(self, data: bytes, response: HttpResponse) -> None:
        """Keep the header block of an answer that came in one piece."""
        ends = data.find(b"\r\n\r\n")
        body = len(data) - ends - 4
        if response.status is None or response.length != body or not response.reusable:
            return
        if len(self._known) >= _MOST_HEADS:
            self._known.clear()
        self._known[data[:ends]] = (response.status, body)


class Line:
    """A connection and the request that it carries, if it does. ``fresh`` until it carried one to its end;
    ``sent_s`` is when the last byte of this one was handed over; it ``expects`` an answer from then until
    the first bytes come; ``error`` is why it cannot be sent."""

    __slots__ = (
        "error",
        "expects",
        "fd",
        "fresh",
        "left",
        "recv",
        "response",
        "send",
        "sent_s",
        "shot",
        "since_s",
        "sock",
        "took",
    )

    def __init__(self, since_s: float, family: int, address: Any) -> None:
        """Begin to connect.

        Raises:
            OSError: if that fails at once.
        """
        self.sock = _socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self.sock.setblocking(False)
            problem = self.sock.connect_ex(address)
            if problem not in (0, errno.EINPROGRESS):
                raise OSError(problem, os.strerror(problem))
        except BaseException:
            self.sock.close()
            raise
        self._begin(since_s)

    def _begin(self, since_s: float) -> None:
        self.fd = self.sock.fileno()
        self.send, self.recv = self.sock.send, self.sock.recv
        self.since_s = since_s
        self.fresh = True
        self.clear()

    def clear(self) -> None:
        """Forget what it carried: it is idle."""
        self.shot: Shot | None = None
        self.left: memoryview | None = None
        self.response: HttpResponse | None = None
        self.sent_s: float | None = None
        self.expects = False
        self.took = False
        self.error = ""

    @classmethod
    def of(cls, sock: Any, since_s: float) -> Line:
        """Return the line of a socket that is connected already, and give it up."""
        line = cls.__new__(cls)
        line.sock = _socket.socket(fileno=sock.detach())
        line.sock.setblocking(False)
        line._begin(since_s)
        return line

    def connected(self) -> str:
        """Make the connection ready for use; return why it is none, or nothing."""
        problem = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if not problem and self.sock.getsockname() == self.sock.getpeername():
                # Nobody listens: the kernel chose the very port that was called, and the socket met itself.
                problem = errno.ECONNREFUSED
            if problem:
                return os.strerror(problem)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as failed:
            return connection.describe(failed)
        return ""

    def hand_over(self, shot: Shot, clock: Callable[[], float]) -> bool:
        """Take a request up, idle as the connection is, and send it; return whether all of it was taken. If
        not, `push` goes on; see there."""
        request = shot.request
        try:
            taken = self.send(request)
        except OSError:
            taken = 0  # Whatever it is, it is met again.
        self.shot, shot.line = shot, self
        self.since_s = clock()
        if taken == len(request):
            self.sent_s, self.expects = self.since_s, True
            return True
        self.left, self.took = memoryview(request)[taken:], taken > 0
        self.push(clock)
        return self.left is None

    def push(self, clock: Callable[[], float]) -> None:
        """Send as much as is taken; ``left`` is None when all of it was, ``error`` says that none can be."""
        assert self.left is not None
        try:
            while self.left:
                taken = self.sock.send(self.left)
                self.took = self.took or taken > 0
                self.left = self.left[taken:]
        except BlockingIOError:
            return
        except OSError as problem:
            self.error = connection.describe(problem)
            return
        self.left, self.sent_s = None, clock()

    def take(self, data: bytes, heads: Heads) -> str | None:
        """Go on reading an answer with what came: return why it is over, empty if the answer is whole, or
        None if more is to come."""
        self.expects = False
        in_one = self.response is None
        response = self.response = self.response or HttpResponse()
        if not data:
            response.end()
            return "closed by the server"
        error = response.feed(data)
        if not response.whole and not error:
            return None
        if in_one:
            heads.learn(data, response)
        return error

    def result(self, error: str, now_s: float) -> Exchange:
        """Return how far the request got."""
        got = self.response or HttpResponse()
        reached = self._reached(got)
        said = "" if reached == "done" else f"{reached}: {error}"
        framed = got.framed or not got.header_whole
        return Exchange(reached, self.sent_s, now_s, got.status, got.body, said, framed)

    def _reached(self, got: HttpResponse) -> str:
        if got.whole:
            return "done"
        if got.header_whole:
            return "body"
        if self.left is None:
            return "answer"
        return "send" if self.took else "connect"
