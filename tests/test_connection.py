"""The sender's connections: kept, replaced, limited, many at once, over TLS, and in odd processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gevent
import pytest
from faulty_server import WAIT_S, FaultyServer, Record, sender_to, wait_until

from chaos_hooks import connection

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("mode", ["idle_rst", "unasked_rst"])
def test_a_connection_that_closes_after_the_look_is_replaced_too(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reset between the look and the first send, the kernel takes not one byte, so a new connection may; what
    stands unread on the old one is not taken for the answer."""
    with FaultyServer(mode) as server:
        sender = sender_to(server.url)
        first = sender.post(b"one")
        server.until(lambda seen: seen.closed == 1)
        monkeypatch.setattr(connection, "is_quiet", lambda sock: True)
        again = sender.post(b"two")
        seen = server.record()
    assert [(e.reached, e.status) for e in (first, again)] == [("done", 201)] * 2
    assert (seen.delivered, seen.connections) == (("one", "two"), 2)


@pytest.mark.parametrize("mode", ["idle_fin", "idle_rst", "unasked_fin", "surplus"])
def test_an_idle_connection_that_closed_is_replaced_before_any_byte_goes_out(mode: str) -> None:
    """Closed by FIN or RST, or with bytes nobody asked for: a new one is made, each POST delivered once."""
    with FaultyServer(mode) as server:
        sender = sender_to(server.url)
        first = sender.post(b"one")
        # What has a surplus was not kept at all.
        wait_until(
            lambda: not any(map(connection.is_quiet, [line.sock for line in sender.wire.lines.pool.idle]))
        )
        again = sender.post(b"two")
        seen = server.record()
    assert (first.reached, first.status) == ("done", 201)
    assert (again.reached, again.status) == ("done", 201)
    assert (seen.delivered, seen.connections) == (("one", "two"), 2)


@pytest.mark.parametrize(
    ("mode", "delivered"), [("second_unread", ("one",)), ("second_read", ("one", "two"))]
)
def test_a_kept_connection_that_breaks_under_a_post_is_not_tried_again(
    mode: str, delivered: tuple[str, ...]
) -> None:
    """Read or unread cannot be told apart from here, so nothing is sent again; the next POST is a new one."""
    with FaultyServer(mode) as server:
        sender = sender_to(server.url)
        reached = [sender.post(body).reached for body in (b"one", b"two", b"three")]
        seen = server.record()
    assert reached == ["done", "answer", "done"]
    assert (seen.delivered, seen.connections) == ((*delivered, "three"), 2)


def test_connections_are_kept_and_none_beyond_the_limit() -> None:
    with FaultyServer("good") as server:
        kept = sender_to(server.url)
        assert [kept.post(b"x").reached for _ in range(5)] == ["done"] * 5
        assert server.record().connections == 1
        alone = sender_to(server.url, max_idle=0)
        assert [alone.post(b"x").reached for _ in range(5)] == ["done"] * 5
        assert server.until(lambda seen: seen.closed == 5).connections == 6
        kept.close()
        server.until(lambda seen: seen.closed == 6)


def test_many_posts_at_once_are_delivered_once_each() -> None:
    with FaultyServer("good") as server:
        sender = sender_to(server.url)
        bodies = [f"alert {n}" for n in range(200)]
        work = [gevent.spawn(sender.post, body.encode()) for body in bodies * 2]
        gevent.joinall(work, timeout=WAIT_S)
        assert {(w.value.reached, w.value.status) for w in work} == {("done", 201)}
        assert sorted(server.record().delivered) == sorted(bodies * 2)


CLIENT = """
import json, os, resource, sys, time
import gevent
from chaos_hooks.sender import Sender
sender = Sender(sys.argv[1], headers={}, connect_timeout_s=5, answer_timeout_s=10, clock=time.monotonic)
def told(exchange):
    return [exchange.reached, exchange.status, exchange.error]
def limit(files):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
"""


PATCHED = "from gevent import monkey; monkey.patch_all()"


def run_client(url: str, code: str, first: str = PATCHED) -> Any:
    """Run a process that posts, and return what it prints as JSON."""
    command = [sys.executable, "-c", first + CLIENT + code, url]
    unpatched = {**os.environ, "LOCUST_SKIP_MONKEY_PATCH": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=unpatched, capture_output=True, timeout=WAIT_S * 2, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("patched", [True, False])
def test_it_works_whether_or_not_gevent_patched_the_process(patched: bool) -> None:
    first = PATCHED if patched else ""
    code = f"""
import socket
assert (socket.socket is gevent.socket.socket) == {patched}
work = [gevent.spawn(sender.post, str(n).encode()) for n in range(50)]
gevent.joinall(work)
print(json.dumps([told(w.value) for w in work]))
"""
    with FaultyServer("good") as server:
        assert run_client(server.url, code, first) == [["done", 201, ""]] * 50
        assert sorted(map(int, server.record().delivered)) == list(range(50))


def test_connections_are_kept_above_a_thousand_open_files() -> None:
    """select() would call every connection above descriptor 1023 dead, and open a new one for each POST."""
    code = """
limit(2000)
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
print(json.dumps([told(sender.post(b"x")) for _ in range(5)]))
"""
    with FaultyServer("good") as server:
        assert run_client(server.url, code) == [["done", 201, ""]] * 5
        assert server.record().connections == 1


def test_a_process_out_of_files_has_delivered_nothing() -> None:
    code = """
gevent.sleep(0)  # The hub opens its own files.
spare = os.dup(0)  # The lowest free one: all below are taken.
os.close(spare)
limit(spare)
print(json.dumps(told(sender.post(b"x"))))
"""
    with FaultyServer("good") as server:
        assert run_client(server.url, code) == ["connect", None, "connect: Too many open files"]
        assert server.record() == Record((), 0, 0)


def test_a_failed_tls_handshake_delivers_nothing() -> None:
    with FaultyServer("garbage") as server:
        sender = sender_to(server.url.replace("http:", "https:"), connect_timeout_s=0.5)
        exchange = sender.post(b"alert")
        assert exchange.reached == "connect"
        assert server.record().delivered == ()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_https_trusts_whom_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, cert, both = (tmp_path / name for name in ("key.pem", "cert.pem", "both.pem"))
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*make.split(), *files], capture_output=True, check=True)
    both.write_text(key.read_text() + cert.read_text())
    with FaultyServer("tls", str(both)) as server:
        url = server.url.replace("http:", "https:")
        stranger = sender_to(url).post(b"stranger")
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        friend = sender_to(url)
        told = [friend.post(b"one"), friend.post(b"two")]
        seen = server.record()
    assert (stranger.reached, stranger.error) == ("connect", "connect: TLS: CERTIFICATE_VERIFY_FAILED")
    assert [(e.reached, e.status) for e in told] == [("done", 201)] * 2
    assert seen.delivered == ("one", "two")
