"""The only real clock: seconds since the run's start, on the machine's monotonic clock."""

from __future__ import annotations

import time
from dataclasses import replace

import gevent

from reports.history import Run
from shapes.wall import Wall


class RunClock:
    """Seconds since the start; negative before it. Unset, it counts from its making.

    ``rfc3339`` gives the wall-clock time of a time of the run. The same time gives the same text, whatever is
    done to the wall clock meanwhile.
    """

    def __init__(self) -> None:
        self.rfc3339 = Wall()
        self.start_in(0.0)

    def start_in(self, delay_s: float) -> None:
        """Set the start to ``delay_s`` seconds from now."""
        self._zero_s = time.monotonic() + delay_s
        self.rfc3339.zero_us = round((time.time() + delay_s) * 1e6)

    def start_at(self, zero_s: float, zero_unix_s: float) -> None:
        """Set the start to a time of this machine's monotonic clock, and what the wall clock is then."""
        self._zero_s = zero_s
        self.rfc3339.zero_us = round(zero_unix_s * 1e6)

    @property
    def zero(self) -> tuple[float, float]:
        """Return the start as `start_at` takes it."""
        return self._zero_s, self.rfc3339.zero_us / 1e6

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
