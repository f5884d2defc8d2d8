"""The trace context of a POST, from the id of the first alert in its body."""

from __future__ import annotations

from shapes import trace
from shapes.alerts import ID_ANNOTATION

_BEFORE = f'"{ID_ANNOTATION}":"'.encode()


def header(body: bytes) -> bytes:
    """Return the line of the request's head; empty if the body carries no alert's id."""
    begin = body.find(_BEFORE)
    if begin < 0:
        return b""
    begin += len(_BEFORE)
    alert_id = body[begin : body.index(b'"', begin)].decode()
    return f"traceparent: {trace.parent(alert_id)}\r\n".encode()
