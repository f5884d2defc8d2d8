"""The Sentinel probe: the primary's address, as the first Sentinel that answers has it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kubernetes_api_server import free_port

from chaos_hooks import probes
from chaos_hooks.probes import ProbeError
from reports.signals import SENTINEL
from shapes.target import AnswerRules, Endpoints, ResourceRules, Target

MASTER = "gateway-redis"
ADDRESS = b"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n21001\r\n"
UNKNOWN = b"*-1\r\n"
SILENCE = b""
BUSY = b"-ERR busy\r\n"


@contextmanager
def sentinel(answer: bytes) -> Iterator[str]:
    """A server that speaks as much of Redis' protocol as a question for the primary takes."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.readline():
                words = [
                    self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))
                ]
                if words[0].upper() != b"SENTINEL":
                    self.wfile.write(
                        b"-ERR unknown command\r\n" if words[0].upper() == b"HELLO" else b"+OK\r\n"
                    )
                    continue
                assert words == [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", MASTER.encode()], words
                self.wfile.write(answer)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", free_port()), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def question(*addresses: str) -> probes.Question:
    """Return what the probe asks these Sentinels."""
    target = Target("t", "T", None, Endpoints(), "/", {}, 1.0, 1.0, AnswerRules(), ResourceRules(), {})
    return probes.questions(target, Endpoints(sentinels=addresses, sentinel_master=MASTER))[SENTINEL]


@pytest.mark.parametrize("first", [ADDRESS, UNKNOWN, BUSY, SILENCE])
def test_the_first_sentinel_that_answers_is_believed(first: bytes) -> None:
    """One that is dead, hangs, is busy or knows no such primary is passed over; asked again, the same."""
    with sentinel(first) as one, sentinel(ADDRESS) as other:
        ask = question(f"127.0.0.1:{free_port()}", one, other)

        assert ask() == {"primary:127.0.0.1:21001": 1.0}
        assert ask() == {"primary:127.0.0.1:21001": 1.0}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(UNKNOWN, "knows no 'gateway-redis'"), (BUSY, "busy"), (SILENCE, "imeout")],
)
def test_no_sentinel_that_answers_is_a_failed_question(answer: bytes, sentence: str) -> None:
    """The error is of the last that was asked, and short."""
    with sentinel(answer) as address, pytest.raises(ProbeError) as caught:
        question(address)()

    assert sentence in str(caught.value)
    assert len(str(caught.value)) <= 200
