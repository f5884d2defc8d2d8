"""The trace context of a POST, from the id of the first alert in its body."""

from __future__ import annotations

from chaos_hooks.errors import SetupError
from chaos_hooks.options import Options
from reports import traces
from shapes import trace
from shapes.alerts import ID_ANNOTATION

_BEFORE = f'"{ID_ANNOTATION}":"'.encode()


def facts(options: Options, *, between: bool) -> dict[str, str]:
    """Return what a run's record says of its traces: nothing if its POSTs carry none, as where somebody
    stands in between.

    Raises:
        SetupError: if the UI's address is none.
    """
    if options.jaeger_url and not traces.is_page(options.jaeger_url):
        raise SetupError(
            f"--chaos-jaeger-url: {options.jaeger_url!r} is no address; write it like http://127.0.0.1:16686"
        )
    if not options.traceparent or between:
        return {}
    shown = {traces.SHOWN_AT: options.jaeger_url.rstrip("/")} if options.jaeger_url else {}
    return {traces.SENT: "one for each POST, made from the id of its first alert", **shown}


def header(body: bytes) -> bytes:
    """Return the line of the request's head; empty if the body carries no alert's id."""
    begin = body.find(_BEFORE)
    if begin < 0:
        return b""
    begin += len(_BEFORE)
    alert_id = body[begin : body.index(b'"', begin)].decode()
    return f"traceparent: {trace.parent(alert_id)}\r\n".encode()
