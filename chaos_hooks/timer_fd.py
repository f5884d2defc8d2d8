"""A timer as a file descriptor: it wakes an event loop to some ten microseconds, where gevent's own timers
are rounded up to a millisecond."""

from __future__ import annotations

import ctypes
import os
import struct

_CLOCK_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


class TimerFd:
    """A Linux timerfd (man 2 timerfd_create); readable once the time that was asked for has passed."""

    def __init__(self) -> None:
        """Make the timer; it is not armed.

        Raises:
            OSError: if the kernel has none to give.
        """
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def arm(self, after_s: float) -> None:
        """Fire once, so many seconds from now, at least a microsecond."""
        nanoseconds = max(1000, int(after_s * 1e9))
        spec = struct.pack("qqqq", 0, 0, nanoseconds // 10**9, nanoseconds % 10**9)
        _libc.timerfd_settime(self.fd, 0, spec, None)

    def disarm(self) -> None:
        """Fire no more, and be unreadable."""
        _libc.timerfd_settime(self.fd, 0, bytes(32), None)

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)
