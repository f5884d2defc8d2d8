"""What a process used of its machine, as the kernel counts it."""

from __future__ import annotations

import resource
import sys
import time

_UNITS_A_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024


# cpu_s and over_s: seconds of processor and of time; memory_mib: the most at once in the process's life.
Used = dict[str, float]


class Usage:
    """Counts from its making."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._cpu_s = _cpu_s()

    def used(self) -> Used:
        """Return what was used since."""
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNITS_A_MIB
        return {
            "cpu_s": round(_cpu_s() - self._cpu_s, 3),
            "over_s": round(time.monotonic() - self._began_s, 3),
            "memory_mib": round(most, 1),
        }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
