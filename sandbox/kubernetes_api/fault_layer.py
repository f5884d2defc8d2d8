"""The fault layer: stands before the server on the faulty port, and disturbs the requests that a fault hits.

A request that is answered or reset here never reaches the server: it changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct

from sandbox.kubernetes_api import bodies
from sandbox.kubernetes_api.app import REQUEST, UNANSWERED, AsgiApp, Message, Receive, Scope, Send
from sandbox.kubernetes_api.connections import TRANSPORT
from sandbox.kubernetes_api.faults import Fault, FaultBook
from sandbox.kubernetes_api.status import ApiError

# A server that cut the connection without an answer, as nginx writes it in its log.
RESET_CODE = 444
# Reason and message as of k8s.io/apimachinery pkg/api/errors (NewTooManyRequestsError and
# NewGenericServerResponse), because clients match on them.
_WORDS = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "the server has asked for the client to provide credentials"),
    403: ("Forbidden", "the server does not allow access to the requested resource"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the server reported a conflict"),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "an error on the server has prevented the request from succeeding"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}


class FaultLayer:
    """Between what counts the answers and what gives them; see `sandbox.kubernetes_api.app.build`."""

    def __init__(self, inner: AsgiApp, book: FaultBook) -> None:
        self._inner = inner
        self._book = book

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._book.strike(scope[REQUEST])
        if fault is None:
            await self._inner(scope, receive, send)
            return
        if fault.delay_s > 0:
            # Read before the wait: a server that is slow has the request, and does it even if the client
            # meanwhile gave up.
            receive = await _read_ahead(receive)
            await asyncio.sleep(fault.delay_s)
        if fault.reset:
            await _reset(scope, receive)
        elif fault.status is not None:
            await _answer(fault, fault.status, send)
        else:
            await self._inner(scope, receive, send)


async def _read_ahead(receive: Receive) -> Receive:
    """Return a receive that gives the body again, which was read as far as a server would."""
    read: list[Message] = []
    size_bytes, more = 0, True
    while more and size_bytes <= bodies.LIMIT_BYTES:
        message = await receive()
        read.append(message)
        size_bytes += len(message.get("body", b""))
        more = bool(message.get("more_body", False))
    read.reverse()

    async def again() -> Message:
        return read.pop() if read else await receive()

    return again


async def _reset(scope: Scope, receive: Receive) -> None:
    scope[UNANSWERED] = RESET_CODE
    transport: asyncio.Transport = scope[TRANSPORT]
    # A linger of no time makes the kernel send RST instead of FIN.
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(fault: Fault, status: int, send: Send) -> None:
    reason, message = _WORDS.get(status, ("", f"the server answered {status}"))
    headers = [(b"content-type", b"application/json")]
    details = None
    if fault.retry_after_s is not None:
        details = {"retryAfterSeconds": fault.retry_after_s}
        headers.append((b"retry-after", str(fault.retry_after_s).encode()))
    content = json.dumps(ApiError(status, reason, message, details).body(), separators=(",", ":")).encode()
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
