"""HTTP server: just enough of HTTP/1.1 for a control API on loopback, one request a connection.

By hand on asyncio, as the keeper has to be up before the servers that it starts: a framework's import takes
longer than five Redis servers.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

MAX_BODY = 65536
_READ_TIMEOUT_S = 10.0

log = logging.getLogger("sandbox")


@dataclass(frozen=True, slots=True)
class Request:
    """One request; body is raw."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One answer: JSON, or text as Prometheus reads it."""

    status: int
    body: dict[str, Any] | str


Handler = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """What came is not a request that we read; the message says why."""


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    words = head[0].split(" ")
    if len(words) != 3:
        raise BadRequest("the request line is not METHOD PATH VERSION")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    if "transfer-encoding" in headers:
        raise BadRequest("chunked bodies are not read; mend: send Content-Length")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise BadRequest(f"Content-Length {length!r} is not a number up to {MAX_BODY}")
    return Request(words[0], words[1].partition("?")[0], await reader.readexactly(int(length)))


async def _answer(reader: asyncio.StreamReader, handler: Handler) -> Response:
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            request = await _read(reader)
    except (BadRequest, asyncio.LimitOverrunError) as error:
        return Response(400, {"error": str(error)})
    try:
        return await handler(request)
    except Exception as error:  # The caller is told, the log holds the trace, and the server lives on.
        log.exception("%s %s", request.method, request.path)
        return Response(500, {"error": f"{request.method} {request.path}: {type(error).__name__}: {error}"})


async def serve(handler: Handler, listener: socket.socket) -> asyncio.Server:
    """Answer on this bound socket until the returned server is closed."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            response = await _answer(reader, handler)
            text = isinstance(response.body, str)
            body = (response.body if isinstance(response.body, str) else json.dumps(response.body)).encode()
            kind = "text/plain; version=0.0.4; charset=utf-8" if text else "application/json"
            phrase = HTTPStatus(response.status).phrase
            head = (
                f"HTTP/1.1 {response.status} {phrase}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)  # one write, one segment: no waiting for a delayed ACK
            await writer.drain()
        except (ConnectionError, EOFError, TimeoutError) as error:
            log.info("a control connection ended early: %s", type(error).__name__)
        finally:
            writer.close()

    return await asyncio.start_server(one, sock=listener)
