"""What the wall clock shows at a time of the run, as Alertmanager writes it."""

from __future__ import annotations

from datetime import UTC, datetime

_THREE = [f"{number:03d}" for number in range(1000)]


class Wall:
    """Writes times (RFC 3339) to the microsecond; ``zero_us`` is the wall clock at second 0 of the run.

    `prepared.Prepared` may write the same texts from ``zero_us`` by itself.
    """

    def __init__(self, zero_us: int = 0) -> None:
        self.zero_us = zero_us
        self._written_ms, self._written = -1, ""

    def __call__(self, at_s: float) -> str:
        """Return the wall-clock time of a time of the run."""
        at_us = self.zero_us + round(at_s * 1e6)
        at_ms = at_us // 1000
        if at_ms != self._written_ms:
            at = datetime.fromtimestamp(at_ms // 1000, UTC)
            self._written = f"{at:%Y-%m-%dT%H:%M:%S}.{_THREE[at_ms % 1000]}"
            self._written_ms = at_ms
        return f"{self._written}{_THREE[at_us - 1000 * at_ms]}Z"
