"""When a notification is tried again, as Alertmanager does it: time in, decision out.

Within one flush of an alert group it retries with exponential backoff and jitter (notify/notify.go,
RetryStage, with the defaults of cenkalti/backoff: 0.5 s at first, half as much more each time, at most 60 s,
each drawn from ±50 %). A flush ends after ``group_interval`` and the next one begins anew, the backoff too.
Measured on Alertmanager 0.25 with a group_interval of 15 s and a receiver that answers 503: tries at 0, 0.7,
1.2, 1.9, 3.0, 5.2, 8.5, 12.5, 15.0, 15.7 s. ``Retry-After`` is ignored.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum

INITIAL_S = 0.5
MULTIPLIER = 1.5
JITTER = 0.5
MAX_S = 60.0
GRACE_S = 30.0  # How long after the load's end a notification may still be tried again.


class Reply(StrEnum):
    """What Alertmanager makes of an answer (notify/util.go, Retrier.Check)."""

    TAKEN = "taken"
    REFUSED = "refused"
    FAILED = "failed"


def reply(status: int | None) -> Reply:
    """Return how an answer is taken: every 2xx, 207 too, as delivered, whatever its body says; a 5xx or none
    (None) as failed, to be tried again soon; all else as refused until the next flush, a redirect,
    too, which Alertmanager would follow and this tool never does."""
    if status is None or 500 <= status < 600:
        return Reply.FAILED
    return Reply.TAKEN if 200 <= status < 300 else Reply.REFUSED


@dataclass(frozen=True, slots=True)
class Policy:
    """How tries are repeated: flushes ``group_interval_s`` apart, none begun after ``ends_s`` on the run's
    clock; ``seed`` makes the jitter repeatable."""

    group_interval_s: float
    ends_s: float
    seed: int


class Notification:
    """One POST that is tried until it is taken, an alert group of its own with flushes counted from its first
    try. Times are the run's clock's, in seconds. A try that hangs is ended by the sender's timeout, not by
    the flush's end."""

    def __init__(self, policy: Policy, number: int, first_s: float) -> None:
        """Begin with the first try's time.

        Args:
            number: of the POST's first alert; it gives each notification a jitter of its own.
        """
        self._policy = policy
        self._first_s = first_s
        self._chance = random.Random(f"{policy.seed}/{number}")
        self._flush = 0
        self._step = 0

    def again_s(self, begun_s: float, done_s: float, got: Reply) -> float | None:
        """Return when to try again after a try that began and ended so; None if never.

        A backoff counts from the try's begin, as the ticker of RetryStage does, and nothing is tried while
        the try before is still on.
        """
        if got is Reply.TAKEN:
            return None
        ends_s = self._first_s + (self._flush + 1) * self._policy.group_interval_s
        at_s = max(begun_s + self._interval_s(), done_s) if got is Reply.FAILED else ends_s
        if at_s >= ends_s:
            at_s = max(ends_s, done_s)
            # At least the next one, also where a quotient of floats would fall just short of it.
            passed = math.floor((at_s - self._first_s) / self._policy.group_interval_s)
            self._flush, self._step = max(self._flush + 1, passed), 0
        return at_s if at_s <= self._policy.ends_s else None

    def _interval_s(self) -> float:
        middle_s = min(MAX_S, INITIAL_S * MULTIPLIER**self._step)
        self._step += 1
        return middle_s * self._chance.uniform(1 - JITTER, 1 + JITTER)
