"""Requests that are released at one instant, each on a connection of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import gevent.pool

from chaos_hooks import connection
from chaos_hooks.connection import ConnectError, Endpoint
from chaos_hooks.exchange import Exchange
from chaos_hooks.flight import Flight


class Volley:
    """Connects all, hands over each request but for its last byte, then all last bytes in one loop.

    A server cannot process a request before its last byte came, so the requests begin as close together as
    one process can make them: measured by a server, ten arrive within 0.1 ms, typically.

    If fewer connect, nothing is released: every exchange says ``connect``, "volley aborted". If a request
    cannot be handed over up to its last byte, nothing is released either; each exchange then says how far
    it got.
    """

    def __init__(self, endpoint: Endpoint, requests: Sequence[bytes], clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._requests = requests
        self._clock = clock
        self._sockets: list[Any] = []
        self._group = gevent.pool.Group()

    def run(self, connect_timeout_s: float, answer_timeout_s: float) -> list[Exchange]:
        """Post each request once; return one exchange for each, in order.

        What ends the greenlet passes through after every connection was closed.

        Args:
            connect_timeout_s: for all connections together, as they are made at the same time.
            answer_timeout_s: for the handing over, and again from the release to each answer's last byte.
        """
        try:
            problem = self._connect(connect_timeout_s)
            if problem:
                error = f"connect: volley aborted: {problem}"
                return [Exchange("connect", None, self._clock(), None, b"", error)] * len(self._requests)
            pairs = zip(self._sockets, self._requests, strict=True)
            flights = [Flight(sock, request, self._clock) for sock, request in pairs]
            problem = next(filter(None, self._group.map(lambda f: f.hold(answer_timeout_s), flights)), "")
            if problem:
                for flight in flights:
                    flight.give_up(f"volley aborted: {problem}")
                return [self._result(flight) for flight in flights]
            # Begin at the start of a time slice: the loop is short, a switch in its middle would not be.
            os.sched_yield()
            for flight in flights:
                flight.release()
            return self._group.map(lambda f: self._answer(f, answer_timeout_s), flights)
        finally:
            self._group.kill()
            for sock in self._sockets:
                sock.close()

    def _connect(self, timeout_s: float) -> str:
        problems = [p for p in self._group.map(lambda _: self._connect_one(timeout_s), self._requests) if p]
        count = len(self._requests)
        return f"{count - len(problems)} of {count} connected ({problems[0]})" if problems else ""

    def _connect_one(self, timeout_s: float) -> str:
        try:
            self._sockets.append(connection.connect(self._endpoint, timeout_s))
        except ConnectError as problem:
            return str(problem)
        return ""

    def _answer(self, flight: Flight, timeout_s: float) -> Exchange:
        flight.await_answer(timeout_s)
        return self._result(flight)

    def _result(self, flight: Flight) -> Exchange:
        return flight.result(provable=self._endpoint.tls is None)
