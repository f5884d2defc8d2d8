"""A real fault proxy process for the tests, servers to put behind it, and its HTTP API in short words."""

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

CHECKOUT = Path(__file__).resolve().parent.parent
DEADLINE_S = 30.0


def free_port() -> int:
    """A loopback port below the ephemeral range that can be bound now."""
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000")


@dataclass(frozen=True, slots=True)
class FaultProxy:
    """A running proxy process."""

    port: int
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, json: Any = None) -> requests.Response:
        """One request to the HTTP API."""
        return self.session.request(
            method, f"http://127.0.0.1:{self.port}{path}", json=json, timeout=DEADLINE_S
        )

    def done(self, method: str, path: str, json: Any = None) -> Any:
        """The JSON of an answer that must be a success."""
        answer = self.ask(method, path, json)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def proxy(self, name: str, upstream: int) -> int:
        """A new proxy in front of this port; the port it listens on."""
        listen = f"127.0.0.1:{free_port()}"
        body = {"name": name, "listen": listen, "upstream": f"127.0.0.1:{upstream}"}
        return int(self.done("POST", "/proxies", body)["listen"].split(":")[1])

    def toxic(
        self, proxy: str, type_: str, stream: str = "downstream", toxicity: float = 1, **attributes: int
    ) -> str:
        """A new toxic; its name."""
        body = {"type": type_, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        return str(self.done("POST", f"/proxies/{proxy}/toxics", body)["name"])


@contextmanager
def running(*arguments: str, program: str = "") -> Iterator[FaultProxy]:
    """A process of its own, until the block ends: ours, or the real server that ``program`` names."""
    port = free_port()
    ours = [sys.executable, "-m", "sandbox.toxiproxy"]
    command = [*([program] if program else ours), "--host", "127.0.0.1", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if program:
        yield from _real(process, port)
        return
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "serving on" in line:
            break
    else:
        raise AssertionError(f"the fault proxy ended with {process.wait()}: {said}")
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield FaultProxy(port)
    finally:
        process.terminate()
        status = process.wait(timeout=10)
    assert status == 0


def _real(process: "subprocess.Popen[str]", port: int) -> Iterator[FaultProxy]:
    """Wait until it answers, and end it: what it logs, and where to, differs between versions."""
    assert process.stderr is not None
    threading.Thread(target=process.stderr.read, daemon=True).start()
    proxy, deadline = FaultProxy(port), time.monotonic() + DEADLINE_S
    try:
        while not _answers(proxy):
            assert process.poll() is None, "the real server ended"
            assert time.monotonic() < deadline, "the real server does not answer"
            time.sleep(0.02)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(proxy: FaultProxy) -> bool:
    try:
        return proxy.ask("GET", "/version").ok
    except requests.ConnectionError:
        return False


@contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that gives each connection to this function, in a thread, and then closes it."""
    listener = socket.create_server(("127.0.0.1", free_port()))

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                handle(connection)
            except OSError:
                return  # A fault of the proxy ended it, as the test wants.

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # close alone would leave the thread in accept
        listener.close()
        acceptor.join(timeout=10)


def echo(connection: socket.socket) -> None:
    """Send back what comes."""
    while data := connection.recv(65536):
        connection.sendall(data)


def client(port: int, timeout_s: float = DEADLINE_S) -> socket.socket:
    """A connected socket."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or fewer when the stream ends before."""
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def round_trip_s(connection: socket.socket, data: bytes = b"ping") -> float:
    """Seconds until an echo server has sent it back."""
    began_s = time.monotonic()
    connection.sendall(data)
    assert receive(connection, len(data)) == data
    return time.monotonic() - began_s
