"""Delivery: posts alerts and writes down what became of each, beginning and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import NamedTuple

from chaos_hooks import answers, loops
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

# Of some POSTs that are over: how far each got, its alerts, and what each of them was answered.
Told = Callable[[Sequence[Exchange], Sequence[list[Planned]], Sequence[list[Answer]]], None]
_MOST_KNOWN, _MOST_KNOWN_BYTES = 1024, 512


class Tried(NamedTuple):
    """A try of some alerts, begun at ``begun_s``, and how far it got."""

    alerts: list[Planned]
    request: bytes
    begun_s: float
    exchange: Exchange


class Known(NamedTuple):
    """What an answer that came before says of the one alert of its POST, and what the ledger knows it by."""

    answers: list[Answer]
    code: int


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
        wall, envelope = clock.rfc3339, sender.request
        self._prepared = (
            Prepared(naming, wall, envelope) if until_s is None else Push(naming, wall, until_s, envelope)
        )
        self._rules = rules
        self._ledger = ledger
        self._clock = clock
        self._told = told
        # POSTs of `send` that are over: alerts, request, when it was begun; how far it got.
        self._over: list[tuple[tuple[list[Planned], bytes, float], Exchange]] = []
        self._known: dict[tuple[int | None, bytes], Known] = {}

    def warm_up(self, post: list[Planned]) -> None:
        """Do for a POST what is done once for all like it, so that the first is not late; send nothing."""
        self._prepared.requests([post])

    def send(self, posts: Sequence[list[Planned]]) -> None:
        """Send some POSTs for the first time; return when they are begun.

        Raises:
            RecordError: if the disk does not take the record; none of them is sent.
        """
        requests = self._prepared.requests(posts)
        begun_s = self._clock.now()
        self._ledger.begin_post(list(chain.from_iterable(posts)), begun_s)
        self.sender.submit(requests, self._over.append, list(zip(posts, requests, repeat(begun_s))))

    def again(self, tried: Tried, number: int) -> Tried:
        """Send the same POST once more, as its ``number``-th try, and wait for its end; raises as `send`."""
        begun_s = self._clock.now()
        self._ledger.begin_post(tried.alerts, begun_s, number)
        with self._recorded_if_given_up(tried.alerts):
            exchange = self.sender.send(tried.request)
        tried = Tried(tried.alerts, tried.request, begun_s, exchange)
        self._record([tried.alerts], [exchange])
        return tried

    def volley(self, batch: Sequence[Planned]) -> list[Tried]:
        """Send each alert in a POST of its own, all at one instant, and wait; raises as `send` does."""
        bodies = [self._prepared.body([alert]) for alert in batch]
        begun_s = self._clock.now()
        self._ledger.begin_post(batch, begun_s)
        with self._recorded_if_given_up(batch):
            exchanges = self.sender.volley(bodies)
        tried = [
            Tried([alert], self.sender.request(body), begun_s, exchange)
            for alert, body, exchange in zip(batch, bodies, exchanges, strict=True)
        ]
        self._record([each.alerts for each in tried], exchanges)
        return tried

    def flush(self) -> None:
        """Write down what has ended since; raises as `Ledger.end_all` does."""
        if not self._over:
            return
        over = self._over[:]
        self._over.clear()
        self._record([begun[0] for begun, _ in over], [exchange for _, exchange in over])
        if self.landed:
            for begun, exchange in over:
                self.landed(Tried(*begun, exchange))

    @contextmanager
    def _recorded_if_given_up(self, batch: Sequence[Planned]) -> Iterator[None]:
        try:
            yield
        except BaseException as problem:
            gave_up = Answer(Outcome.INDETERMINATE, "killed", f"given up: {type(problem).__name__}")
            now_s = self._clock.now()
            self._ledger.end_all([Ended(alert.number, gave_up, None, now_s, None) for alert in batch])
            raise

    def _record(self, batches: list[list[Planned]], exchanges: list[Exchange]) -> None:
        settled = loops.settled(batches, exchanges, self._known)
        if settled is None:
            self._record_each(batches, exchanges)
            return
        numbers, codes, sent_s, done_s, said = settled
        self._ledger.end_rows(numbers, codes, sent_s, done_s)
        self._told(exchanges, batches, said)

    def _record_each(self, batches: list[list[Planned]], exchanges: list[Exchange]) -> None:
        """Do it where not every answer is one that came before."""
        numbers: list[int] = []
        codes: list[int] = []
        sent_s: list[float | None] = []
        done_s: list[float] = []
        told = []
        for batch, exchange in zip(batches, exchanges, strict=True):
            one = self._learnt(exchange) if len(batch) == 1 else None
            if one:
                said, code = one.answers, [one.code]
            else:
                said = self._read(batch, exchange)
                different = {id(answer): answer for answer in said}
                codes_of = {of: self._ledger.code(each, exchange.status) for of, each in different.items()}
                code = [codes_of[id(answer)] for answer in said]
            told.append(said)
            numbers.extend([alert[0] for alert in batch])
            codes.extend(code)
            sent_s.extend([exchange.sent_s] * len(batch))
            done_s.extend([exchange.done_s] * len(batch))
        self._ledger.end_rows(numbers, codes, sent_s, done_s)
        self._told(exchanges, batches, told)

    def _learnt(self, exchange: Exchange) -> Known | None:
        """Return what an answer says of the one alert of its POST, if that is all it speaks of."""
        reached, _, _, status, body, _, framed = exchange
        known = self._known.get((status, body)) if framed and reached == "done" else None
        if known:
            return known
        if reached != "done" or not framed or len(body) > _MOST_KNOWN_BYTES or b'"results"' in body:
            return None
        said = answers.read(exchange, [""], self._rules)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known = self._known[status, body] = Known(said, self._ledger.code(said[0], status))
        return known

    def _read(self, batch: list[Planned], exchange: Exchange) -> list[Answer]:
        """Return what each alert was answered."""
        if exchange.reached != "connect" and exchange.error.endswith(f": {GIVEN_UP}"):
            return [Answer(Outcome.INDETERMINATE, "killed", "given up: the run ended")] * len(batch)
        if b'"results"' in exchange.body:
            prints = [alerts.answered_fingerprint(self._naming, alert) for alert in batch]
        else:
            prints = [""] * len(batch)  # Nothing in the answer speaks of one of them by itself.
        return answers.read(exchange, prints, self._rules)
