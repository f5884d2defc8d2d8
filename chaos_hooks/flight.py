"""One request on one connection: how far it got, and what came back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from chaos_hooks import connection
from chaos_hooks.exchange import Exchange
from chaos_hooks.http_response import HttpResponse

EARLY_ANSWER_S = 0.5  # How long an answer is waited for when the request can no longer be sent.
_RECEIVE_BYTES = 64 * 1024


class Flight:
    """One request on one connection, and what is known of it so far."""

    def __init__(self, sock: Any, request: bytes, clock: Callable[[], float]) -> None:
        self._sock = sock
        self._unsent = memoryview(request)
        self._took_any = False
        self._clock = clock
        self._sent_s: float | None = None
        self._response = HttpResponse()
        self._error = ""

    def run(self, timeout_s: float, *, fresh: bool) -> None:
        """Send and receive within the timeout; ``fresh`` if the connection carried nothing before."""
        self._error = "timed out"  # Stands if the timer ends the exchange.
        with gevent.Timeout(timeout_s, False):
            self._error = self._send() or self._receive()
        if self._unsent and (fresh or self._took_any):
            # What stands on a kept connection that took nothing is no answer to this request.
            self._receive_early()

    def hold(self, timeout_s: float) -> str:
        """Send all but the last byte within the timeout; return why not, or nothing."""
        self._error = "timed out"
        with gevent.Timeout(timeout_s, False):
            self._error = self._send(but=1)
        return self._error

    def release(self) -> None:
        """Send what was held back."""
        self._error = self._send()

    def await_answer(self, timeout_s: float) -> None:
        """Receive the answer within the timeout, after the release."""
        if self._unsent:
            self._receive_early()
            return
        self._error = "timed out"
        with gevent.Timeout(timeout_s, False):
            self._error = self._receive()

    def give_up(self, why: str) -> None:
        """Note why it is not sent."""
        self._error = why

    @property
    def leaves_reusable(self) -> bool:
        """Return whether the connection is fit for another request."""
        return self._response.reusable and not self._unsent

    def result(self, *, provable: bool) -> Exchange:
        """Return how far it got; ``provable`` if a byte that the socket did not take cannot have left."""
        reached = self._reached(provable)
        error = "" if reached == "done" else f"{reached}: {self._error}"
        got = self._response
        framed = got.framed or not got.header_whole
        return Exchange(reached, self._sent_s, self._clock(), got.status, got.body, error, framed)

    def _reached(self, provable: bool) -> str:
        if self._response.whole:
            return "done"
        if self._response.header_whole:
            return "body"
        if not self._unsent:
            return "answer"
        return "send" if self._took_any or not provable else "connect"

    def _send(self, but: int = 0) -> str:
        try:
            while len(self._unsent) > but:
                taken = self._sock.send(self._unsent[: len(self._unsent) - but])
                self._took_any = self._took_any or taken > 0
                self._unsent = self._unsent[taken:]
        except OSError as problem:
            return connection.describe(problem)
        if not self._unsent:
            self._sent_s = self._clock()
        return ""

    def _receive_early(self) -> None:
        """Read what may have been answered before the whole request was there: who refuses a large body
        early (413) answers, then closes on the rest of it."""
        with gevent.Timeout(EARLY_ANSWER_S, False):
            self._receive()

    def _receive(self) -> str:
        try:
            while not self._response.whole:
                data = self._sock.recv(_RECEIVE_BYTES)
                if not data:
                    return "" if self._response.end() else "closed by the server"
                if error := self._response.feed(data):
                    return error
        except OSError as problem:
            return connection.describe(problem)
        return ""
