"""An append-only file that survives a SIGKILL of its writer."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from chaos_hooks.errors import RecordError

_MENDS = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "raise the quota, or make room",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EIO: "use another disk, this one fails",
    errno.EEXIST: "give each run a folder of its own",
    errno.ENOENT: "make its folder first",
}


class AppendFile:
    """What is written is with the kernel whole when `write` returns, so it survives a SIGKILL of this process
    (not a loss of power: that would cost a sync each time). What cannot be written whole leaves nothing.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """Open the file; with ``new`` it must not exist yet.

        Raises:
            RecordError: if it cannot be written.
        """
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_EXCL if new else 0)
        try:
            self._fd = os.open(path, flags, 0o644)
            self.size = os.fstat(self._fd).st_size
        except OSError as problem:
            raise _error(path, problem) from None

    def write(self, data: bytes) -> None:
        """Write the bytes at the end; all of them or none.

        Raises:
            RecordError: if the disk does not take them; what stood in the file stays.
            RuntimeError: if the file was closed: a fault of this program.
        """
        if self._fd < 0:
            raise RuntimeError(f"{self.path}: is closed, nothing can be written any more")
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as problem:
            self._cut()
            raise _error(self.path, problem) from None
        self.size += len(data)

    def read(self, begins: int, most: int) -> bytes:
        """Return what was written from a place on, at most so many bytes; also after it was closed."""
        if self._fd >= 0:
            return os.pread(self._fd, most, begins)
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), most, begins)

    def lock(self) -> None:
        """Hold the file, as `is_locked` tells others, until it is closed or this process ends."""
        with contextlib.suppress(BlockingIOError):  # Whoever holds it already keeps it held.
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _cut(self) -> None:
        """Take half a record away, which would spoil the next one should there be room again."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as problem:
            raise _error(self.path, problem) from None


def is_locked(path: Path) -> bool:
    """Return whether a living process holds a file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _error(path: Path, problem: OSError) -> RecordError:
    said = os.strerror(problem.errno) if problem.errno else str(problem)
    mend = _MENDS.get(problem.errno or 0, "name another --chaos-runs-dir")
    return RecordError(f"{path}: cannot be written ({said}); {mend}")
