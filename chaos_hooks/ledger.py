"""The ledger: what was begun and how it ended, one JSON line each, written before anything else happens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaos_hooks.answers import Answer
from chaos_hooks.errors import RecordError
from chaos_hooks.line_file import LineFile
from reports.history import Outcome, deciding
from shapes.alerts import Planned


class Ledger:
    """An append-only file, read back by ``reports.folder.read``.

    Each line is with the kernel whole when its method returns, see `LineFile`.

    An alert may be tried several times, one after another; each try is begun and ended by itself. ``counts``
    are the alerts ended so far by outcome, each once, as `reports.history.deciding` has it. Calls that
    contradict each other raise RuntimeError: they are a fault of this program, not of the disk.
    """

    def __init__(self, path: Path) -> None:
        """Create the file and open it with its first line.

        Raises:
            RecordError: if it exists already, or cannot be written.
        """
        self.path = path
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self._open: set[int] = set()
        self._tries: dict[int, int] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._file = LineFile(path, new=True)
        try:
            self._file.append({"r": "open"})
        except RecordError:
            self._file.close()
            raise

    @property
    def begun(self) -> int:
        """Return how many alerts were begun."""
        return len(self._tries)

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

    def begin_post(self, alerts: Sequence[Planned], at_s: float, number: int = 1) -> None:
        """Record the alerts of one POST, in one write: all of them or none.

        Args:
            number: which try it is, counted from 1.

        Raises:
            RecordError: if the disk does not take them: the POST must not be sent.
        """
        numbers = [alert.number for alert in alerts]
        again = any(self._tries.get(n, 0) != number - 1 for n in numbers)
        if again or len(set(numbers)) != len(numbers) or not self._open.isdisjoint(numbers):
            raise RuntimeError(f"{self.path}: an alert of {numbers} is begun twice")
        more = {"t": number} if number > 1 else {}
        self._file.append(*(_begin(alert, at_s) | more for alert in alerts))
        self._tries.update(dict.fromkeys(numbers, number))
        self._open.update(numbers)

    def end(
        self, number: int, answer: Answer, *, sent_s: float | None, done_s: float, status: int | None
    ) -> None:
        """Record how an alert's present try ended. Times in seconds since the run's start.

        Raises:
            RecordError: if the disk does not take it: the alert stays in flight, and reads as indeterminate.
        """
        if number not in self._open:
            raise RuntimeError(f"{self.path}: alert {number} ends, but is not in flight")
        line = {"r": "end", "n": number, "o": answer.outcome.value, "k": answer.kind}
        more = {"t": self._tries[number]} if self._tries[number] > 1 else {}
        self._file.append(
            line | {"sent": sent_s, "done": done_s, "status": status, "detail": answer.detail} | more
        )
        self._open.remove(number)
        self._count(number, answer.outcome)

    def _count(self, number: int, outcome: Outcome) -> None:
        before = self._outcomes.get(number)
        if before is not None:
            self.counts[before] -= 1
            both = (before, outcome)
            outcome = both[deciding(both)]
        self._outcomes[number] = outcome
        self.counts[outcome] += 1

    def seal(self) -> None:
        """Write that nothing follows, and close. What is still in flight then reads as indeterminate.

        Raises:
            RecordError: if the disk does not take it; the file is closed, and reads as unsealed.
        """
        try:
            ended = self.begun - self.in_flight
            tries = sum(self._tries.values())
            self._file.append({"r": "seal", "begun": self.begun, "ended": ended, "tries": tries})
        finally:
            self._file.close()


def _begin(a: Planned, at_s: float) -> dict[str, object]:
    line = {"r": "begin", "n": a.number, "s": a.subject, "p": a.phase, "due": a.due_s, "at": at_s}
    return line | ({"v": a.volley} if a.volley else {})
