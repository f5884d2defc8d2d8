"""Volleys: released at one instant or not at all, each request once, on a connection of its own."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest
from faulty_server import FaultyServer, sender_to, wait_until
from stamping_server import StampingServer

from chaos_hooks import connection, flight
from chaos_hooks.connection import ConnectError

TEN = [f"alert-{n}".encode() for n in range(10)]


def test_ten_are_connected_before_the_first_is_released() -> None:
    """When the server reads the first last byte, all ten connections are there; each request comes once."""
    with StampingServer(201) as server:
        begun_s = time.monotonic()
        exchanges = sender_to(server.url).volley(TEN)
        seen = server.until_closed()
    arrivals = seen["arrivals"]
    sent_s = [e.sent_s for e in exchanges if e.sent_s is not None]

    assert [(e.reached, e.status, e.error) for e in exchanges] == [("done", 201, "")] * 10
    assert sorted(a.body for a in arrivals) == sorted(body.decode() for body in TEN)
    assert [a.connections for a in arrivals] == [10] * 10
    assert len({a.connection for a in arrivals}) == 10
    assert seen["connections"] == 10
    assert sent_s == sorted(sent_s)
    # All stamps are of one clock, whatever the process; the limits are for a starved machine.
    assert begun_s <= sent_s[0] <= sent_s[-1] <= begun_s + 5.0
    assert begun_s <= min(a.at_s for a in arrivals) <= max(a.at_s for a in arrivals) <= begun_s + 5.0


def test_a_request_is_held_up_to_its_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the release the server has all bytes but one of each, and no whole request."""
    counts: list[tuple[int, int]] = []
    with StampingServer(201) as server:
        whole = len(sender_to(server.url).request(b"alert-0"))
        release = flight.Flight.release

        def look_first(self: Any) -> None:
            if not counts:
                wait_until(lambda: server.record()["bytes"] == 10 * (whole - 1))
                counts.append((server.record()["bytes"], len(server.arrivals())))
            release(self)

        monkeypatch.setattr(flight.Flight, "release", look_first)
        exchanges = sender_to(server.url).volley(TEN)

    assert counts == [(10 * (whole - 1), 0)]
    assert {e.reached for e in exchanges} == {"done"}


def test_answers_are_read_concurrently() -> None:
    """The server answers the last request first; so the last is done first."""
    with StampingServer(201, together=5) as server:
        exchanges = sender_to(server.url).volley(TEN[:5])
        order = [a.body for a in server.arrivals()]
    done_s = {body.decode(): e.done_s for body, e in zip(TEN, exchanges, strict=False)}

    assert [e.reached for e in exchanges] == ["done"] * 5
    assert sorted(done_s, key=lambda body: done_s[body]) == order[::-1]


def test_if_fewer_connect_nothing_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one byte goes out on those that did connect, and all exchanges say why."""
    plain, calls = connection.connect, []

    def third_fails(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise ConnectError("Connection refused")
        return plain(*arguments)

    monkeypatch.setattr(connection, "connect", third_fails)
    with StampingServer(201) as server:
        exchanges = sender_to(server.url).volley(TEN)
        seen = server.until_closed()

    error = "connect: volley aborted: 9 of 10 connected (Connection refused)"
    assert [(e.reached, e.sent_s, e.error) for e in exchanges] == [("connect", None, error)] * 10
    assert (seen["connections"], seen["bytes"], seen["arrivals"]) == (9, 0, [])


@pytest.mark.parametrize(
    ("mode", "error"),
    [("refuses", "0 of 10 connected (Connection refused)"), ("full_backlog", " of 10 connected (timed out)")],
)
def test_a_gateway_that_takes_no_connection_gets_nothing(mode: str, error: str) -> None:
    with FaultyServer(mode) as server:
        exchanges = sender_to(server.url, connect_timeout_s=0.3).volley(TEN)

    assert {e.reached for e in exchanges} == {"connect"}
    assert len(exchanges) == 10
    assert exchanges[0].error.startswith("connect: volley aborted: ")
    assert exchanges[0].error.endswith(error)


def test_if_one_cannot_be_handed_over_nothing_is_released() -> None:
    """Of which a part went out, it says so: what a proxy makes of half a request nobody knows."""
    bodies = [b"alert", b"x" * 8_000_000]
    with FaultyServer("never_reads") as server:
        exchanges = sender_to(server.url, answer_timeout_s=0.5).volley(bodies)
        seen = server.record()

    assert [(e.reached, e.error, e.sent_s) for e in exchanges] == [
        ("send", "send: volley aborted: timed out", None)
    ] * 2
    assert (seen.delivered, seen.connections) == ((), 2)


def test_answers_that_do_not_come_are_indeterminate_each_by_itself() -> None:
    with FaultyServer("silent") as server:
        exchanges = sender_to(server.url, answer_timeout_s=0.3).volley(TEN)
        seen = server.until(lambda seen: seen.closed == 10)

    assert [(e.reached, e.error) for e in exchanges] == [("answer", "answer: timed out")] * 10
    assert all(e.sent_s is not None for e in exchanges)
    assert sorted(seen.delivered) == sorted(body.decode() for body in TEN)


def test_what_ends_the_greenlet_closes_every_connection() -> None:
    with FaultyServer("silent") as server:
        sender = sender_to(server.url)
        greenlet = gevent.spawn(sender.volley, TEN)
        wait_until(lambda: len(server.record().delivered) == 10)
        greenlet.kill()
        seen = server.until(lambda seen: seen.closed == 10)

    assert seen.connections == 10
    assert isinstance(greenlet.value, gevent.GreenletExit)
