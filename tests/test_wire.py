"""The wire: nobody waits for a target that hangs, what finds no connection is unsent and told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from faulty_server import FaultyServer, wait_until

from chaos_hooks import connection, wire
from chaos_hooks.clock import RunClock
from chaos_hooks.exchange import Exchange
from chaos_hooks.http_response import HttpResponse
from chaos_hooks.line import Heads
from chaos_hooks.sender import Sender


def sender_to(url: str, **changes: Any) -> Sender:
    limits = {"connect_timeout_s": 5.0, "answer_timeout_s": 10.0, **changes}
    return Sender(url, headers={}, clock=RunClock().now, **limits)


def collected(sender: Sender, bodies: list[bytes]) -> list[Exchange]:
    """Submit all at once, wait until all are over, and return the exchanges in the order of the bodies."""
    over: list[tuple[int, Exchange]] = []
    sender.submit([sender.request(body) for body in bodies], over.append, range(len(bodies)))
    wait_until(lambda: len(over) == len(bodies))
    assert sender.pending == 0
    return [exchange for _, exchange in sorted(over)]


def test_what_finds_no_connection_in_time_is_unsent_and_told() -> None:
    """The target hangs, three connections are allowed: three are in doubt, the others provably not sent."""
    with FaultyServer("silent") as server:
        sender = sender_to(server.url, connect_timeout_s=0.3, answer_timeout_s=1.0, max_connections=3)
        got = collected(sender, [b"x"] * 8)
        seen = server.record()
    assert [e.error for e in got[:3]] == ["answer: timed out"] * 3
    assert [(e.reached, e.error) for e in got[3:]] == [("connect", "connect: none of 3 was free")] * 5
    assert (len(seen.delivered), seen.connections) == (3, 3)


def test_what_waits_takes_the_connection_that_comes_free() -> None:
    with FaultyServer("good") as server:
        sender = sender_to(server.url, max_connections=2)
        got = collected(sender, [str(n).encode() for n in range(100)])
        seen = server.record()
    assert {e.reached for e in got} == {"done"}
    assert sorted(map(int, seen.delivered)) == list(range(100))
    assert seen.connections == 2


@pytest.mark.parametrize("mode", ["idle_fin", "idle_rst", "unasked_fin"])
def test_several_at_once_take_no_connection_that_closed(mode: str) -> None:
    """Each is delivered once: the server closed the idle connections between two batches."""
    with FaultyServer(mode) as server:
        sender = sender_to(server.url)
        collected(sender, [b"a", b"b", b"c"])
        idle = sender.wire.lines.pool.idle
        wait_until(lambda: not any(connection.is_quiet(line.sock) for line in idle))
        got = collected(sender, [b"d", b"e"])
        seen = server.record()
    assert {e.reached for e in got} == {"done"}
    assert (sorted(seen.delivered), seen.connections) == (["a", "b", "c", "d", "e"], 5)


def test_arrivals_go_on_while_nothing_is_answered() -> None:
    """Each of 40 that fall due while the target hangs is on its way before the first is given up."""
    with FaultyServer("silent") as server:
        sender = sender_to(server.url, answer_timeout_s=60.0)
        due: Iterator[int] = iter(range(40))
        over: list[Exchange] = []
        clock = RunClock()

        def take(now_s: float) -> float | None:
            n = next(due, None)
            if n is None:
                return None
            sender.submit([sender.request(b"%d" % n)], lambda pair: over.append(pair[1]), [n])
            return sender._clock() + 0.002

        sender.pace(take)
        server.until(lambda seen: len(seen.delivered) == 40)
        assert (sender.pending, over) == (40, [])
        sender.give_up()
    assert [(e.reached, e.error) for e in over] == [("answer", "answer: given up")] * 40
    assert clock.now() < 60


def test_other_greenlets_run_while_the_wire_is_busy() -> None:
    """A loop that always has something to do still shares the process."""
    ticks = []

    def tick() -> None:
        while True:
            ticks.append(1)
            gevent.sleep(0)

    with FaultyServer("good") as server:
        sender = sender_to(server.url, max_connections=4)
        other = gevent.spawn(tick)
        collected(sender, [b"x"] * 500)
        other.kill()
    assert len(ticks) > 3


def test_a_closed_wire_ends_when_all_is_over() -> None:
    with FaultyServer("good") as server:
        sender = sender_to(server.url)
        over: list[Exchange] = []
        sender.submit([sender.request(b"x")], lambda pair: over.append(pair[1]), [0])
        sender.close()
        loop = sender.wire._greenlet
        assert loop is not None
        loop.join(timeout=10)
        assert loop.ready()
        assert [e.reached for e in over] == ["done"]
        server.until(lambda seen: seen.closed == 1)


def test_the_timer_is_set_early_by_what_99_of_100_sleeps_last_too_long() -> None:
    """Found out while it runs, never more than half a millisecond; what else ends a sleep says nothing."""
    sleeps_s, early_s = random.Random(1), wire.EARLY_S
    missed = 0
    for number in range(30_000):
        too_long_s = sleeps_s.uniform(0.0, 0.0003)
        missed += number >= 10_000 and too_long_s > early_s
        early_s = wire.earlier(early_s, too_long_s)
        assert wire.earlier(early_s, -0.001) == early_s
    assert 150 <= missed <= 250
    assert wire.earlier(wire.MOST_EARLY_S, 1.0) == wire.MOST_EARLY_S
    assert wire.earlier(wire.EARLY_S, 0.0) == wire.EARLY_S


WHOLE = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"


def fed(data: bytes) -> HttpResponse:
    response = HttpResponse()
    response.feed(data)
    return response


def test_a_known_header_block_is_not_parsed_again() -> None:
    heads = Heads()
    heads.learn(WHOLE, fed(WHOLE))
    assert heads.known == {WHOLE.removesuffix(b"\r\n\r\n{}"): (201, 2)}


def test_only_what_has_a_length_and_stays_is_learnt() -> None:
    for head, body in (
        (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close", b"{}"),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"HTTP/1.1 204 No Content", b""),
        (b"HTTP/1.1 100 Continue", b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"),
        (b"HTTP/1.1 201 Created", b"{}"),
    ):
        heads, data = Heads(), head + b"\r\n\r\n" + body
        heads.learn(data, fed(data))
        assert heads.known == {}, head
