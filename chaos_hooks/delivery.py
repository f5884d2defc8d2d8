"""Delivery: posts alerts and writes down what became of each, beginning and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from chaos_hooks import answers
from chaos_hooks.answers import Answer
from chaos_hooks.clock import RunClock
from chaos_hooks.exchange import Exchange
from chaos_hooks.ledger import Ended, Ledger
from chaos_hooks.sender import GIVEN_UP, Sender
from reports.history import Outcome
from shapes import alerts
from shapes.alerts import Naming, Planned
from shapes.prepared import Prepared
from shapes.push import Push
from shapes.target import AnswerRules

Told = Callable[[Exchange, list[Planned], list[Answer]], None]
_MOST_KNOWN, _MOST_KNOWN_BYTES = 1024, 512


class Begun(NamedTuple):
    """Alerts that are sent in one POST, and when that was begun."""

    alerts: list[Planned]
    body: bytes
    begun_s: float


class Tried(NamedTuple):
    """A try of some alerts, begun at ``begun_s``, and how far it got."""

    alerts: list[Planned]
    body: bytes
    begun_s: float
    exchange: Exchange


class Delivery:
    """The beginning of each try is on disk before its first byte goes out, so that a killed generator's
    record never calls an alert unsent that may have arrived.

    What was sent by `send` is written down by `flush`, which the sender calls at the end of each of its
    turns: many ends in one write. ``landed`` is then called with each try.
    """

    def __init__(
        self,
        naming: Naming,
        sender: Sender,
        rules: AnswerRules,
        ledger: Ledger,
        clock: RunClock,
        told: Told,
        until_s: float | None = None,
    ) -> None:
        """Make a delivery of webhooks; or, with ``until_s``, of pushes to an Alertmanager, see `Push`."""
        self.sender = sender
        self.landed: Callable[[Tried], None] | None = None
        self._naming = naming
        wall = clock.rfc3339
        self._prepared = Prepared(naming, wall) if until_s is None else Push(naming, wall, until_s)
        self._rules = rules
        self._ledger = ledger
        self._clock = clock
        self._told = told
        self._over: list[Tried] = []
        self._known: dict[tuple[int | None, bytes], list[Answer]] = {}

    def send(self, posts: Sequence[list[Planned]]) -> None:
        """Send some POSTs for the first time; return when they are begun.

        Raises:
            RecordError: if the disk does not take the record; none of them is sent.
        """
        bodies = [self._prepared.body(batch) for batch in posts]
        begun_s = self._clock.now()
        one = posts[0] if len(posts) == 1 else [alert for batch in posts for alert in batch]
        self._ledger.begin_post(one, begun_s)
        submit, ended = self.sender.submit, self._ended
        for batch, body in zip(posts, bodies, strict=True):
            submit(body, ended, Begun(batch, body, begun_s))

    def again(self, tried: Tried, number: int) -> Tried:
        """Send the same POST once more, as its ``number``-th try, and wait for its end; raises as `send`."""
        begun_s = self._clock.now()
        self._ledger.begin_post(tried.alerts, begun_s, number)
        with self._recorded_if_given_up(tried.alerts):
            exchange = self.sender.post(tried.body)
        tried = Tried(tried.alerts, tried.body, begun_s, exchange)
        self._record([tried])
        return tried

    def volley(self, batch: Sequence[Planned]) -> list[Tried]:
        """Send each alert in a POST of its own, all at one instant, and wait; raises as `send` does."""
        bodies = [self._prepared.body([alert]) for alert in batch]
        begun_s = self._clock.now()
        self._ledger.begin_post(batch, begun_s)
        with self._recorded_if_given_up(batch):
            exchanges = self.sender.volley(bodies)
        tried = [
            Tried([alert], body, begun_s, exchange)
            for alert, body, exchange in zip(batch, bodies, exchanges, strict=True)
        ]
        self._record(tried)
        return tried

    def flush(self) -> None:
        """Write down what has ended since; raises as `Ledger.end_all` does."""
        if not self._over:
            return
        over, self._over = self._over, []
        self._record(over)
        if self.landed:
            for tried in over:
                self.landed(tried)

    def _ended(self, begun: Begun, exchange: Exchange) -> None:
        self._over.append(Tried(*begun, exchange))

    @contextmanager
    def _recorded_if_given_up(self, batch: Sequence[Planned]) -> Iterator[None]:
        try:
            yield
        except BaseException as problem:
            gave_up = Answer(Outcome.INDETERMINATE, "killed", f"given up: {type(problem).__name__}")
            now_s = self._clock.now()
            self._ledger.end_all([Ended(alert.number, gave_up, None, now_s, None) for alert in batch])
            raise

    def _record(self, over: Sequence[Tried]) -> None:
        rows, told = [], []
        for tried in over:
            exchange = tried.exchange
            said = self._read(tried.alerts, exchange)
            told.append(said)
            for alert, answer in zip(tried.alerts, said, strict=True):
                rows.append(Ended(alert.number, answer, exchange.sent_s, exchange.done_s, exchange.status))
        self._ledger.end_all(rows)
        for tried, said in zip(over, told, strict=True):
            self._told(tried.exchange, tried.alerts, said)

    def _read(self, batch: list[Planned], exchange: Exchange) -> list[Answer]:
        """Return what each alert was answered; of one alert, an answer that was read before is known."""
        if exchange.reached != "connect" and exchange.error.endswith(f": {GIVEN_UP}"):
            return [Answer(Outcome.INDETERMINATE, "killed", "given up: the run ended")] * len(batch)
        if len(batch) > 1 or exchange.reached != "done" or b'"results"' in exchange.body:
            prints = [alerts.answered_fingerprint(self._naming, alert) for alert in batch]
            return answers.read(exchange, prints, self._rules)
        key = (exchange.status, exchange.body)
        said = self._known.get(key) if exchange.framed else None
        if said is None:
            said = answers.read(exchange, [""], self._rules)
            if exchange.framed and len(exchange.body) <= _MOST_KNOWN_BYTES:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = said
        return said
