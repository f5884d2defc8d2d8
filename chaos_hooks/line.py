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
from chaos_hooks.exchange import Exchange
from chaos_hooks.http_response import HttpResponse
from chaos_hooks.loops import Carrier

_MOST_HEADS = 256


class Heads:
    """Header blocks that were seen before, so that an equal one need not be parsed again: a target repeats
    its own. Only answers whose body has a Content-Length, and after which the connection stays, are kept."""

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[int, int]] = {}  # Status and length of the body.

    def learn(self, data: bytes, response: HttpResponse) -> None:
        """Keep the header block of an answer that came in one piece."""
        ends = data.find(b"\r\n\r\n")
        body = len(data) - ends - 4
        if response.status is None or response.length != body or not response.reusable:
            return
        if len(self.known) >= _MOST_HEADS:
            self.known.clear()
        self.known[data[:ends]] = (response.status, body)


class Line(Carrier):
    """A connection and the request that it carries, if it does. ``fresh`` until it carried one to its end;
    ``sent_s`` is when the last byte of this one was handed over; it ``expects`` an answer from then until
    the first bytes come; ``error`` is why it cannot be sent."""

    __slots__ = ("recv", "send", "sock")

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
        self.shot = None
        self.left = None
        self.response = None
        self.sent_s = None
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

    def hand_over_rest(self, request: bytes, taken: int, clock: Callable[[], float]) -> None:
        """Go on with a request of which so many bytes were taken, but not all; see `push`."""
        self.left, self.took = memoryview(request)[taken:], taken > 0
        self.push(clock)

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
