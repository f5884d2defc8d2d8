"""Toxics that lose nothing: whatever is added, changed and removed during a transfer, every byte arrives."""

import hashlib
import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import toxiproxy_server as servers
from hypothesis import given, settings
from hypothesis import strategies as st
from toxiproxy_server import FaultProxy

SIZE = 8_000_000
NAMES = ("a", "b", "c")
ATTRIBUTES = {
    "noop": st.just({}),
    "latency": st.fixed_dictionaries({"latency": st.integers(0, 40), "jitter": st.integers(0, 40)}),
    "bandwidth": st.fixed_dictionaries({"rate": st.sampled_from([0, 0, 500, 20_000])}),
    "slow_close": st.fixed_dictionaries({"delay": st.integers(0, 20)}),
    "slicer": st.fixed_dictionaries(
        {
            "average_size": st.integers(500, 5000),
            "size_variation": st.integers(0, 400),
            "delay": st.integers(0, 50),
        }
    ),
}
ADD = st.sampled_from(sorted(ATTRIBUTES)).flatmap(
    lambda kind: st.fixed_dictionaries(
        {
            "name": st.sampled_from(NAMES),
            "type": st.just(kind),
            "stream": st.sampled_from(["upstream", "downstream"]),
            "toxicity": st.sampled_from([0.5, 1.0]),
            "attributes": ATTRIBUTES[kind],
        }
    )
)
CHANGE = st.fixed_dictionaries(
    {
        "attributes": st.fixed_dictionaries(
            {"latency": st.integers(0, 40), "rate": st.sampled_from([0, 9000])}
        ),
        "toxicity": st.sampled_from([0.0, 0.5, 1.0]),
    }
)
STEP = st.one_of(
    st.tuples(st.just("add"), ADD),
    st.tuples(st.just("change"), st.tuples(st.sampled_from(NAMES), CHANGE)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("reset"), st.none()),
)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultProxy]:
    with servers.running("--seed", "11") as running:
        yield running


def take(server: FaultProxy, step: tuple[str, Any]) -> None:
    """One step; a name that is taken or not there is an answer like another."""
    verb, what = step
    base = "/proxies/echo/toxics"
    if verb == "add":
        statuses, answer = (200, 409), server.ask("POST", base, what)
    elif verb == "change":
        statuses, answer = (200, 404), server.ask("PATCH", f"{base}/{what[0]}", what[1])
    elif verb == "remove":
        statuses, answer = (204, 404), server.ask("DELETE", f"{base}/{what}")
    else:
        statuses, answer = (204,), server.ask("POST", "/reset")
    assert answer.status_code in statuses, answer.text


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEP, min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_no_byte_is_lost(server: FaultProxy, steps: list[tuple[str, Any]], seed: int) -> None:
    """Eight megabytes to an echo server and back, through a chain that changes all the time."""
    data = random.Random(seed).randbytes(SIZE)
    received = hashlib.sha256()
    count = 0

    def send(connection: socket.socket) -> None:
        connection.sendall(data)

    def back(connection: socket.socket) -> None:
        nonlocal count
        while count < SIZE and (piece := connection.recv(65536)):
            received.update(piece)
            count += len(piece)

    with servers.serving(servers.echo) as upstream:
        port = server.proxy("echo", upstream)
        try:
            with servers.client(port) as connection:
                threads = [threading.Thread(target=f, args=(connection,)) for f in (send, back)]
                for thread in threads:
                    thread.start()
                for step in steps:
                    take(server, step)
                server.done("POST", "/reset")
                for thread in threads:
                    thread.join(servers.DEADLINE_S)
                assert count == SIZE
                assert received.digest() == hashlib.sha256(data).digest()
        finally:
            server.done("DELETE", "/proxies/echo")
