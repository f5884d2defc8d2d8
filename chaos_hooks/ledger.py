"""The ledger: what was begun and how it ended, in columns on disk, written before anything else happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from chaos_hooks.answers import Answer
from chaos_hooks.append_file import AppendFile
from reports import ledger_frames as frames
from reports.history import Outcome, deciding
from shapes.alerts import Planned

FILE = "ledger.bin"
WORKERS_LOST = "worker"  # The kind of an alert that was given to a worker of which nothing was heard again.
_ABSENT, _IN_FLIGHT = 0, 1  # Of an alert; above are the outcomes.
_OUTCOMES = tuple(Outcome)
_FIRST = 2
_MOST_ANSWERS = 60_000  # Different ones; of those beyond, the detail is not kept.


class Ended(NamedTuple):
    """How the present try of an alert ended; times in seconds since the run's start."""

    number: int
    answer: Answer
    sent_s: float | None
    done_s: float
    status: int | None


class Ledger:
    """An append-only file of frames (`reports.ledger_frames`), read back by ``reports.folder.read``.

    What a method takes is with the kernel whole when it returns, see `AppendFile`; one call is one write,
    however many alerts it tells of. In memory an alert takes a byte.

    An alert may be tried several times, one after another; each try is begun and ended by itself. ``counts``
    are the alerts ended so far by outcome, each once, as `reports.history.deciding` has it. Calls that
    contradict each other raise RuntimeError: they are a fault of this program, not of the disk.

    A worker's ledger is streamed by its bytes: `chunk` gives those of whole frames from a place on, and a
    `LedgerCopy` takes them, in order, each once. A run's folder may hold several: ``ledger.bin`` and
    ``ledger-NAME.bin``.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            RecordError: if it exists already, or cannot be written.
        """
        self.path = path
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.sealed = False
        self.begun = 0
        self.in_flight = 0
        self._state = bytearray()
        # Of alerts that are tried again: which try it is, and how those before ended.
        self._tries: dict[int, int] = {}
        self._before: dict[int, Outcome] = {}
        self._rows = [0, 0]
        self._where: dict[tuple[str, int, int], int] = {}
        self._answers: dict[tuple[str, str, int | None, str], int] = {}
        self._outcomes: list[int] = []  # Of each answer's code, its place in _OUTCOMES.
        self._file = AppendFile(path, new=True)
        try:
            self._file.write(frames.MAGIC)
        except BaseException:
            self._file.close()
            raise

    @property
    def size(self) -> int:
        """Return how many bytes are written."""
        return self._file.size

    def begin(self, planned: Planned, at_s: float) -> None:
        """Record that an alert is taken up; to be called before its first byte goes out.

        Raises:
            RecordError: if the disk does not take it: the alert must not be sent.
        """
        self.begin_post((planned,), at_s)

    def begin_post(self, alerts: Sequence[Planned], at_s: float, number: int = 1) -> None:
        """Record alerts, of one POST or of several, in one write: all of them or none.

        Args:
            number: which try it is, counted from 1.

        Raises:
            RecordError: if the disk does not take them: none of them must be sent.
        """
        if not alerts:
            return
        numbers, subjects, phases, dues, _, volleys, _, _ = zip(*alerts, strict=True)
        self._check_begin(numbers, number)
        many = len(alerts)
        if phases.count(phases[0]) == many and volleys.count(volleys[0]) == many:
            where = [self._place(phases[0], volleys[0], number)] * many
        else:
            where = [self._place(*of, number) for of in zip(phases, volleys, strict=True)]
        self._file.write(frames.begin(numbers, subjects, dues, frames.microseconds(at_s), where))
        self._rows[0] += many
        self._take_up(numbers, number)

    def end(
        self, number: int, answer: Answer, *, sent_s: float | None, done_s: float, status: int | None
    ) -> None:
        """Record how an alert's present try ended; see `end_all`."""
        self.end_all((Ended(number, answer, sent_s, done_s, status),))

    def end_all(self, ended: Sequence[Ended]) -> None:
        """Record how the present tries of some alerts ended, in one write.

        Raises:
            RecordError: if the disk does not take it: they stay in flight, and read as indeterminate.
        """
        if ended:
            numbers, said, sent_s, done_s, status = zip(*ended, strict=True)
            codes = [self.code(*each) for each in zip(said, status, strict=True)]
            self.end_rows(numbers, codes, sent_s, done_s)

    def code(self, answer: Answer, status: int | None) -> int:
        """Return what `end_rows` knows an answer by.

        Raises:
            RecordError: if it is new, and the disk does not take it.
        """
        key = (answer.outcome.value, answer.kind, status, answer.detail)
        code = self._answers.get(key)
        if code is None and len(self._answers) >= _MOST_ANSWERS:
            key = (*key[:3], "not kept: there are too many different ones")
            code = self._answers.get(key)
        if code is None:
            code = len(self._answers)
            self._file.write(frames.define("answer", code, key))
            self._answers[key] = code
            self._outcomes.append(_OUTCOMES.index(answer.outcome))
        return code

    def end_rows(
        self,
        numbers: Sequence[int],
        codes: Sequence[int],
        sent_s: Sequence[float | None],
        done_s: Sequence[float],
    ) -> None:
        """Do what `end_all` does, of columns: see `Ended` and `code`."""
        state, known = self._state, len(self._state)
        for number in numbers:
            if number >= known or state[number] != _IN_FLIGHT:
                raise RuntimeError(f"{self.path}: alert {number} ends, but is not in flight")
        many = len(numbers)
        if many > 1 and len(set(numbers)) != many:
            raise RuntimeError(f"{self.path}: an alert of {list(numbers)} ends twice")
        tries = [self._tries.get(number, 1) for number in numbers] if self._tries else [1] * many
        self._file.write(frames.end(numbers, sent_s, done_s, codes, tries))
        self._rows[1] += many
        self.in_flight -= many
        outcomes = self._outcomes
        if self._before:
            for number, code in zip(numbers, codes, strict=True):
                self._count(number, _OUTCOMES[outcomes[code]])
            return
        for number, code in zip(numbers, codes, strict=True):
            state[number] = _FIRST + outcomes[code]
        for code, count in Counter(codes).items():
            self.counts[_OUTCOMES[outcomes[code]]] += count

    def give_up(self, alerts: Iterable[Planned], at_s: float, detail: str) -> None:
        """Record alerts that somebody else was to send, and of whom nothing is heard: they are INDETERMINATE
        unless that one's own ledger, as far as it came, says more. Raises as `begin_post` does."""
        those = list(alerts)
        self.begin_post(those, at_s)
        lost = Answer(Outcome.INDETERMINATE, WORKERS_LOST, detail)
        self.end_all([Ended(alert.number, lost, None, at_s, None) for alert in those])

    def chunk(self, begins: int, most: int = 80_000) -> bytes:
        """Return what is written from a place on (the start, or where a chunk ended), whole frames only: of
        about 2,000 alerts, or one frame that is larger than ``most``; empty if there is nothing new.
        """
        data = self._file.read(begins, most)
        ends = frames.whole(data, begins)
        if ends == 0 and data:
            data = self._file.read(begins, frames.needed(data))
            ends = len(data)
        return data[:ends]

    def seal(self) -> None:
        """Write that nothing follows, and close. What is still in flight then reads as indeterminate.

        Raises:
            RecordError: if the disk does not take it; the file is closed, and reads as unsealed.
        """
        try:
            self._file.write(frames.seal(*self._rows))
            self.sealed = True
        finally:
            self._file.close()

    def _check_begin(self, numbers: Sequence[int], number: int) -> None:
        state, known, many, first = self._state, len(self._state), len(numbers), min(numbers)
        if many > 1 and len(set(numbers)) != many:
            raise RuntimeError(f"{self.path}: an alert of {list(numbers)} is begun twice")
        if number == 1 and not any(state[first : max(numbers) + 1]):
            return
        for n in numbers:
            now = state[n] if n < known else _ABSENT
            before = 0 if now == _ABSENT else self._tries.get(n, 1)
            if now == _IN_FLIGHT or before != number - 1:
                raise RuntimeError(f"{self.path}: an alert of {list(numbers)} is begun twice")

    def _take_up(self, numbers: Sequence[int], number: int) -> None:
        last = max(numbers)
        if last >= len(self._state):
            self._state.extend(bytes(max(1024, last + 1 - len(self._state))))
        state, first = self._state, min(numbers)
        if number == 1 and last - first + 1 == len(numbers):
            state[first : last + 1] = bytes((_IN_FLIGHT,)) * len(numbers)
        else:
            for n in numbers:
                if number > 1:
                    self._before[n] = _OUTCOMES[state[n] - _FIRST]
                    self._tries[n] = number
                state[n] = _IN_FLIGHT
        self.in_flight += len(numbers)
        if number == 1:
            self.begun += len(numbers)

    def _place(self, phase: str, volley: int, number: int) -> int:
        key = (phase, volley, number)
        code = self._where.get(key)
        if code is None:
            code = len(self._where)
            self._file.write(frames.define("where", code, key))
            self._where[key] = code
        return code

    def _count(self, number: int, outcome: Outcome) -> None:
        before = self._before.get(number) if self._before else None
        if before is not None:
            self.counts[before] -= 1
            both = (before, outcome)
            outcome = both[deciding(both)]
        self._state[number] = _FIRST + _OUTCOMES.index(outcome)
        self.counts[outcome] += 1
