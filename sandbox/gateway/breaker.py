"""The circuit breaker: a pure state machine that decides whether a call to a sick dependency may be made.

It knows no clock and makes no call: `now_s` (any monotonic clock, in seconds) is passed in.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """State of a breaker; the number is what the metric gateway_circuit_breaker_state shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens, how long it stays open, and what closes it again."""

    consecutive_failures: int = 3
    failure_ratio: float = 0.5
    minimum_calls: int = 10
    window_s: float = 10.0
    open_s: float = 1.0
    trial_successes: int = 2


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; its result is reported with it, exactly once."""

    period: int


class CircuitBreaker:
    """Closed: every call passes. Open: none does. Half-open: one trial call at a time.

    The result of a call that was allowed in an earlier state says nothing about this one: it is ignored.
    """

    def __init__(
        self, policy: Policy, on_change: Callable[[State, State], None] = lambda old, new: None
    ) -> None:
        self.policy = policy
        self._state = State.CLOSED
        self._on_change = on_change
        self._period = 0  # counts the transitions, so that late results can be told
        self._calls: deque[tuple[float, bool]] = deque()  # (when, failed), the last window_s seconds
        self._failed_calls = 0
        self._failures_in_a_row = 0
        self._opened_at_s = 0.0
        self._trial_in_flight = False
        self._trial_successes = 0

    @property
    def state(self) -> State:
        """The present state; an open breaker becomes half-open at the next `acquire` after its time."""
        return self._state

    def acquire(self, now_s: float) -> Permit | None:
        """A permit for one call, or None when the call must not be made."""
        if self._state is State.OPEN and now_s - self._opened_at_s >= self.policy.open_s:
            self._enter(State.HALF_OPEN)
        if self._state is State.OPEN or self._trial_in_flight:
            return None
        self._trial_in_flight = self._state is State.HALF_OPEN
        return Permit(self._period)

    def succeed(self, permit: Permit, now_s: float) -> None:
        """Report that the call of `permit` was answered."""
        if permit.period != self._period:
            return
        if self._state is State.CLOSED:
            self._failures_in_a_row = 0
            self._remember(now_s, failed=False)
            return
        self._trial_in_flight = False
        self._trial_successes += 1
        if self._trial_successes >= self.policy.trial_successes and self._should_close():
            self._enter(State.CLOSED)

    def fail(self, permit: Permit, now_s: float) -> None:
        """Report that the call of `permit` failed."""
        if permit.period != self._period:
            return
        if self._state is State.CLOSED:
            self._failures_in_a_row += 1
            self._remember(now_s, failed=True)
            if not self._should_open(now_s):
                return
        self._opened_at_s = now_s
        self._enter(State.OPEN)

    def cancel(self, permit: Permit) -> None:
        """Report that the call of `permit` told nothing, because its caller was cancelled."""
        if permit.period == self._period:
            self._trial_in_flight = False

    def _should_open(self, now_s: float) -> bool:
        if self._failures_in_a_row >= self.policy.consecutive_failures:
            return True
        calls = len(self._calls)
        return calls >= self.policy.minimum_calls and self._failed_calls >= self.policy.failure_ratio * calls

    def _should_close(self) -> bool:
        return True

    def _remember(self, now_s: float, *, failed: bool) -> None:
        self._calls.append((now_s, failed))
        self._failed_calls += failed
        while self._calls[0][0] <= now_s - self.policy.window_s:
            self._failed_calls -= self._calls.popleft()[1]

    def _enter(self, state: State) -> None:
        old, self._state = self._state, state
        self._period += 1
        self._calls.clear()
        self._failed_calls = self._failures_in_a_row = self._trial_successes = 0
        self._trial_in_flight = False
        self._on_change(old, state)
