"""The reference Gateway made to speak as the chaos plan has it: its webhook's path, its metrics' labels."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from small_server import Request, serving

PLANS, REAL = "/v1/webhooks/prometheus", "/api/v1/signals/prometheus"
# The plan knows two states of a breaker, calls the API k8s_api, and counts changes without telling to what.
_REWRITTEN = (
    (re.compile(r'component="kubernetes"'), 'component="k8s_api"'),
    (re.compile(r"^(gateway_circuit_breaker_state\{.*\}) 2(?:\.0)?$", re.M), r"\1 1"),
    (re.compile(r'(changes_total\{component="\w+"),to="open"'), r"\1"),
)
_DROPPED = re.compile(r'changes_total\{component="\w+",to="(?:closed|half_open)"')


@contextmanager
def speaking_as_planned(gateway_url: str) -> Iterator[dict[str, str]]:
    """Stand in front of a Gateway; the value are its endpoints, with a port of their own for the metrics."""
    host = urlsplit(gateway_url).netloc
    with serving(_webhook(host)) as api, serving(_metrics(host)) as metrics:
        yield {"gateway_url": api, "metrics_url": f"{metrics}/metrics", "ready_url": f"{api}/readyz"}


def _webhook(host: str) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        if request.command == "POST" and request.path != PLANS:
            return request.reply(404, "no such path")
        status, kind, body = _ask(
            host, request.command, REAL if request.command == "POST" else request.path, request
        )
        return request.reply(status, body.decode(), Content_Type=kind)

    return answer


def _metrics(host: str) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        status, kind, body = _ask(host, "GET", request.path, request)
        lines = [line for line in body.decode().splitlines() if not _DROPPED.search(line)]
        text = "\n".join([*lines, ""])
        for pattern, planned in _REWRITTEN:
            text = pattern.sub(planned, text)
        return request.reply(status, text, Content_Type=kind)

    return answer


def _ask(host: str, method: str, path: str, request: Request) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        body = request.content() if method == "POST" else None
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", "text/plain"), answer.read()
    finally:
        connection.close()
