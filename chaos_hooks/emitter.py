"""The emitter: an open schedule. Every alert goes out at its due time, whatever became of those before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import gevent.event
import gevent.pool

from chaos_hooks.clock import RunClock
from chaos_hooks.delivery import Delivery, Tried
from shapes import backoff
from shapes.alerts import Planned
from shapes.backoff import Notification, Policy


class Emitter:
    """Sends each POST of the plan in a greenlet of its own, so that a slow answer delays nobody.

    With a policy, what is not taken is sent again as the policy says; without one, nothing ever is.
    """

    def __init__(
        self,
        delivery: Delivery,
        clock: RunClock,
        fail: Callable[[BaseException], None],
        policy: Policy | None = None,
    ) -> None:
        self._delivery = delivery
        self._clock = clock
        self._fail = fail
        self._policy = policy
        self._in_flight = gevent.pool.Group()
        self._stopping = gevent.event.Event()

    @property
    def stopped(self) -> bool:
        """Return whether nothing more is begun."""
        return self._stopping.is_set()

    def emit(self, planned: Iterable[Planned]) -> None:
        """Begin every alert at its due time; return when the last was begun, or after `stop`."""
        for batch in _posts(planned):
            self._clock.sleep_until(batch[0].due_s)
            if self.stopped:
                return
            self._spawn(self._deliver, batch)

    def stop(self) -> None:
        """Begin no more, not even what is to be sent again; what is in flight goes on."""
        self._stopping.set()

    def finish(self) -> None:
        """Wait until everything is taken or given up, at most until the policy ends."""
        if self._policy and not self.stopped:
            self._in_flight.join(timeout=max(0.0, self._policy.ends_s - self._clock.now()))

    def drain(self, for_s: float) -> None:
        """Wait for the answers in flight; give up those that take longer: they are INDETERMINATE."""
        self._in_flight.join(timeout=for_s)
        self._in_flight.kill()

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        def or_fail() -> None:
            try:
                work(*arguments)
            except Exception as problem:  # noqa: BLE001 - told to the run, which ends by it.
                self._fail(problem)

        self._in_flight.spawn(or_fail)

    def _deliver(self, batch: list[Planned]) -> None:
        if not batch[0].volley:
            self._until_taken(self._delivery.post(batch))
            return
        for tried in self._delivery.volley(batch):
            self._spawn(self._until_taken, tried)

    def _until_taken(self, tried: Tried) -> None:
        # A deliberate, recorded decision: the transport itself never sends anything twice.
        if self._policy is None:
            return
        notification = Notification(self._policy, tried.alerts[0].number, tried.begun_s)
        for number in itertools.count(2):
            got = tried.exchange
            reply = backoff.reply(got.status if got.reached == "done" else None)
            at_s = notification.again_s(tried.begun_s, got.done_s, reply)
            if at_s is None or self._stopping.wait(max(0.0, at_s - self._clock.now())):
                return
            tried = self._delivery.again(tried, number)


def _posts(planned: Iterable[Planned]) -> Iterator[list[Planned]]:
    """Group the alerts of one POST, or of one volley."""
    for _, group in itertools.groupby(planned, key=lambda alert: alert.post):
        yield list(group)
