"""The emitter: an open schedule. Every alert goes out at its due time, whatever became of those before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import gevent
import gevent.pool

from chaos_hooks import answers
from chaos_hooks.answers import Answer
from chaos_hooks.clock import RunClock, rfc3339
from chaos_hooks.ledger import Ledger
from chaos_hooks.sender import Exchange, Sender
from reports.history import Outcome
from shapes import alerts
from shapes.alerts import Naming, Planned
from shapes.scenario import AlertRecipe
from shapes.target import AnswerRules

Told = Callable[[Exchange, list[Planned], list[Answer]], None]


class Emitter:
    """Sends each POST of the plan in a greenlet of its own, so that a slow answer delays nobody."""

    def __init__(
        self,
        recipe: AlertRecipe,
        naming: Naming,
        sender: Sender,
        rules: AnswerRules,
        ledger: Ledger,
        clock: RunClock,
        told: Told,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._recipe = recipe
        self._naming = naming
        self._sender = sender
        self._rules = rules
        self._ledger = ledger
        self._clock = clock
        self._told = told
        self._fail = fail
        self._in_flight = gevent.pool.Group()
        self.stopped = False

    def emit(self, planned: Iterable[Planned]) -> None:
        """Begin every alert at its due time; return when the last was begun, or after `stop`."""
        for batch in _posts(planned):
            self._clock.sleep_until(batch[0].due_s)
            if self.stopped:
                return
            self._in_flight.spawn(self._send_or_fail, batch)

    def stop(self) -> None:
        """Begin no more; what is in flight goes on."""
        self.stopped = True

    def drain(self, for_s: float) -> None:
        """Wait for the answers in flight; give up those that take longer: they are INDETERMINATE."""
        self._in_flight.join(timeout=for_s)
        self._in_flight.kill()

    def _send_or_fail(self, batch: list[Planned]) -> None:
        try:
            self._send(batch)
        except Exception as problem:  # noqa: BLE001 - told to the run, which ends by it: an unrecorded alert is no detail.
            self._fail(problem)

    def _send(self, batch: list[Planned]) -> None:
        # The beginning is on disk before the first byte goes out, so that a killed generator's record
        # never calls an alert unsent that may have arrived.
        begun_s = self._clock.now()
        self._ledger.begin_post(batch, begun_s)
        body = alerts.body(self._recipe, self._naming, batch, rfc3339())
        try:
            exchange = self._sender.post(body)
        except BaseException as problem:
            gave_up = Answer(Outcome.INDETERMINATE, "killed", f"given up: {type(problem).__name__}")
            for planned in batch:
                self._ledger.end(planned.number, gave_up, sent_s=None, done_s=self._clock.now(), status=None)
            raise
        prints = [alerts.fingerprint(alerts.labels(self._recipe, self._naming, p)) for p in batch]
        told = answers.read(exchange, prints, self._rules)
        for planned, answer in zip(batch, told, strict=True):
            self._ledger.end(
                planned.number, answer, sent_s=exchange.sent_s, done_s=exchange.done_s, status=exchange.status
            )
        self._told(exchange, batch, told)


def _posts(planned: Iterable[Planned]) -> Iterator[list[Planned]]:
    """Group the alerts of one POST: those that share phase and due time."""
    for _, group in itertools.groupby(planned, key=lambda p: (p.phase, p.due_s)):
        yield list(group)
