"""The two listeners: HTTPS for the API server's reviews, HTTP for whoever switches faults on and off."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from chaos_hooks.throttling_webhook import orders, review
from chaos_hooks.throttling_webhook.book import Book

Answer = tuple[int, Any]
_LIMIT_BYTES = 8 * 1024 * 1024  # An API server hands over objects of up to 3 MiB, old and new.
_IDLE_S = 120.0
_ROUTES = "POST /faults, GET /faults, DELETE /faults/NAME, DELETE /faults"


class Listener(ThreadingHTTPServer):
    """Answers by a function of method, path and content; a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], reply: Callable[[str, str, bytes], Answer], tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, _handler(reply))
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its own thread: so one that never shakes hands holds up nobody."""
        if self._tls is not None:
            request.settimeout(_IDLE_S)
            request = self._tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up, or trusts another CA, is its own affair."""


def reviews(address: tuple[str, int], book: Book, cert: Path, key: Path) -> Listener:
    """Return the listener for the API server: ``POST /throttle``, ``GET /readyz``.

    Raises:
        OSError: if the address is taken, or the certificate cannot be used.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    tls.set_alpn_protocols(["http/1.1"])

    def reply(method: str, path: str, content: bytes) -> Answer:
        match method, path:
            case "GET", "/readyz":
                return 200, {"ready": True}
            case "POST", "/throttle":
                try:
                    return 200, review.answer(json.loads(content), book)
                except (review.BadReview, ValueError, RecursionError) as problem:
                    return 400, {"error": str(problem)}
        return 404, {"error": f"no {method} {path}; there are: POST /throttle, GET /readyz"}

    return Listener(address, reply, tls)


def control(address: tuple[str, int], book: Book) -> Listener:
    """Return the listener for the harness; it asks for no password, so keep it on loopback.

    Raises:
        OSError: if the address is taken.
    """

    def reply(method: str, path: str, content: bytes) -> Answer:
        name = unquote(path.removeprefix("/faults/")) if path.startswith("/faults/") else ""
        match method, path, name:
            case "GET", "/faults", _:
                return 200, {"faults": book.listed()}
            case "POST", "/faults", _:
                return _add(book, content)
            case "DELETE", "/faults", _:
                return 200, {"removed": book.remove_all()}
            case "DELETE", _, named if named:
                return 200, book.remove(named)
        return 404, {"error": f"no {method} {path}; there are: {_ROUTES}"}

    return Listener(address, reply, None)


def _add(book: Book, content: bytes) -> Answer:
    try:
        order = orders.read(json.loads(content))
    except orders.BadOrder as problem:
        return 400, {"error": str(problem)}
    except (ValueError, RecursionError) as problem:
        return 400, {"error": f"the body is no JSON: {problem}"}
    if not book.add(order):
        return 409, {"error": f"name: a fault {order.name!r} is on already; delete it, or use another name"}
    return 201, {"name": order.name, "for_s": order.for_s}


def _handler(reply: Callable[[str, str, bytes], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _LIMIT_BYTES:
                self.close_connection = True
                self._send(413, {"error": f"the body is longer than {_LIMIT_BYTES} bytes"})
                return
            self._send(*reply(self.command, urlsplit(self.path).path, self.rfile.read(length)))

        def _send(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request; the faults count what they refused."""

    return Handler
