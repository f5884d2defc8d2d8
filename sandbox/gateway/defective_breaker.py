"""The breaker with its planted defects: late, deaf, stuck, flapping or leaking."""

from collections.abc import Callable

from sandbox.gateway import defects as planted
from sandbox.gateway.breaker import CircuitBreaker, Permit, Policy, State
from sandbox.gateway.defects import Defects

# The permit of a call that should not be made: of no period, so that its result counts for nothing.
_LEAKED = Permit(-1)


class DefectiveBreaker(CircuitBreaker):
    """A CircuitBreaker that behaves exactly like its parent where no defect is planted."""

    def __init__(self, policy: Policy, on_change: Callable[[State, State], None], defects: Defects) -> None:
        super().__init__(policy, on_change)
        self._defects = defects
        self._now_s = 0.0
        self._failing_since_s: float | None = None
        self._back_since_s: float | None = None

    def acquire(self, now_s: float) -> Permit | None:
        permit = super().acquire(now_s)
        if permit is None and self._defects.bite(planted.BREAKER_LEAKS):
            return _LEAKED
        return permit

    def succeed(self, permit: Permit, now_s: float) -> None:
        self._now_s = now_s
        self._failing_since_s = None
        if self._back_since_s is None:
            self._back_since_s = now_s
        super().succeed(permit, now_s)
        if self.state is State.CLOSED and self._defects.bite_every(planted.BREAKER_FLAPS, planted.FLAP_EVERY):
            self._opened_at_s = now_s
            self._enter(State.OPEN)

    def fail(self, permit: Permit, now_s: float) -> None:
        self._back_since_s = None
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        super().fail(permit, now_s)

    def _should_open(self, now_s: float) -> bool:
        if not super()._should_open(now_s):
            return False
        if self._defects.bite(planted.BREAKER_NEVER_OPENS):
            return False
        late_s = self._defects.planted.get(planted.BREAKER_OPENS_LATE, 0.0)
        failing_since_s = now_s if self._failing_since_s is None else self._failing_since_s
        if now_s - failing_since_s < late_s:
            self._defects.bite(planted.BREAKER_OPENS_LATE)
            return False
        return True

    def _should_close(self) -> bool:
        if self._defects.bite(planted.BREAKER_NEVER_CLOSES):
            return False
        back_since_s = self._now_s if self._back_since_s is None else self._back_since_s
        if self._now_s - back_since_s < self._defects.planted.get(planted.RECOVERY_LATE, 0.0):
            self._defects.bite(planted.RECOVERY_LATE)
            return False
        return True
