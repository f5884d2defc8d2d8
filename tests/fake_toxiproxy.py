"""A small stand-in for Toxiproxy 2.12: its HTTP API for proxies and toxics, before a real TCP forwarder.

It answers as the original does, oddities included: 200 for a new toxic, text/plain for errors, unknown
attributes dropped in silence. Threads, one a direction; each chunk meets the toxics of that moment.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ATTRIBUTES = {
    "latency": ("latency", "jitter"),
    "bandwidth": ("rate",),
    "slow_close": ("delay",),
    "timeout": ("timeout",),
    "reset_peer": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"),
    "limit_data": ("bytes",),
    "noop": (),
}
_POLL_S = 0.005


def _close(sock: socket.socket, *, reset: bool = False) -> None:
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()


class Proxy:
    """One listener and its connections."""

    def __init__(self, name: str, listen: tuple[str, int], upstream: tuple[str, int]) -> None:
        self.name, self.listen, self.upstream = name, listen, upstream
        self.toxics: list[dict[str, Any]] = []
        self.enabled = False
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def enable(self) -> None:
        self._listener = socket.create_server(self.listen)
        self.enabled = True
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def disable(self) -> None:
        self.enabled = False
        if self._listener is not None:
            _close(self._listener)
        for sock in list(self._open):
            _close(sock)

    def as_json(self) -> dict[str, Any]:
        listen, upstream = (f"{host}:{port}" for host, port in (self.listen, self.upstream))
        order = {"upstream": 0, "downstream": 1}
        toxics = sorted(self.toxics, key=lambda toxic: order[toxic["stream"]])
        state = {"name": self.name, "listen": listen, "upstream": upstream, "enabled": self.enabled}
        return {**state, "Logger": {}, "toxics": toxics}

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.upstream, 5)
                server.settimeout(None)
            except OSError:
                _close(client)
                continue
            self._open |= {client, server}
            for source, sink, stream in ((client, server, "upstream"), (server, client, "downstream")):
                threading.Thread(target=self._pump, args=(source, sink, stream), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, stream: str) -> None:
        sent: dict[str, int] = {}
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._deliver(data, sink, stream, sent, source):
                    break
        _close(source)
        _close(sink)

    def _deliver(
        self, data: bytes, sink: socket.socket, stream: str, sent: dict[str, int], source: socket.socket
    ) -> bool:
        """Pass a chunk through the toxics; False when the connection is to be closed."""
        size, pause_s = len(data), 0.0
        for toxic in [t for t in self.toxics if t["stream"] == stream]:
            how = toxic["attributes"]
            match toxic["type"]:
                case "latency":
                    jitter = random.uniform(-how["jitter"], how["jitter"])
                    time.sleep(max(0.0, how["latency"] + jitter) / 1000)
                case "bandwidth" if how["rate"] == 0:
                    while toxic in self.toxics:
                        time.sleep(_POLL_S)
                case "timeout":
                    end_s = time.monotonic() + how["timeout"] / 1000
                    while toxic in self.toxics and (how["timeout"] == 0 or time.monotonic() < end_s):
                        time.sleep(_POLL_S)
                    return False
                case "reset_peer":
                    time.sleep(how["timeout"] / 1000)
                    _close(sink, reset=True)
                    _close(source, reset=True)
                    return False
                case "limit_data":
                    left = how["bytes"] - sent.get(toxic["name"], 0)
                    sent[toxic["name"]] = sent.get(toxic["name"], 0) + len(data)
                    if len(data) >= left:
                        sink.sendall(data[: max(0, left)])
                        return False
                case "slicer":
                    size, pause_s = max(1, how["average_size"]), how["delay"] / 1e6
        for begin in range(0, len(data), size):
            sink.sendall(data[begin : begin + size])
            time.sleep(pause_s)
        return True


class FakeToxiproxy:
    """The server; `url` is its HTTP API. A context manager."""

    def __init__(self) -> None:
        self.proxies: dict[str, Proxy] = {}
        self.calls: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> FakeToxiproxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the API and every proxy."""
        self._server.shutdown()
        self._server.server_close()
        for proxy in self.proxies.values():
            proxy.disable()

    def add(self, name: str, listen_port: int, upstream_port: int) -> Proxy:
        """Create a proxy, enabled."""
        self.proxies[name] = Proxy(name, ("127.0.0.1", listen_port), ("127.0.0.1", upstream_port))
        self.proxies[name].enable()
        return self.proxies[name]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON of a request."""
        self.calls.append((method, path))
        if (method, path) == ("GET", "/proxies"):
            return 200, {name: proxy.as_json() for name, proxy in self.proxies.items()}
        match = re.fullmatch(r"/proxies/([^/]+)(/toxics)?(?:/([^/]+))?", path)
        if match is None:
            return 404, "404 page not found\n"
        proxy = self.proxies.get(match[1])
        if proxy is None:
            return 404, {"error": "proxy not found", "status": 404}
        if match[2]:
            return self._toxics(proxy, method, match[3], body)
        if method in ("POST", "PATCH") and body.get("enabled", proxy.enabled) != proxy.enabled:
            (proxy.enable if body["enabled"] else proxy.disable)()
        return 200, proxy.as_json()

    def _toxics(self, proxy: Proxy, method: str, name: str | None, body: Any) -> tuple[int, Any]:
        if name is not None:
            found = next((toxic for toxic in proxy.toxics if toxic["name"] == name), None)
            if found is None:
                return 404, {"error": "toxic not found", "status": 404}
            if method == "DELETE":
                proxy.toxics.remove(found)
                return 204, None
            return 200, found
        if method == "GET":
            return 200, proxy.as_json()["toxics"]
        if body.get("type") not in ATTRIBUTES:
            return 400, {"error": "invalid toxic type", "status": 400}
        stream = body.get("stream", "downstream")
        toxic = {
            "attributes": {key: body.get("attributes", {}).get(key, 0) for key in ATTRIBUTES[body["type"]]},
            "name": body.get("name") or f"{body['type']}_{stream}",
            "type": body["type"],
            "stream": stream,
            "toxicity": body.get("toxicity", 1),
        }
        if any(toxic["name"] == other["name"] for other in proxy.toxics):
            return 409, {"error": "toxic already exists", "status": 409}
        proxy.toxics.append(toxic)
        return 200, toxic

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def _do(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, value = fake.answer(self.command, self.path, json.loads(content or b"{}"))
                text = (
                    b""
                    if value is None
                    else (value if isinstance(value, str) else json.dumps(value)).encode()
                )
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if status < 400 else "text/plain")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = _do

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
