"""The transport: posts a body at most once and tells exactly how far the exchange got."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import gevent.event
import gevent.pool
from gevent import ssl as gevent_ssl

from chaos_hooks import connection, traceparent
from chaos_hooks.connection import ConnectError, Endpoint, Limits
from chaos_hooks.exchange import Done, Exchange
from chaos_hooks.flight import Flight
from chaos_hooks.volley import Volley
from chaos_hooks.wire import Take, Wire

GIVEN_UP = "given up"  # How the error of an exchange ends that was still under way at the run's end.
_OURS = ("content-length", "transfer-encoding", "expect")


class Sender:
    """Posts to one URL. Safe for any number of greenlets of one thread.

    Nothing is ever sent twice: there is no retry, no redirect is followed, and a kept connection that turns
    out closed is replaced only while not one byte of the request has been taken by the kernel.

    Plain HTTP goes over a `Wire`. Over TLS each POST has a greenlet of its own, and a connection of its own:
    right, but not fast.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        connect_timeout_s: float,
        answer_timeout_s: float,
        clock: Callable[[], float],
        max_idle: int = 256,
        max_connections: int = 10_000,
        tls: Any = None,
        traced: bool = False,
    ) -> None:
        """Make a sender; nothing is connected yet.

        Args:
            headers: sent with every request; Content-Type is application/json unless they say otherwise.
            connect_timeout_s: for name, connection and TLS handshake together, and for waiting until there
                may be another connection.
            answer_timeout_s: from the connection to the answer's last byte, all together.
            max_idle: connections kept open between exchanges; with 0 each has its own.
            max_connections: open at the same time; what finds none free in time is not sent.
            traced: each request carries a W3C traceparent, see `traceparent`.
            tls: a gevent.ssl.SSLContext; for https, without it, the system's certificates are trusted.

        Raises:
            ValueError: if the URL or a header cannot be sent, with place and mend.
        """
        self._endpoint, target, host = _parse(url, tls)
        self._head = _head(target, host, headers)
        self._traced = traced
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._clock = clock
        self._encrypted = gevent.pool.Group()
        limits = Limits(connect_timeout_s, answer_timeout_s, max_idle, max_connections)
        self.wire = Wire(self._endpoint, clock, limits)

    @property
    def pending(self) -> int:
        """Return how many POSTs are under way."""
        return self.wire.lines.pending + len(self._encrypted)

    def request(self, body: bytes) -> bytes:
        """Return the request that posts a body."""
        trace = traceparent.header(body) if self._traced else b""
        return b"%s%sContent-Length: %d\r\n\r\n%s" % (self._head, trace, len(body), body)

    def submit(self, requests: Sequence[bytes], done: Done, tags: Sequence[Any]) -> None:
        """Send some requests, each once, and return at once; ``done((tag, exchange))`` is called when one
        is over. Whatever the network does is told in the Exchange, never raised."""
        if self._endpoint.tls is None:
            self.wire.submit_all(requests, done, tags)
            return
        for request, tag in zip(requests, tags, strict=True):
            self._encrypted.spawn(self._encrypt, request, done, tag)

    def post(self, body: bytes) -> Exchange:
        """Post a body once, and wait for the end; see `send`."""
        return self.send(self.request(body))

    def send(self, request: bytes) -> Exchange:
        """Send a request once, and wait for the end; see `submit`.

        What ends the greenlet (GreenletExit, KeyboardInterrupt, a Timeout of the caller's) passes through
        after the connection was closed; the alert may then have been delivered.
        """
        if self._endpoint.tls is not None:
            return self._over_tls(request)
        over: gevent.event.AsyncResult[Exchange] = gevent.event.AsyncResult()
        shot = self.wire.submit(request, lambda pair: over.set(pair[1]))
        try:
            return over.get()
        finally:
            self.wire.lines.abandon(shot, "given up")

    def pace(self, take: Take) -> None:
        """Call ``take`` whenever it is due, from the loop that sends; see `Wire.pace`."""
        self.wire.pace(take)

    def hurry(self) -> None:
        """Let `pace` call at once."""
        self.wire.hurry()

    def after_turn(self, call: Callable[[], None]) -> None:
        """Have something called whenever submitted POSTs may have ended."""
        self.wire.after_turn = call

    def volley(self, bodies: Sequence[bytes]) -> list[Exchange]:
        """Post each body once, on a connection of its own, all released at one instant; see `Volley`.

        What ends the greenlet passes through, as in `post`.
        """
        requests = [self.request(body) for body in bodies]
        return Volley(self._endpoint, requests, self._clock).run(
            self._connect_timeout_s, self._answer_timeout_s
        )

    def give_up(self) -> None:
        """Give up all that was submitted and is not over; each is told how far it got."""
        self._encrypted.kill()
        self.wire.abandon_all(GIVEN_UP)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their exchange ends."""
        self.wire.close()

    def _encrypt(self, request: bytes, done: Done, tag: Any) -> None:
        exchange = Exchange("answer", None, self._clock(), None, b"", f"answer: {GIVEN_UP}")
        try:
            exchange = self._over_tls(request)
        finally:
            done((tag, exchange))
            self.wire.after_turn()

    def _over_tls(self, request: bytes) -> Exchange:
        try:
            sock = connection.connect(self._endpoint, self._connect_timeout_s)
        except ConnectError as problem:
            return Exchange("connect", None, self._clock(), None, b"", f"connect: {problem}")
        flight = Flight(sock, request, self._clock)
        try:
            flight.run(self._answer_timeout_s, fresh=True)
            return flight.result(provable=False)
        finally:
            sock.close()


def _parse(url: str, tls: Any) -> tuple[Endpoint, str, str]:
    parts = urlsplit(url)
    plain = url.isascii() and url.split() == [url] and parts.username is None
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError(
            f"{url!r}: cannot be posted to; write http://host:port/path, in ASCII, without a user"
        )
    try:
        parts.hostname.encode("idna")  # As the resolver will.
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as problem:
        raise ValueError(f"{url}: cannot be posted to ({problem}); write http://host:port/path") from None
    if parts.scheme == "https" and tls is None:
        tls = gevent_ssl.SSLContext(gevent_ssl.PROTOCOL_TLS_CLIENT)
        tls.load_default_certs()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.hostname, port, tls if parts.scheme == "https" else None), target, parts.netloc


def _head(target: str, host: str, headers: Mapping[str, str]) -> bytes:
    defaults = {
        "Host": host,
        "User-Agent": "alertstorm",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
    }
    given = {name.lower() for name in headers}
    fields = {**{k: v for k, v in defaults.items() if k.lower() not in given}, **headers}
    for name, value in fields.items():
        plain = f"{name}{value}".isascii() and f"{name}{value}".isprintable() and ":" not in name
        if name.lower() in _OURS or not plain:
            raise ValueError(
                f"headers.{name}: cannot be sent; leave it out, or write it on one line in ASCII"
            )
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
