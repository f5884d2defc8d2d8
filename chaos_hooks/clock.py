"""The only real clock: seconds since the run's start, on the machine's monotonic clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import gevent


class RunClock:
    """Seconds since the start; negative before it. Unset, it counts from its making."""

    def __init__(self) -> None:
        self._zero_s = time.monotonic()

    def start_in(self, delay_s: float) -> None:
        """Set the start to ``delay_s`` seconds from now."""
        self._zero_s = time.monotonic() + delay_s

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._zero_s

    def zero_unix_s(self) -> float:
        """Return the wall-clock time of second 0, in seconds since 1970, as the clocks stand now."""
        return time.time() - self.now()

    def sleep_until(self, at_s: float) -> None:
        """Sleep until an absolute deadline; return at once when it has passed."""
        left_s = at_s - self.now()
        if left_s > 0:
            gevent.sleep(left_s)


def rfc3339() -> str:
    """Return the present wall-clock time as Alertmanager writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
