"""HTTP server: HTTP/1.1 with kept connections, on httptools' parser; one answer is one segment."""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httptools

MAX_BODY = 16 * 1024 * 1024

log = logging.getLogger("toxiproxy")


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in small letters, the path as it was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. The length is added, unless the headers ask for chunks or the status allows no body."""

    status: int
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Request], Awaitable[Response]]


def _wire(response: Response, keep_alive: bool) -> bytes:
    head = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    body = response.body
    if "transfer-encoding" in response.headers:
        body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    elif response.status != 204:
        head += f"content-length: {len(body)}\r\n"
    if not keep_alive:
        head += "connection: close\r\n"
    return head.encode("latin-1") + b"\r\n" + body


class HttpConnection(asyncio.Protocol):
    """One client; its requests are answered in their order."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._requests: deque[Request] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._path = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client."""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        """Parse; what is no HTTP ends the connection with a 400."""
        assert self._transport is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            headers = {"content-type": "text/plain; charset=utf-8"}
            self._transport.write(_wire(Response(400, headers, b"400 Bad Request"), keep_alive=False))
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone; what it asked for is done all the same."""
        self._transport = None

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._path, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        """A part of the path."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """A client that waits for leave to send its body gets it."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A part of the body. Raises ValueError, which ends the connection."""
        self._body += body
        if len(self._body) > MAX_BODY:
            raise ValueError("the body is longer than 16 MiB")

    def on_message_complete(self) -> None:
        """The request is whole."""
        method = self._parser.get_method().decode("latin-1")
        keep = self._parser.should_keep_alive()
        self._requests.append(Request(method, self._path.decode("latin-1"), self._headers, self._body, keep))
        if self._worker is None:
            self._worker = asyncio.ensure_future(self._answer_all())

    async def _answer_all(self) -> None:
        while self._requests:
            request = self._requests.popleft()
            try:
                response = await self._handler(request)
            except (
                Exception
            ) as error:  # The caller is told, the log holds the trace, and the server lives on.
                log.exception("%s %s", request.method, request.path)
                reason = f"{type(error).__name__}: {error}\n".encode()
                response = Response(500, {"content-type": "text/plain; charset=utf-8"}, reason)
            if self._transport is not None:
                self._transport.write(_wire(response, request.keep_alive))
                if not request.keep_alive:
                    self._transport.close()
        self._worker = None
