"""A webhook receiver that stamps what arrives, in one thread, and answers as a script says; and its handle.

``python stamping_server.py SCRIPT [together]``: SCRIPT is a JSON list with what the first, second, … POST of
one alert gets; its last entry counts for all that follow. An entry is a status, ``cut`` (closed unanswered)
or ``hang``. With ``together`` n, nothing is answered until n requests are there, then the last one first.
It prints its port; for each line on its stdin it prints its record; it ends with its stdin.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole request: when its last byte was read (monotonic clock), on which connection (0, 1, …), how
    many connections there had been by then, and its body."""

    at_s: float
    connection: int
    connections: int
    body: str

    @property
    def ids(self) -> list[str]:
        """Return the ids of its alerts."""
        return _ids(self.body)


class StampingServer:
    """The server as a process; a context manager."""

    def __init__(self, *script: int | str, together: int = 0) -> None:
        command = [sys.executable, "-S", __file__, json.dumps(script), str(together)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port: int = self._answer()["port"]
        self.url = f"http://127.0.0.1:{self.port}/api/v1/signals/prometheus"

    def __enter__(self) -> StampingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=WAIT_S)

    def record(self) -> dict[str, Any]:
        """Return what it saw: arrivals, connections, closed, bytes."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"?\n")
        self._process.stdin.flush()
        got: dict[str, Any] = self._answer()
        return got | {"arrivals": [Arrival(**arrival) for arrival in got["arrivals"]]}

    def arrivals(self) -> list[Arrival]:
        """Return the requests so far."""
        found: list[Arrival] = self.record()["arrivals"]
        return found

    def until_closed(self) -> dict[str, Any]:
        """Return the record when every connection is over; fail if that is not in WAIT_S."""
        end_s = time.monotonic() + WAIT_S
        while (seen := self.record())["closed"] < seen["connections"]:
            assert time.monotonic() < end_s, seen
            time.sleep(0.01)
        return seen

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class _Server:
    def __init__(self, script: list[Any], together: int) -> None:
        self._script = script
        self._together = together
        self._waiting: list[tuple[socket.socket, str]] = []
        self._tries: Counter[str] = Counter()
        self._buffers: dict[socket.socket, bytearray] = {}
        self._numbers: dict[socket.socket, int] = {}
        self._seen: dict[str, Any] = {"arrivals": [], "connections": 0, "closed": 0, "bytes": 0}
        self._listener = _listener()
        self._ready = selectors.DefaultSelector()

    def run(self) -> None:
        self._listener.setblocking(False)
        self._ready.register(self._listener, selectors.EVENT_READ, self._accept)
        self._ready.register(sys.stdin, selectors.EVENT_READ, self._tell)
        print(json.dumps({"port": self._listener.getsockname()[1]}), flush=True)
        while True:
            for key, _ in self._ready.select():
                key.data(key.fileobj)

    def _tell(self, _: object) -> None:
        if not sys.stdin.readline():
            raise SystemExit
        print(json.dumps(self._seen), flush=True)

    def _accept(self, _: object = None) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except BlockingIOError:
                return
            self._numbers[sock] = self._seen["connections"]
            self._seen["connections"] += 1
            self._buffers[sock] = bytearray()
            self._ready.register(sock, selectors.EVENT_READ, self._read)

    def _read(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(65536)
        except ConnectionError:
            data = b""
        at_s = time.monotonic()
        if not data:
            self._close(sock)
            return
        self._seen["bytes"] += len(data)
        self._buffers[sock] += data
        head, end, rest = bytes(self._buffers[sock]).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) if end else 0
        if not end or len(rest) < length:
            return
        self._buffers[sock].clear()
        self._accept()  # Whoever connected before this last byte was sent is counted.
        body = rest.decode()
        counted = {"connection": self._numbers[sock], "connections": self._seen["connections"]}
        self._seen["arrivals"].append({"at_s": at_s, "body": body, **counted})
        self._waiting.append((sock, body))
        if len(self._seen["arrivals"]) >= self._together:
            while self._waiting:
                self._say(*self._waiting.pop())

    def _say(self, sock: socket.socket, body: str) -> None:
        what = self._script[min(self._tries[body], len(self._script) - 1)]
        self._tries[body] += 1
        if what == "cut":
            self._close(sock)
        elif what != "hang":
            words = [{"status": "created" if what < 300 else "failed"} for _ in _ids(body)]
            if what == 207:
                words[-1]["status"] = "failed"
            said = json.dumps({"results": words} if len(words) > 1 and what < 300 else words[0])
            head = f"HTTP/1.1 {what} Status\r\nRetry-After: 7\r\nContent-Length: {len(said)}\r\n\r\n"
            sock.sendall((head + said).encode())
            if self._together:
                time.sleep(0.02)  # So that the client can tell which answer came first.

    def _close(self, sock: socket.socket) -> None:
        self._ready.unregister(sock)
        sock.close()
        self._seen["closed"] += 1


def _ids(body: str) -> list[str]:
    try:
        return [alert["annotations"]["alertstorm_id"] for alert in json.loads(body)["alerts"]]
    except ValueError:
        return [body]


def _listener() -> socket.socket:
    for port in random.sample(range(20000, 32000), 200):
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        sock.listen(1024)
        return sock
    raise SystemExit("no free port between 20000 and 32000")


if __name__ == "__main__":
    _Server(json.loads(sys.argv[1]), int(sys.argv[2])).run()
