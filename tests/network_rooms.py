"""A network namespace with a server in it, as a target has it, for the tests that really drop packets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from locust_process import HOME

from chaos_hooks.injectors import netns
from shapes.endpoints import Endpoints

PORT = 6379
# Sends back what it gets; and is a client of itself, when asked to.
_ROOM = f"""
import socket, sys, threading, time
sys.path.insert(0, {str(HOME)!r})
from sandbox import namespace
namespace.enter(None)
server = socket.create_server(("127.0.0.1", {PORT}))
def serve(peer):
    with peer:
        while data := peer.recv(65536):
            peer.sendall(data)
def accept():
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
print("ready", flush=True)
kept = None
for line in sys.stdin:
    what, wait_s = line.split()
    began = time.monotonic()
    try:
        if what == "new" or kept is None:
            kept = socket.create_connection(("127.0.0.1", {PORT}), float(wait_s))
        kept.settimeout(float(wait_s))
        kept.sendall(b"x")
        said = "answered" if kept.recv(1) else "closed"
    except TimeoutError:
        said = "timeout"
    except OSError as error:
        said = type(error).__name__
    print(said, round(time.monotonic() - began, 3), flush=True)
"""


@dataclass(frozen=True)
class Room:
    """The process in the namespace."""

    process: subprocess.Popen[str]

    @property
    def endpoints(self) -> Endpoints:
        """As a target announces it."""
        return Endpoints(network_pid=str(self.process.pid))

    def ask(self, how: str, wait_s: float = 0.5) -> tuple[str, float]:
        """Have a client in there send a byte on a ``new`` connection, or on the one that is ``kept``."""
        assert self.process.stdin
        assert self.process.stdout
        print(how, wait_s, file=self.process.stdin, flush=True)
        said, took_s = self.process.stdout.readline().split()
        return said, float(took_s)


@contextmanager
def room() -> Iterator[Room]:
    """Start one and end it; skip, with the reason, where there can be none."""
    reason = netns.lacks(Endpoints())
    if reason:
        pytest.skip(reason)
    process = subprocess.Popen(
        [sys.executable, "-c", _ROOM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    made = Room(process)
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield made
    finally:
        process.kill()
        process.communicate()
