"""The emitter: an open schedule, in which no answer delays an alert, and every beginning is on disk first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import gevent
import gevent.event
import gevent.pool
import pytest
from conductor_stage import JumpingClock

from chaos_hooks.answers import Answer
from chaos_hooks.clock import RunClock
from chaos_hooks.delivery import Delivery
from chaos_hooks.emitter import Emitter
from chaos_hooks.errors import RecordError
from chaos_hooks.exchange import Done, Exchange
from chaos_hooks.ledger import Ledger
from chaos_hooks.sender import Sender
from reports.history import Attempt, Outcome
from reports.ledger import Reader
from shapes.alerts import ID_ANNOTATION, Naming, Planned
from shapes.target import AnswerRules

CREATED = b'{"status":"created"}'
Post = Callable[["Stage", list[int]], Exchange]


class Clock(JumpingClock):
    """Lets the greenlets run at each sleep, as a real one does; what stands in ``at`` is called then."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[float, Callable[[], None]] = {}

    def rfc3339(self, at_s: float) -> str:
        """Return any wall-clock time; the tests do not look at it."""
        return "2026-03-01T12:00:00Z"

    def sleep_until(self, at_s: float) -> None:
        gevent.sleep(0)  # Whoever was spawned before begins before the time jumps.
        super().sleep_until(at_s)
        self.at.pop(at_s, lambda: None)()


class Stage:
    """An emitter with a sender that does what a test wants of it, and a real ledger."""

    def __init__(self, folder: Path, post: Post) -> None:
        self.path = folder / "ledger.bin"
        self.clock = Clock()
        self.ledger = Ledger(self.path)
        self.posted: list[tuple[list[int], float]] = []
        self.told: list[tuple[list[int], list[Outcome]]] = []
        self.failed: list[BaseException] = []
        self._post = post
        self._group = gevent.pool.Group()
        clock = cast(RunClock, self.clock)
        delivery = Delivery(
            Naming("0123abcd"), cast(Sender, self), AnswerRules(), self.ledger, clock, self._told
        )
        self.emitter = Emitter(delivery, clock, self.failed.append)

    # What stands in for the Sender: each POST in a greenlet, and a loop on the stage's clock.

    @property
    def pending(self) -> int:
        return len(self._group)

    def after_turn(self, call: Callable[[], None]) -> None:
        self._after_turn = call

    def pace(self, take: Callable[[float], float | None]) -> None:
        due_s = take(self.clock.now())
        while due_s is not None:
            self.clock.sleep_until(due_s)
            due_s = take(self.clock.now())

    def hurry(self) -> None:
        """Do nothing: the stage's clock never waits."""

    def give_up(self) -> None:
        self._group.kill()

    def request(self, body: bytes) -> bytes:
        return body

    def submit(self, requests: Sequence[bytes], done: Done, tags: Sequence[Any]) -> None:
        def work(request: bytes, tag: Any) -> None:
            exchange = Exchange("answer", None, self.clock.now(), None, b"", "answer: given up")
            try:
                exchange = self.send(request)
            except RuntimeError as problem:
                self.failed.append(problem)
            finally:
                done((tag, exchange))
                self._after_turn()

        for request, tag in zip(requests, tags, strict=True):
            self._group.spawn(work, request, tag)

    def send(self, request: bytes) -> Exchange:
        ids = [alert["annotations"][ID_ANNOTATION] for alert in json.loads(request)["alerts"]]
        numbers = [int(each.rpartition("-")[2]) for each in ids]
        self.posted.append((numbers, self.clock.now()))
        return self._post(self, numbers)

    def done(self) -> Exchange:
        """Return a good answer that came now."""
        return Exchange("done", self.clock.now(), self.clock.now(), 201, CREATED, "")

    def attempts(self) -> list[Attempt]:
        """Return what the ledger on disk says of each alert begun."""
        reader = Reader([])
        reader.take(self.path)
        return list(reader.attempts(0))

    def ends(self) -> dict[int, tuple[str, str]]:
        """Return outcome and kind of each alert that ended."""
        return {a.number: (a.outcome.value, a.kind) for a in self.attempts() if a.done_s is not None}

    def _told(self, _: Any, batches: Sequence[list[Planned]], answers: Sequence[list[Answer]]) -> None:
        for batch, said in zip(batches, answers, strict=True):
            self.told.append(([p.number for p in batch], [a.outcome for a in said]))


def plan(*due_s: float) -> list[Planned]:
    """Return alerts due at these times; equal times share a POST."""
    return [Planned(number, number, "chaos", at_s) for number, at_s in enumerate(due_s)]


def test_a_sender_that_blocks_delays_no_later_alert(tmp_path: Path) -> None:
    """The first POST is answered only after 5 s; the others go out at their due times all the same."""
    release = gevent.event.Event()

    def post(stage: Stage, numbers: list[int]) -> Exchange:
        if numbers == [0]:
            release.wait()
        return stage.done()

    stage = Stage(tmp_path, post)
    stage.emitter.emit(plan(0.0, 0.5, 1.0, 5.0))
    gevent.sleep(0)
    in_flight = stage.ledger.in_flight
    release.set()
    stage.emitter.drain(10.0)

    assert stage.posted == [([0], 0.0), ([1], 0.5), ([2], 1.0), ([3], 5.0)]
    assert in_flight == 1
    assert [a.begun_s for a in stage.attempts()] == [0.0, 0.5, 1.0, 5.0]
    assert {a.number: a.done_s for a in stage.attempts()} == {0: 5.0, 1: 0.5, 2: 1.0, 3: 5.0}
    assert stage.clock.slept_until == [0.5, 1.0, 5.0]
    assert stage.failed == []


def test_what_is_late_already_goes_out_at_once(tmp_path: Path) -> None:
    """A generator that comes late begins all that is due, and the ledger shows by how much it was late."""
    stage = Stage(tmp_path, lambda stage, _: stage.done())
    stage.clock.at_s = 2.0
    stage.emitter.emit(plan(0.0, 1.0, 3.0))
    stage.emitter.drain(10.0)

    assert [(a.due_s, a.begun_s) for a in stage.attempts()] == [
        (0.0, 2.0),
        (1.0, 2.0),
        (3.0, 3.0),
    ]


def test_what_is_late_when_the_load_ends_is_begun_all_the_same(tmp_path: Path) -> None:
    """On a busy machine the last alert may be late by more than is left of the load."""
    stage = Stage(tmp_path, lambda stage, _: stage.done())
    held = gevent.event.Event()

    stage.clock.at[2.0] = held.wait
    gevent.spawn(stage.emitter.emit, plan(0.0, 1.0, 2.0))
    gevent.sleep(0.01)  # Until it is held.
    begun_before = len(stage.posted)
    gevent.spawn(held.set)
    stage.emitter.finish()
    stage.emitter.stop()
    stage.emitter.drain(10.0)

    assert (begun_before, len(stage.posted)) == (2, 3)
    assert stage.failed == []


def test_stop_begins_no_more_and_lets_go_on_what_is_in_flight(tmp_path: Path) -> None:
    """Stopped while it waits for the third: two are begun, and both end."""
    stage = Stage(tmp_path, lambda stage, _: stage.done())
    stage.clock.at[2.0] = stage.emitter.stop
    stage.emitter.emit(plan(0.0, 1.0, 2.0, 3.0))
    stage.emitter.drain(10.0)

    assert stage.ends() == {0: ("acked", "created"), 1: ("acked", "created")}
    assert stage.clock.slept_until == [1.0, 2.0]


def test_drain_gives_up_what_takes_longer(tmp_path: Path) -> None:
    """Whoever is never answered is indeterminate: its bytes went out."""

    def post(stage: Stage, numbers: list[int]) -> Exchange:
        if numbers == [1, 2]:
            gevent.sleep(1000)
        return stage.done()

    stage = Stage(tmp_path, post)
    stage.emitter.emit(plan(0.0, 1.0, 1.0, 2.0))
    stage.emitter.drain(0.05)

    assert stage.ends() == {
        0: ("acked", "created"),
        1: ("indeterminate", "killed"),
        2: ("indeterminate", "killed"),
        3: ("acked", "created"),
    }
    assert [a.sent_s for a in stage.attempts() if a.kind == "killed"] == [None, None]
    assert stage.ledger.in_flight == 0
    assert stage.failed == [], "to be given up is no fault of this program"


def test_an_exception_in_beginning_is_told_to_the_run(tmp_path: Path) -> None:
    """The run learns of it and ends by it; what was begun before comes to its own end."""

    def planned() -> Iterator[Planned]:
        yield from plan(0.0, 1.0, 2.0)
        raise RuntimeError("a fault of this program")

    stage = Stage(tmp_path, lambda stage, _: stage.done())
    stage.emitter.emit(planned())
    stage.emitter.drain(10.0)

    assert [repr(problem) for problem in stage.failed] == ["RuntimeError('a fault of this program')"]
    assert stage.ends() == {0: ("acked", "created")}
    assert stage.told == [([0], [Outcome.ACKED])]


def test_the_beginning_is_on_disk_before_the_post(tmp_path: Path) -> None:
    """A killed generator's record never calls an alert unsent that may have arrived."""

    def post(stage: Stage, numbers: list[int]) -> Exchange:
        begun = {a.number for a in stage.attempts()}
        assert set(numbers) <= begun, f"{numbers} posted, {begun} begun"
        return stage.done()

    stage = Stage(tmp_path, post)
    stage.emitter.emit(plan(0.0, 0.0, 1.0))
    stage.emitter.drain(10.0)

    assert stage.failed == []
    assert len(stage.posted) == 2


def test_what_cannot_be_recorded_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: the run is told, and nothing goes out."""
    stage = Stage(tmp_path, lambda stage, _: stage.done())

    def full(*_: object) -> None:
        raise RecordError("no space")

    monkeypatch.setattr(stage.ledger, "begin_post", full)
    stage.emitter.emit(plan(0.0))
    stage.emitter.drain(10.0)

    assert stage.posted == []
    assert [str(problem) for problem in stage.failed] == ["no space"]


def test_alerts_that_are_begun_together_are_begun_in_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them or none; phase and due time tell which belong together, and each ends by itself."""
    stage = Stage(tmp_path, lambda stage, _: stage.done())
    written: list[list[int]] = []
    begin = Ledger.begin_post

    def noted(self: Ledger, alerts: list[Planned], at_s: float, number: int = 1) -> None:
        written.append([alert.number for alert in alerts])
        begin(self, alerts, at_s, number)

    monkeypatch.setattr(Ledger, "begin_post", noted)
    alerts = [*plan(0.0, 0.0, 0.0, 1.0), Planned(4, 4, "recovery", 1.0)]
    stage.emitter.emit(alerts)
    stage.emitter.drain(10.0)

    assert written == [[0, 1, 2], [3, 4]]
    assert stage.posted == [([0, 1, 2], 0.0), ([3], 1.0), ([4], 1.0)]
    assert sorted(stage.ends()) == [0, 1, 2, 3, 4]
    assert [numbers for numbers, _ in stage.told] == [[0, 1, 2], [3], [4]]
