"""The only real clock: seconds since the run's start, on the machine's monotonic clock."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import gevent

from reports.history import Run

_THREE = [f"{number:03d}" for number in range(1000)]


class RunClock:
    """Seconds since the start; negative before it. Unset, it counts from its making."""

    def __init__(self) -> None:
        self.start_in(0.0)

    def start_in(self, delay_s: float) -> None:
        """Set the start to ``delay_s`` seconds from now."""
        self._zero_s = time.monotonic() + delay_s
        self._zero_wall_us = round((time.time() + delay_s) * 1e6)
        self._written_ms, self._written = -1, ""

    def start_at(self, zero_s: float, zero_unix_s: float) -> None:
        """Set the start to a time of this machine's monotonic clock, and what the wall clock is then."""
        self._zero_s = zero_s
        self._zero_wall_us = round(zero_unix_s * 1e6)
        self._written_ms, self._written = -1, ""

    @property
    def zero(self) -> tuple[float, float]:
        """Return the start as `start_at` takes it."""
        return self._zero_s, self._zero_wall_us / 1e6

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._zero_s

    def placed(self, run: Run) -> Run:
        """Return a run's description with the wall-clock time of second 0, as the clocks stand now."""
        return replace(run, zero_unix_s=time.time() - self.now())

    def sleep_until(self, at_s: float) -> None:
        """Sleep until an absolute deadline; return at once when it has passed."""
        left_s = at_s - self.now()
        if left_s > 0:
            gevent.sleep(left_s)

    def rfc3339(self, at_s: float) -> str:
        """Return the wall-clock time of a time of the run, as Alertmanager writes it. The same time gives the
        same text, whatever is done to the wall clock meanwhile."""
        at_us = self._zero_wall_us + round(at_s * 1e6)
        at_ms = at_us // 1000
        if at_ms != self._written_ms:
            at = datetime.fromtimestamp(at_ms // 1000, UTC)
            self._written = f"{at:%Y-%m-%dT%H:%M:%S}.{_THREE[at_ms % 1000]}"
            self._written_ms = at_ms
        return f"{self._written}{_THREE[at_us - 1000 * at_ms]}Z"
