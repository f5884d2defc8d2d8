"""The deadline of one request: the moment after which no further try may begin."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds.

    `patient` is whoever can come again himself, as the queue's worker does: his requests are tried once, and
    he may try while others are kept back.
    """

    at_s: float
    patient: bool = False

    @classmethod
    def after(cls, budget_s: float, *, patient: bool = False) -> "Deadline":
        """The deadline that lies `budget_s` seconds from now."""
        return cls(time.monotonic() + budget_s, patient)

    def remaining_s(self) -> float:
        """Seconds left, negative when it has passed."""
        return self.at_s - time.monotonic()
