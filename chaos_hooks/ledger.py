"""The ledger: what was begun and how it ended, one JSON line each, written before anything else happens."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path

from chaos_hooks.answers import Answer
from chaos_hooks.errors import RecordError
from reports.history import Outcome
from shapes.alerts import Planned

_MENDS = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "raise the quota, or make room",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EIO: "use another disk, this one fails",
    errno.EEXIST: "give each run a folder of its own",
    errno.ENOENT: "make its folder first",
}


class LedgerError(RecordError):
    """The disk does not take a line; the message names the file, what the system said, and the mend."""


class Ledger:
    """An append-only file, read back by ``reports.folder.read``.

    Each line is with the kernel whole when its method returns, so it survives a SIGKILL of this process (not
    a loss of power: that would cost a sync a line). A line that cannot be written whole leaves nothing.

    ``counts`` are the alerts ended so far by outcome. Calls that contradict each other raise RuntimeError:
    they are a fault of this program, not of the disk.
    """

    def __init__(self, path: Path) -> None:
        """Create the file and open it with its first line.

        Raises:
            LedgerError: if it exists already, or cannot be written.
        """
        self.path = path
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self._open: set[int] = set()
        self._known: set[int] = set()
        self._size = 0
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise _error(path, problem) from None
        try:
            self._append({"r": "open"})
        except LedgerError:
            os.close(self._fd)
            raise

    @property
    def begun(self) -> int:
        """Return how many alerts were begun."""
        return len(self._known)

    @property
    def in_flight(self) -> int:
        """Return how many alerts were begun and have not ended."""
        return len(self._open)

    def begin(self, planned: Planned, at_s: float) -> None:
        """Record that an alert is taken up; to be called before its connection is made.

        Raises:
            LedgerError: if the disk does not take it: the alert must not be sent.
        """
        self.begin_post((planned,), at_s)

    def begin_post(self, alerts: Sequence[Planned], at_s: float) -> None:
        """Record the alerts of one POST, in one write: all of them or none.

        Raises:
            LedgerError: if the disk does not take them: the POST must not be sent.
        """
        numbers = [alert.number for alert in alerts]
        if len(set(numbers)) != len(numbers) or not self._known.isdisjoint(numbers):
            raise RuntimeError(f"{self.path}: an alert of {numbers} is begun twice")
        self._append(
            *(
                {"r": "begin", "n": a.number, "s": a.subject, "p": a.phase, "due": a.due_s, "at": at_s}
                for a in alerts
            )
        )
        self._known.update(numbers)
        self._open.update(numbers)

    def end(
        self, number: int, answer: Answer, *, sent_s: float | None, done_s: float, status: int | None
    ) -> None:
        """Record how an alert ended. Times in seconds since the run's start.

        Raises:
            LedgerError: if the disk does not take it: the alert stays in flight, and reads as indeterminate.
        """
        if number not in self._open:
            raise RuntimeError(f"{self.path}: alert {number} ends, but is not in flight")
        self._append(
            {
                "r": "end",
                "n": number,
                "o": answer.outcome.value,
                "k": answer.kind,
                "sent": sent_s,
                "done": done_s,
                "status": status,
                "detail": answer.detail,
            }
        )
        self._open.remove(number)
        self.counts[answer.outcome] += 1

    def seal(self) -> None:
        """Write that nothing follows, and close. What is still in flight then reads as indeterminate.

        Raises:
            LedgerError: if the disk does not take it; the file is closed, and reads as unsealed.
        """
        try:
            self._append({"r": "seal", "begun": self.begun, "ended": self.begun - self.in_flight})
        finally:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _append(self, *records: dict[str, object]) -> None:
        if self._fd < 0:
            raise RuntimeError(f"{self.path}: is sealed, nothing can be written any more")
        lines = (json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n" for record in records)
        data = "".join(lines).encode()
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as problem:
            self._cut()
            raise _error(self.path, problem) from None
        self._size += len(data)

    def _cut(self) -> None:
        """Take half a line away, which would spoil the next one should there be room again."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as problem:
            raise _error(self.path, problem) from None


def _error(path: Path, problem: OSError) -> LedgerError:
    said = os.strerror(problem.errno) if problem.errno else str(problem)
    mend = _MENDS.get(problem.errno or 0, "use a folder that can be written")
    return LedgerError(f"{path}: cannot be written ({said}); {mend}")
