"""Who sends what: each slice of the schedule is leased to workers, every alert to one of them, once.

::

    waiting --offer--> OFFERED --accepted--> ACCEPTED
       ^                  |
       |               refused
       +---- in time -----+---- too late ----> unsent

It is pure: it owns no clock and sends nothing. An alert that was offered and not refused is never offered
again: its worker may have begun it. What became of it is in that worker's ledger; if that cannot be read to
its end, it is INDETERMINATE. What was never offered, or was refused, was not begun: it is UNSENT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from shapes.alerts import Planned
from shapes.slices import Slice

AHEAD_S = 1.0  # A slice is leased this long before it begins.
_ACCEPT_S = 0.1  # A lease must be accepted this long before its slice begins,
_LEAST_S = 0.4  # but a worker always has this long to accept.
_ANSWER_S = 0.4  # A worker that has not answered an offer for so long is given no other until it does.
_WAIT_S = 0.5  # A slice for which there is no worker waits so long after its begin; then it is unsent.


class State(StrEnum):
    """What is known of a lease."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(slots=True)
class Lease:
    """A worker's share of a slice, which it must accept by a time; ``alerts`` is emptied once it did."""

    number: int
    worker: str
    begins_s: float
    accept_by_s: float
    offered_s: float
    posts: tuple[tuple[Planned, ...], ...]
    state: State = State.OFFERED

    @property
    def alerts(self) -> list[Planned]:
        """Return its alerts, in order of their due times."""
        return [alert for post in self.posts for alert in post]


@dataclass(slots=True)
class _Waiting:
    """POSTs that nobody has; ``refused`` are the workers that would not take them."""

    begins_s: float
    posts: tuple[tuple[Planned, ...], ...]
    refused: frozenset[str] = field(default_factory=frozenset)


class Dealer:
    """Deals slices evenly, POST by POST, to the workers that are there and answer."""

    def __init__(self) -> None:
        self.leases: dict[int, Lease] = {}  # Those that are not answered yet.
        self.unsent: list[Planned] = []
        self._workers: list[str] = []
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._turn = 0

    @property
    def waiting(self) -> list[Planned]:
        """Return the alerts that still wait for a worker."""
        return [alert for each in self._waiting for post in each.posts for alert in post]

    def join(self, worker: str) -> None:
        """Let a worker have leases from the next slice on."""
        if worker not in self._workers:
            self._workers.append(worker)

    def leave(self, worker: str) -> None:
        """Give a worker no more; what it has it keeps, and what is not answered stays in doubt."""
        if worker in self._workers:
            self._workers.remove(worker)

    def deal(self, piece: Slice, now_s: float) -> list[Lease]:
        """Return the leases that a slice is offered by; without a worker it waits."""
        self._waiting.append(_Waiting(piece.begins_s, piece.posts))
        return self.tick(now_s)

    def answer(self, number: int, *, accepted: bool) -> Lease | None:
        """Take a worker's word on a lease; return the lease, or None if it had been answered before.

        A refusal is the worker's promise that it did not begin, and never will.
        """
        lease = self.leases.pop(number, None)
        if lease is None:
            return None
        lease.state = State.ACCEPTED if accepted else State.REFUSED
        if not accepted:
            self._waiting.append(_Waiting(lease.begins_s, lease.posts, frozenset((lease.worker,))))
        return lease

    def tick(self, now_s: float) -> list[Lease]:
        """Return new leases for what waits; what waited too long is unsent."""
        offers: list[Lease] = []
        left: list[_Waiting] = []
        answering = self._answering(now_s)
        for each in self._waiting:
            able = [worker for worker in answering if worker not in each.refused]
            if now_s > each.begins_s + _WAIT_S:
                self._give_up(each)
            elif able:
                offers += self._offer(each, able, now_s)
            else:
                left.append(each)
        self._waiting = left
        return offers

    def close(self) -> None:
        """Deal no more: what waits is unsent."""
        for each in self._waiting:
            self._give_up(each)
        self._waiting = []

    def _answering(self, now_s: float) -> list[str]:
        silent = {lease.worker for lease in self.leases.values() if now_s - lease.offered_s > _ANSWER_S}
        return [worker for worker in self._workers if worker not in silent]

    def _offer(self, waiting: _Waiting, workers: list[str], now_s: float) -> Iterable[Lease]:
        by_s = max(waiting.begins_s - _ACCEPT_S, now_s + _LEAST_S)
        offers = []
        for place, worker in enumerate(workers):
            # Whose turn it is goes round from slice to slice: a slow load is shared, too.
            share = waiting.posts[(place - self._turn) % len(workers) :: len(workers)]
            if share:
                self._count += 1
                offers.append(Lease(self._count, worker, waiting.begins_s, by_s, now_s, share))
        self._turn += len(waiting.posts)
        self.leases.update((lease.number, lease) for lease in offers)
        return offers

    def _give_up(self, waiting: _Waiting) -> None:
        self.unsent += [alert for post in waiting.posts for alert in post]
