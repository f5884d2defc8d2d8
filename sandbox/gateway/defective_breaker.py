"""The breaker with its planted defects: never opens, opens late, never closes."""

from collections.abc import Callable

from sandbox.gateway import defects as planted
from sandbox.gateway.breaker import CircuitBreaker, Permit, Policy, State
from sandbox.gateway.defects import Defects


class DefectiveBreaker(CircuitBreaker):
    """A CircuitBreaker that behaves exactly like its parent where no defect is planted."""

    def __init__(self, policy: Policy, on_change: Callable[[State, State], None], defects: Defects) -> None:
        super().__init__(policy, on_change)
        self._defects = defects
        self._failing_since_s: float | None = None

    def succeed(self, permit: Permit, now_s: float) -> None:
        self._failing_since_s = None
        super().succeed(permit, now_s)

    def fail(self, permit: Permit, now_s: float) -> None:
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
        return not self._defects.bite(planted.BREAKER_NEVER_CLOSES)
