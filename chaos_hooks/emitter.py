"""The emitter: an open schedule. Every alert goes out at its due time, whatever became of those before."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import gevent.event
import gevent.pool

from chaos_hooks.clock import RunClock
from chaos_hooks.delivery import Delivery, Tried
from shapes import backoff
from shapes.alerts import Planned
from shapes.backoff import Notification, Policy

_POSTS_A_TURN = 48  # More begun at once would keep the answers that came waiting.
_LOOK_S = 0.02
_LATEST_S = 10.0  # A generator that is behind by more will not catch up.


class Emitter:
    """Begins each POST of the plan when it is due, from the sender's loop, so that a slow answer delays none.

    With a policy, what is not taken is sent again as the policy says, in a greenlet that waits for its time;
    without one, nothing ever is.
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
        self._posts: Iterator[list[Planned]] = iter(())
        self._next: list[Planned] | None = None
        self._greenlets = gevent.pool.Group()
        self._stopping = gevent.event.Event()
        self._frozen = False
        if policy:
            delivery.landed = lambda tried: self._spawn(self._until_taken, tried)
        delivery.sender.after_turn(lambda: self._or_fail(delivery.flush))

    @property
    def stopped(self) -> bool:
        """Return whether nothing more is begun."""
        return self._stopping.is_set()

    def emit(self, planned: Iterable[Planned]) -> None:
        """Begin every alert at its due time; return when the last was begun, or after `stop`."""
        self._posts = _posts(planned)
        self._next = next(self._posts, None)
        if not self._frozen:
            # Else the garbage collector looks through all of Locust now and then, and the load stands still
            # for as long: some 50 ms.
            gc.freeze()
            self._frozen = True
        if self._next:
            self._delivery.warm_up(self._next)
        self._delivery.sender.pace(self._take)

    def stop(self) -> None:
        """Begin no more, not even what is to be sent again; what is in flight goes on."""
        self._stopping.set()
        self._delivery.sender.hurry()

    def finish(self) -> None:
        """Wait until all is begun, however late (which is judged), and then taken or given up, at most until
        the policy ends."""
        with gevent.Timeout(_LATEST_S, False):
            while self._next and not self.stopped:
                gevent.sleep(_LOOK_S)
        if self._policy and not self.stopped:
            self._join(self._policy.ends_s - self._clock.now())

    def drain(self, for_s: float) -> None:
        """Wait for the answers in flight; give up those that take longer: they are INDETERMINATE."""
        self._join(for_s)
        self._delivery.sender.give_up()
        self._greenlets.kill()
        if self._frozen:
            gc.unfreeze()
            self._frozen = False

    def _take(self, now_s: float) -> float | None:
        """Begin what is due; return when the next is, or None."""
        return self._or_fail(self._begin, now_s)

    def _begin(self, now_s: float) -> float | None:
        due: list[list[Planned]] = []
        batch, posts = self._next, self._posts
        stopped = self.stopped
        while batch and not stopped and batch[0].due_s <= now_s and len(due) < _POSTS_A_TURN:
            if batch[0].volley:
                self._spawn(self._volley, batch)
            else:
                due.append(batch)
            batch = next(posts, None)
        self._next = batch
        if due:
            self._delivery.send(due)
        return batch[0].due_s if batch and not self.stopped else None

    def _join(self, for_s: float) -> None:
        with gevent.Timeout(max(0.0, for_s), False):
            while self._greenlets or self._delivery.sender.pending:
                gevent.sleep(_LOOK_S)

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        self._greenlets.spawn(self._or_fail, work, *arguments)

    def _or_fail(self, work: Callable[..., Any], *arguments: object) -> Any:
        try:
            return work(*arguments)
        except Exception as problem:  # noqa: BLE001 - told to the run, which ends by it.
            self._fail(problem)
            return None

    def _volley(self, batch: list[Planned]) -> None:
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
    batch: list[Planned] = []
    due_s = -1.0
    for alert in planned:
        if batch and (alert.due_s != due_s or alert.post != batch[0].post):
            yield batch
            batch = []
        batch.append(alert)
        due_s = alert.due_s
    if batch:
        yield batch
