"""The sender against a server that misbehaves: how far it says it got, and what really arrived."""

from __future__ import annotations

import time
from typing import Any

import gevent
import gevent.socket
import pytest
from faulty_modes import BODY
from faulty_server import FaultyServer, Record, post_once, sender_to, wait_until

from chaos_hooks.exchange import Exchange
from chaos_hooks.sender import Sender

ONE_POST = [
    # mode, reached, status, error, delivered
    ("good", "done", 201, "", 1),
    ("chunked", "done", 201, "", 1),
    ("interim", "done", 201, "", 1),
    ("unavailable", "done", 503, "", 1),
    ("no_content", "done", 204, "", 1),
    ("fin_unread", "answer", None, "answer: closed by the server", 0),
    ("fin_read", "answer", None, "answer: closed by the server", 1),
    ("rst_read", "answer", None, "answer: Connection reset by peer", 1),
    ("status_fin", "answer", None, "answer: closed by the server", 1),
    ("header_fin", "answer", None, "answer: closed by the server", 1),
    ("header_rst", "answer", None, "answer: Connection reset by peer", 1),
    ("interim_only", "answer", None, "answer: closed by the server", 1),
    ("garbage", "answer", None, "answer: not HTTP: Expected HTTP/, RTSP/ or ICE/", 1),
    ("switching", "answer", None, "answer: switched protocols unasked", 1),
    ("huge_header", "answer", None, "answer: header too large", 1),
    ("body_fin", "body", 201, "body: closed by the server", 1),
    ("body_rst", "body", 201, "body: Connection reset by peer", 1),
    ("chunk_fin", "body", 201, "body: closed by the server", 1),
    ("last_chunk_missing", "body", 201, "body: closed by the server", 1),
    ("unframed_rst", "body", 201, "body: Connection reset by peer", 1),
    ("huge_body", "body", 201, "body: body too large", 1),
]


@pytest.mark.parametrize(("mode", "reached", "status", "error", "delivered"), ONE_POST)
def test_one_post_says_how_far_it_got_and_is_delivered_at_most_once(
    mode: str, reached: str, status: int | None, error: str, delivered: int
) -> None:
    """Only a whole answer is done; every request is delivered once where the server reads it, never twice."""
    exchange, seen = post_once(mode)
    assert (exchange.reached, exchange.status, exchange.error) == (reached, status, error)
    assert seen == Record(("alert",) * delivered, connections=1, closed=1)
    assert exchange.sent_s is not None
    assert exchange.sent_s <= exchange.done_s


@pytest.mark.parametrize(
    ("mode", "reached", "status"),
    [
        ("silent", "answer", None),
        ("late", "answer", None),
        ("drip", "answer", None),
        ("body_stall", "body", 201),
    ],
)
def test_the_answer_timeout_is_a_deadline_for_the_whole_answer(
    mode: str, reached: str, status: int | None
) -> None:
    """Neither silence nor a byte now and then keeps an exchange alive, and the late answer is nobody's."""
    begun_s = time.monotonic()
    exchange, seen = post_once(mode, answer_timeout_s=0.3)
    assert (exchange.reached, exchange.status, exchange.error) == (reached, status, f"{reached}: timed out")
    assert 0.3 <= exchange.done_s - begun_s < 10
    assert seen == Record(("alert",), connections=1, closed=1)


def test_a_whole_answer_is_handed_back_as_it_came() -> None:
    exchange, _ = post_once("chunked")
    assert exchange == Exchange("done", exchange.sent_s, exchange.done_s, 201, BODY, "")


def test_a_body_that_only_the_connection_ends_is_done_but_not_framed() -> None:
    """An orderly end is all that HTTP offers here; that it may be a cut is told by ``framed``."""
    exchange, seen = post_once("unframed_fin")
    assert (exchange.reached, exchange.status, exchange.body, exchange.framed) == ("done", 201, BODY, False)
    assert seen.delivered == ("alert",)


def test_a_refused_connection_delivers_nothing() -> None:
    with FaultyServer("refuses") as server:
        exchange = sender_to(server.url).post(b"alert")
    expected = Exchange("connect", None, exchange.done_s, None, b"", "connect: Connection refused")
    assert exchange == expected


def test_a_connection_that_is_never_made_delivers_nothing() -> None:
    """The listener's queue is full, so that the kernel drops the opening: a connect timeout."""
    with FaultyServer("full_backlog") as server:
        sender = sender_to(server.url, connect_timeout_s=0.3)
        exchanges = [sender.post(b"alert") for _ in range(3)]
    # Kernels differ in how many connections a queue of none takes; that one was dropped is enough.
    assert ("connect", "connect: timed out") in {(e.reached, e.error) for e in exchanges}


def test_an_unknown_name_delivers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise gevent.socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(gevent.socket, "getaddrinfo", unknown)
    exchange = sender_to("http://gateway.invalid:8080/x").post(b"alert")
    assert (exchange.reached, exchange.error) == ("connect", "connect: name not resolved")


def test_a_socket_that_met_itself_counts_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calling a dead port can connect a socket to itself, which would read its own POST as the answer."""
    plain = gevent.socket.socket.connect

    def to_itself(sock: Any, address: Any) -> None:
        sock.bind(address)
        plain(sock, address)

    with FaultyServer("good") as server:
        port = server.port
    monkeypatch.setattr(gevent.socket.socket, "connect", to_itself)
    exchange = sender_to(f"http://127.0.0.1:{port}/").post(b"alert")
    assert (exchange.reached, exchange.error) == ("connect", "connect: Connection refused")


def test_a_reset_at_accept_is_never_taken_for_an_answer() -> None:
    """The reset races with the request: it meets it before, while, or after it is handed over."""
    exchange, seen = post_once("rst_unread")
    assert exchange.reached in ("connect", "send", "answer")
    assert exchange.status is None
    assert seen == Record((), connections=1, closed=1)


def test_no_redirect_is_followed() -> None:
    with FaultyServer("good") as other, FaultyServer("redirect", other.url) as server:
        exchange = sender_to(server.url).post(b"alert")
        assert (exchange.reached, exchange.status) == ("done", 307)
        assert server.record().delivered == ("alert",)
        assert other.record() == Record((), 0, 0)


def test_an_early_refusal_is_read_though_the_request_could_not_be_sent() -> None:
    """413 comes before the body was read, and then the connection breaks under the rest of it."""
    exchange, seen = post_once("early_413", b"x" * 8_000_000)
    assert (exchange.reached, exchange.status, exchange.body) == ("done", 413, b"too large")
    assert exchange.sent_s is None
    assert seen == Record((), connections=1, closed=1)


@pytest.mark.parametrize(
    ("mode", "errors"),
    [
        ("rst_midway", {"send: Connection reset by peer", "send: Broken pipe"}),
        ("never_reads", {"send: timed out"}),
    ],
)
def test_a_request_that_is_not_taken_whole_says_so(mode: str, errors: set[str]) -> None:
    with FaultyServer(mode) as server:
        exchange = sender_to(server.url, answer_timeout_s=0.5).post(b"x" * 8_000_000)
        seen = server.record()
    assert exchange.reached == "send"
    assert exchange.error in errors
    assert exchange.sent_s is None
    assert (seen.delivered, seen.connections) == ((), 1)


@pytest.mark.parametrize("ending", [gevent.GreenletExit, KeyboardInterrupt, gevent.Timeout])
def test_what_ends_the_greenlet_passes_through_and_the_connection_is_closed(ending: Any) -> None:
    with FaultyServer("silent") as server:
        caught: list[type[BaseException]] = []

        def work() -> None:
            try:
                sender_to(server.url).post(b"alert")
            except (gevent.GreenletExit, KeyboardInterrupt, gevent.Timeout) as problem:
                caught.append(type(problem))

        greenlet = gevent.spawn(work)
        wait_until(lambda: bool(server.record().delivered))
        greenlet.kill(ending)
        seen = server.until(lambda seen: seen.closed == 1)
    assert caught == [ending]
    assert seen == Record(("alert",), connections=1, closed=1)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/",
        "http://",
        "h:8080",
        "http://u:p@h/",
        "http://h/a b",
        "http://h/ä",
        "http://a..b/",
        "http://h:99999/",
    ],
)
def test_a_url_that_cannot_be_posted_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="cannot be posted to"):
        sender_to(url)


@pytest.mark.parametrize("header", [("X-A", "b\r\nc"), ("X:A", "b"), ("content-length", "3"), ("X-A", "ä")])
def test_a_header_that_cannot_be_sent_is_refused_at_once(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=f"headers.{header[0]}: cannot be sent"):
        Sender(
            "http://h/", headers=dict([header]), connect_timeout_s=1, answer_timeout_s=1, clock=time.monotonic
        )
