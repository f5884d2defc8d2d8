"""Delivery: posts alerts and writes down what became of each, beginning and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chaos_hooks import answers
from chaos_hooks.answers import Answer
from chaos_hooks.clock import RunClock
from chaos_hooks.ledger import Ledger
from chaos_hooks.sender import Exchange, Sender
from reports.history import Outcome
from shapes import alerts
from shapes.alerts import Naming, Planned
from shapes.target import AnswerRules

Told = Callable[[Exchange, list[Planned], list[Answer]], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """A try of some alerts, begun at ``begun_s``, and how far it got."""

    alerts: list[Planned]
    body: bytes
    begun_s: float
    exchange: Exchange


class Delivery:
    """The beginning of each try is on disk before its first byte goes out, so that a killed generator's
    record never calls an alert unsent that may have arrived."""

    def __init__(
        self,
        naming: Naming,
        sender: Sender,
        rules: AnswerRules,
        ledger: Ledger,
        clock: RunClock,
        told: Told,
    ) -> None:
        self._naming = naming
        self._sender = sender
        self._rules = rules
        self._ledger = ledger
        self._clock = clock
        self._told = told

    def post(self, batch: Sequence[Planned]) -> Tried:
        """Send alerts in one POST, for the first time.

        Raises:
            RecordError: if the disk does not take the record.
        """
        return self._post(list(batch), alerts.body(self._naming, batch, self._clock.rfc3339), 1)

    def again(self, tried: Tried, number: int) -> Tried:
        """Send the same POST once more, as its ``number``-th try; raises as `post` does."""
        return self._post(tried.alerts, tried.body, number)

    def volley(self, batch: Sequence[Planned]) -> list[Tried]:
        """Send each alert in a POST of its own, all at one instant; raises as `post` does."""
        bodies = [alerts.body(self._naming, [alert], self._clock.rfc3339) for alert in batch]
        begun_s = self._clock.now()
        self._ledger.begin_post(batch, begun_s)
        with self._recorded_if_given_up(batch):
            exchanges = self._sender.volley(bodies)
        tried = [
            Tried([alert], body, begun_s, exchange)
            for alert, body, exchange in zip(batch, bodies, exchanges, strict=True)
        ]
        for each in tried:
            self._record(each)
        return tried

    def _post(self, batch: list[Planned], body: bytes, number: int) -> Tried:
        begun_s = self._clock.now()
        self._ledger.begin_post(batch, begun_s, number)
        with self._recorded_if_given_up(batch):
            exchange = self._sender.post(body)
        tried = Tried(batch, body, begun_s, exchange)
        self._record(tried)
        return tried

    @contextmanager
    def _recorded_if_given_up(self, batch: Sequence[Planned]) -> Iterator[None]:
        try:
            yield
        except BaseException as problem:
            gave_up = Answer(Outcome.INDETERMINATE, "killed", f"given up: {type(problem).__name__}")
            for alert in batch:
                self._ledger.end(alert.number, gave_up, sent_s=None, done_s=self._clock.now(), status=None)
            raise

    def _record(self, tried: Tried) -> None:
        exchange = tried.exchange
        prints = [alerts.answered_fingerprint(self._naming, alert) for alert in tried.alerts]
        told = answers.read(exchange, prints, self._rules)
        for alert, answer in zip(tried.alerts, told, strict=True):
            self._ledger.end(
                alert.number, answer, sent_s=exchange.sent_s, done_s=exchange.done_s, status=exchange.status
            )
        self._told(exchange, tried.alerts, told)
