"""What a probe asked, and what it was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shapes.scenario import PROBE_GIVES_UP_S

_LATE_S = 0.5


@dataclass(frozen=True, slots=True)
class Observation:
    """A probe's question and its answer; the values held at some instant in [asked_s, answered_s]."""

    probe: str
    asked_s: float
    answered_s: float
    ok: bool
    values: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def overslept(self) -> bool:
        """Whether it failed long after it had to be given up: who asked stood still, or got no core."""
        return not self.ok and self.answered_s - self.asked_s > PROBE_GIVES_UP_S + _LATE_S
