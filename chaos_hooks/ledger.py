"""The ledger: what was begun and how it ended, one JSON line each, written before anything else happens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaos_hooks.answers import Answer
from chaos_hooks.errors import RecordError
from chaos_hooks.line_file import LineFile
from reports.history import Outcome
from shapes.alerts import Planned


class Ledger:
    """An append-only file, read back by ``reports.folder.read``.

    Each line is with the kernel whole when its method returns, see `LineFile`.

    ``counts`` are the alerts ended so far by outcome. Calls that contradict each other raise RuntimeError:
    they are a fault of this program, not of the disk.
    """

    def __init__(self, path: Path) -> None:
        """Create the file and open it with its first line.

        Raises:
            RecordError: if it exists already, or cannot be written.
        """
        self.path = path
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self._open: set[int] = set()
        self._known: set[int] = set()
        self._file = LineFile(path, new=True)
        try:
            self._file.append({"r": "open"})
        except RecordError:
            self._file.close()
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
            RecordError: if the disk does not take it: the alert must not be sent.
        """
        self.begin_post((planned,), at_s)

    def begin_post(self, alerts: Sequence[Planned], at_s: float) -> None:
        """Record the alerts of one POST, in one write: all of them or none.

        Raises:
            RecordError: if the disk does not take them: the POST must not be sent.
        """
        numbers = [alert.number for alert in alerts]
        if len(set(numbers)) != len(numbers) or not self._known.isdisjoint(numbers):
            raise RuntimeError(f"{self.path}: an alert of {numbers} is begun twice")
        self._file.append(
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
            RecordError: if the disk does not take it: the alert stays in flight, and reads as indeterminate.
        """
        if number not in self._open:
            raise RuntimeError(f"{self.path}: alert {number} ends, but is not in flight")
        self._file.append(
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
            RecordError: if the disk does not take it; the file is closed, and reads as unsealed.
        """
        try:
            self._file.append({"r": "seal", "begun": self.begun, "ended": self.begun - self.in_flight})
        finally:
            self._file.close()
