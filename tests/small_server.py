"""A small HTTP server in a thread, which answers every request as a test wants it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kubernetes_api_server import free_port


class Request(BaseHTTPRequestHandler):
    """One request; `reply` answers it."""

    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: str | bytes = b"", **headers: str) -> None:
        """Send a whole answer; an underscore in a header's name stands for a hyphen."""
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def content(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False  # A handler that hangs ends with the process.

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a client that gives up is what many of these tests are about."""


@contextmanager
def serving(answer: Callable[[Request], None]) -> Iterator[str]:
    """Serve on a free loopback port; the value is the base URL."""

    class Handler(Request):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    server = _Server(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
