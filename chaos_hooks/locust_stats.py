"""What Locust's statistics and listeners are told of the POSTs: in batches, singly where one listens."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import gevent
from locust.env import Environment
from locust.stats import StatsEntry, StatsError, bucket_response_time

from chaos_hooks.answers import Answer
from chaos_hooks.exchange import Exchange
from reports.history import Outcome
from shapes.alerts import Planned

EVERY_S = 0.25
METHOD, NAME = "POST", "alerts"
_LOCUSTS_OWN = "Runner.__init__.<locals>.on_request"


class NotAcked(Exception):
    """An alert that the Gateway did not acknowledge; expected under chaos, judged by the criteria."""


class LocustStats:
    """Counts for a quarter of a second, then adds to ``environment.stats`` as a worker's report would be. A
    POST counts as failed if one of its alerts was not acknowledged; its time counts from when it was due."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._times_ms: list[int] = []
        self._failed: Counter[str] = Counter()
        self._bytes = self._longest_ms = 0
        self._total_ms = 0.0
        self._listened = self._is_listened_to()

    def note(
        self,
        exchanges: Sequence[Exchange],
        batches: Sequence[list[Planned]],
        answers: Sequence[list[Answer]],
    ) -> None:
        """Take note of POSTs that are over: how far each got, its alerts, and what these were answered."""
        if self._listened:
            for exchange, batch, said in zip(exchanges, batches, answers, strict=True):
                took_ms = (exchange.done_s - batch[0].due_s) * 1000
                self._fire(exchange, batch, took_ms, _why(exchange, said))
            return
        # By position, as there may be many thousands in a second: done_s, due_s, body.
        took = [(each[2] - batch[0][3]) * 1000 for each, batch in zip(exchanges, batches, strict=True)]
        self._times_ms.extend(map(int, took))
        self._total_ms += sum(took)
        self._bytes += sum([len(each[4]) for each in exchanges])
        # Answers that say the same are one object, mostly.
        if not all(map(_all_acked, {id(said): said for said in answers}.values())):
            self._failed.update(why for each in zip(exchanges, answers, strict=True) if (why := _why(*each)))

    def run(self) -> None:
        """Flush again and again, for as long as the process lives."""
        while True:
            gevent.sleep(EVERY_S)
            self.flush()

    def flush(self) -> None:
        """Add what was counted since the last time."""
        self._listened = self._is_listened_to()
        if not self._times_ms:
            return
        stats = self._environment.stats
        batch = self._as_entry()
        for entry in (stats.total, stats.get(NAME, METHOD)):
            entry.extend(batch)
        for why, count in self._failed.items():
            key = StatsError.create_key(METHOD, NAME, NotAcked(why))
            error = stats.errors.setdefault(key, StatsError(METHOD, NAME, NotAcked(why)))
            for _ in range(count):
                error.occurred()
        self._times_ms.clear()
        self._failed.clear()
        self._bytes, self._total_ms = 0, 0.0

    def _as_entry(self) -> StatsEntry:
        now_s, count, failures = time.time(), len(self._times_ms), self._failed.total()
        entry = StatsEntry(self._environment.stats, NAME, METHOD)
        entry.num_requests, entry.num_failures = count, failures
        entry.start_time = entry.last_request_timestamp = now_s
        entry.num_reqs_per_sec[int(now_s)] = count
        if failures:
            entry.num_fail_per_sec[int(now_s)] = failures
        entry.total_response_time = round(self._total_ms)
        entry.total_content_length = self._bytes
        entry.min_response_time, entry.max_response_time = min(self._times_ms), max(self._times_ms)
        for took_ms, times in Counter(self._times_ms).items():
            entry.response_times[bucket_response_time(took_ms)] += times
        return entry

    def _is_listened_to(self) -> bool:
        handlers = self._environment.events.request._handlers
        return any(getattr(each, "__qualname__", "") != _LOCUSTS_OWN for each in handlers)

    def _fire(self, exchange: Exchange, batch: list[Planned], took_ms: float, why: str) -> None:
        self._environment.events.request.fire(
            request_type=METHOD,
            name=NAME,
            response_time=took_ms,
            response_length=len(exchange.body),
            response=None,
            context={},
            exception=NotAcked(why) if why else None,
            start_time=batch[0].due_s,
            url="",
        )


def _all_acked(answers: list[Answer]) -> bool:
    return all(answer.outcome is Outcome.ACKED for answer in answers)


def _why(exchange: Exchange, answers: list[Answer]) -> str:
    """Return why a POST counts as failed, or nothing."""
    for answer in answers:
        if answer.outcome is not Outcome.ACKED:
            return f"{answer.outcome.value}: {exchange.status or exchange.error}"
    return ""
