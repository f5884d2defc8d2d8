"""How two machines' monotonic clocks differ, from the quickest of many questions and answers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

KEPT = 64
DRIFT = 50e-6  # What an uncorrected quartz may be off by, as a share of the time that passed.


@dataclass(frozen=True, slots=True)
class Estimate:
    """``offset_s`` is to be added to the other clock's time to have one's own, right to ``error_s``."""

    offset_s: float
    error_s: float


@dataclass(frozen=True, slots=True)
class _Sample:
    offset_s: float
    round_trip_s: float
    at_s: float


class PeerClock:
    """Keeps the last samples. The other clock was read somewhere between asking and answer, so the middle is
    wrong by half the round trip at most; a sample grows older at the rate that two clocks may drift apart."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=KEPT)

    def add(self, asked_s: float, theirs_s: float, answered_s: float) -> None:
        """Take a question asked and answered by one's own clock, and the other clock's time between."""
        middle_s = (asked_s + answered_s) / 2
        self._samples.append(_Sample(middle_s - theirs_s, answered_s - asked_s, answered_s))

    def estimate(self, now_s: float) -> Estimate | None:
        """Return the estimate of the least error; None without a sample."""
        found = [Estimate(s.offset_s, s.round_trip_s / 2 + (now_s - s.at_s) * DRIFT) for s in self._samples]
        return min(found, key=lambda each: each.error_s, default=None)
