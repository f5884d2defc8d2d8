"""The one clock by which storms are judged: wall-clock time plus the offset that a file holds.

The file lets a test move the Gateway's clock, and nothing else's: see GATEWAY_CLOCK_FILE.
"""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.gateway import log

LOOK_PERIOD_S = 0.05


class Clock:
    """Seconds since 1970, moved by the offset (such as `+65.0`) in a file; absent or empty means 0.

    The file is looked at no more often than every LOOK_PERIOD_S, and read when it has changed. What cannot be
    understood leaves the offset as it was.
    """

    def __init__(
        self,
        path: str = "",
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path) if path else None
        self._wall = wall
        self._monotonic = monotonic
        self._offset_s = 0.0
        self._looked_s = -math.inf
        self._seen: tuple[int, int, int] | None = None

    def now_s(self) -> float:
        """The moment by this clock."""
        if self._path is not None and self._monotonic() - self._looked_s >= LOOK_PERIOD_S:
            self._looked_s = self._monotonic()
            self._look(self._path)
        return self._wall() + self._offset_s

    def _look(self, path: Path) -> None:
        try:
            stat = os.stat(path)
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if seen == self._seen:
                return
            text = path.read_text(encoding="ascii")
        except FileNotFoundError:
            seen, text = (0, 0, 0), ""
            if seen == self._seen:
                return
        except (OSError, UnicodeDecodeError) as error:
            log.warning("the clock file cannot be read", path=str(path), error=str(error))
            return
        self._seen = seen
        self._take(text.strip())

    def _take(self, text: str) -> None:
        try:
            offset_s = float(text or 0)
        except ValueError:
            offset_s = math.nan
        if not math.isfinite(offset_s):
            log.warning("the clock file holds no offset; write seconds such as +65.0", text=text[:40])
        elif offset_s != self._offset_s:
            log.info("clock moved", old_offset_s=self._offset_s, new_offset_s=offset_s)
            self._offset_s = offset_s
