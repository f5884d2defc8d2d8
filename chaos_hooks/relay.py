"""A relay behind an Alertmanager: it hands each webhook on to the Gateway, and writes down the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from gevent.pywsgi import WSGIServer

from chaos_hooks import answers
from chaos_hooks.clock import RunClock
from chaos_hooks.exchange import Exchange
from chaos_hooks.line_file import LineFile
from chaos_hooks.sender import Sender
from shapes.alerts import ID_ANNOTATION, Naming
from shapes.target import AnswerRules

_NO_ANSWER = 502  # Alertmanager tries again after it, as after a connection that was refused or broke.


class Relay:
    """Listens on loopback from the begin on, so that an Alertmanager can be told of it before there is a
    Gateway; until `open` it answers 503.

    Each POST goes out once, on the transport of direct alerts, and its answer goes back as it came. Where the
    Gateway gave no whole answer it answers 502.
    """

    def __init__(self, naming: Naming, clock: RunClock) -> None:
        self._naming = naming
        self._clock = clock
        self._sender: Sender | None = None
        self._record: LineFile | None = None
        self._rules = AnswerRules()
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self._server.start()

    @property
    def url(self) -> str:
        """Return where it listens, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def open(self, sender: Sender, rules: AnswerRules, record: LineFile) -> None:
        """Hand on by this transport from now on, and write into this file."""
        self._sender, self._rules, self._record = sender, rules, record

    def close(self) -> None:
        """Listen no more; what is under way is given up, and written down as such."""
        self._server.stop(0)
        if self._sender:
            self._sender.give_up()
            self._sender.close()
        if self._record:
            self._record.close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        if self._sender is None:
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        begun_s = self._clock.now()
        exchange = self._sender.post(body)
        self._keep(body, begun_s, exchange)
        whole = exchange.reached == "done" and exchange.status is not None
        status, back = (exchange.status or _NO_ANSWER, exchange.body) if whole else (_NO_ANSWER, b"")
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "-"
        start(
            f"{status} {phrase}", [("Content-Type", "application/json"), ("Content-Length", str(len(back)))]
        )
        return [back]

    def _keep(self, body: bytes, begun_s: float, exchange: Exchange) -> None:
        assert self._record
        posted = _alerts(body)
        said = answers.read(exchange, [str(each.get("fingerprint", "")) for each in posted], self._rules)
        for each, answer in zip(posted, said, strict=True):
            notes = each.get("annotations") or {}
            number = self._naming.number_in(str(notes.get(ID_ANNOTATION, "")))
            if number is not None and each.get("status") != "resolved":
                row = {"number": number, "begun_s": begun_s, "sent_s": exchange.sent_s}
                row |= {"done_s": exchange.done_s, "status": exchange.status}
                self._record.append(
                    {**row, "outcome": answer.outcome, "kind": answer.kind, "detail": answer.detail}
                )


def _alerts(body: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(body)["alerts"]
    except (ValueError, LookupError, TypeError):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
