"""The ways in which a faulty server misbehaves, run as a process.

``python faulty_modes.py MODE [ARGUMENT]`` prints its port as JSON; for every line on its stdin it prints its
record so far; it ends with its stdin. It uses the standard library only, so that it starts quickly.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable

from faulty_peer import Peer

BODY = b'{"status":"created"}'
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 20\r\n\r\n" + BODY
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + BODY + b"\r\n"
UNFRAMED = b"HTTP/1.1 201 Created\r\n\r\n" + BODY


def good(peer: Peer) -> None:
    while peer.request():
        peer.say(CREATED)


def fin_unread(peer: Peer) -> None:
    peer.sock.shutdown(socket.SHUT_WR)
    peer.ignore()


def after_request(what: bytes, end: str) -> Callable[[Peer], None]:
    """Read the request, say something, then: fin, rst, or stay."""

    def behave(peer: Peer) -> None:
        if peer.request():
            peer.say(what)
            if end == "rst":
                time.sleep(0.1)  # So that the client has what was said before the reset overtakes it.
            {"fin": peer.fin, "rst": peer.rst, "stay": peer.drain}[end]()

    return behave


def late(peer: Peer) -> None:
    if peer.request():
        time.sleep(0.8)
        peer.say(CREATED)
        peer.drain()


def drip(peer: Peer) -> None:
    if peer.request():
        peer.say(b"HTTP/1.1 201 Created\r\nX-Long: ")
        while True:
            peer.say(b"x")
            time.sleep(0.05)


def unasked(end: str) -> Callable[[Peer], None]:
    """After the answer say 408 on the idle connection, as HAProxy does, and end it."""

    def behave(peer: Peer) -> None:
        if peer.request():
            peer.say(CREATED)
            time.sleep(0.1)
            peer.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            {"fin": peer.fin, "rst": peer.rst}[end]()

    return behave


def second_unread(peer: Peer) -> None:
    """Answer the first request of the first connection; reset as soon as bytes of the next are there."""
    if peer.number:
        good(peer)
    elif peer.request():
        peer.say(CREATED)
        peer.sock.recv(1, socket.MSG_PEEK)
        peer.rst()


def second_read(peer: Peer) -> None:
    if peer.number:
        good(peer)
    elif peer.request():
        peer.say(CREATED)
        peer.request()


def redirect(peer: Peer) -> None:
    answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {peer.argument}\r\nContent-Length: 0\r\n\r\n"
    while peer.request():
        peer.say(answer.encode())


def early_413(peer: Peer) -> None:
    """Refuse after the first bytes, then close on the rest, as Go's server does."""
    peer.sock.recv(1000)
    peer.say(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large")
    peer.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.2)


def rst_midway(peer: Peer) -> None:
    peer.sock.recv(65536)
    peer.rst()


def tls(peer: Peer) -> None:
    import ssl  # Only here: it would make every other server start later.

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(peer.argument)
    peer.sock = context.wrap_socket(peer.sock, server_side=True)
    good(peer)


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nLink: </a>\r\n\r\n"
HUGE = b"HTTP/1.1 201 Created\r\nContent-Length: 2097152\r\n\r\n" + b" " * 2097152
UNAVAILABLE = (
    b'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 21\r\n\r\n{"detail":"no redis"}'
)
MODES: dict[str, Callable[[Peer], None]] = {
    "good": good,
    "fin_unread": fin_unread,
    "rst_unread": Peer.rst,
    "fin_read": after_request(b"", "fin"),
    "rst_read": after_request(b"", "rst"),
    "silent": after_request(b"", "stay"),
    "late": late,
    "drip": drip,
    "status_fin": after_request(b"HTTP/1.1 20", "fin"),
    "header_fin": after_request(CREATED[:40], "fin"),
    "header_rst": after_request(CREATED[:40], "rst"),
    "body_fin": after_request(CREATED[:-1], "fin"),
    "body_rst": after_request(CREATED[:-1], "rst"),
    "body_stall": after_request(CREATED[:-1], "stay"),
    "chunk_fin": after_request(CHUNKED[:-9], "fin"),
    "last_chunk_missing": after_request(CHUNKED, "fin"),
    "chunked": after_request(CHUNKED + b"0\r\n\r\n", "stay"),
    "unframed_fin": after_request(UNFRAMED, "fin"),
    "unframed_rst": after_request(UNFRAMED, "rst"),
    "garbage": after_request(b"SSH-2.0-OpenSSH_9.6\r\n", "fin"),
    "switching": after_request(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "stay"),
    "interim": after_request(INTERIM + CREATED, "stay"),
    "interim_only": after_request(INTERIM, "fin"),
    "unavailable": after_request(UNAVAILABLE, "stay"),
    "no_content": after_request(b"HTTP/1.1 204 No Content\r\n\r\n", "stay"),
    "huge_body": after_request(HUGE, "stay"),
    "huge_header": after_request(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "stay"),
    "surplus": after_request(CREATED + CREATED, "stay"),
    "idle_fin": after_request(CREATED, "fin"),
    "unasked_rst": unasked("rst"),
    "idle_rst": after_request(CREATED, "rst"),
    "unasked_fin": unasked("fin"),
    "second_unread": second_unread,
    "second_read": second_read,
    "redirect": redirect,
    "early_413": early_413,
    "rst_midway": rst_midway,
    "never_reads": Peer.ignore,
    "tls": tls,
}


def _listener(mode: str) -> socket.socket:
    for port in random.sample(range(20000, 32000), 200):
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        if mode != "refuses":
            sock.listen(0 if mode == "full_backlog" else 1024)
        return sock
    raise SystemExit("no free port between 20000 and 32000")


def _main(mode: str, argument: str) -> None:
    listener = _listener(mode)
    delivered: list[str] = []
    connections: list[socket.socket] = []
    closed: list[int] = []

    def serve(peer: Peer) -> None:
        try:
            MODES[mode](peer)
        except OSError:
            pass  # The client went away; what it had sent is recorded.
        finally:
            peer.sock.close()
            closed.append(peer.number)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            connections.append(sock)
            peer = Peer(sock, len(connections) - 1, delivered, argument)
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    if mode in MODES:
        threading.Thread(target=accept, daemon=True).start()
    if mode == "full_backlog":
        # Nobody accepts: the queue takes one connection, and drops the openings of all others.
        connections.append(socket.create_connection(listener.getsockname()))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    for _ in sys.stdin:
        seen = {"delivered": delivered, "connections": len(connections), "closed": len(closed)}
        print(json.dumps(seen), flush=True)
    os._exit(0)  # At once, with whatever its threads still wait for.


if __name__ == "__main__":
    _main(*sys.argv[1:3])
