"""The deadline of one request: the moment after which no further try may begin."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at_s: float

    @classmethod
    def after(cls, budget_s: float) -> "Deadline":
        """The deadline that lies `budget_s` seconds from now."""
        return cls(time.monotonic() + budget_s)

    def remaining_s(self) -> float:
        """Seconds left, negative when it has passed."""
        return self.at_s - time.monotonic()
