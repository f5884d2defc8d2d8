"""The Conductor: it acts at absolute deadlines, writes the undo first, and heals whatever else goes wrong."""

from __future__ import annotations

from pathlib import Path

import gevent
import gevent.event
import pytest
from conductor_stage import Stage

from chaos_hooks.errors import RecordError
from chaos_hooks.injection import InjectionError
from chaos_hooks.line_file import LineFile


class BrokenOff(Exception):
    """What ends a run from outside."""


def test_a_fault_is_journaled_injected_recorded_and_healed(tmp_path: Path) -> None:
    """The whole life of one fault; the undo that heals is the one that was written."""
    stage = Stage(tmp_path, ("down", 2.0, 5.0))
    stage.conductor.run()

    assert stage.log == ["down injected at 2", "down healed at 7"]
    assert stage.journaled() == ["inject down", "healed down"]
    assert stage.fakes["down"].undos == [{"of": "down"}]
    assert stage.recorded("down")[-1] == {
        "name": "down",
        "injector": "fake",
        "asked_at_s": 2.0,
        "asked_for_s": 5.0,
        "began": {"earliest_s": 2.0, "latest_s": 2.0},
        "ended": {"earliest_s": 7.0, "latest_s": 7.0},
        "bit": True,
        "evidence": ["down bit", "down is back"],
        "error": "",
    }
    assert stage.said == ["fault down injected: down bit", "fault down healed: down is back"]
    assert stage.conductor.active == {}
    assert stage.conductor.next_action == ""


def test_deadlines_are_absolute_however_long_an_action_takes(tmp_path: Path) -> None:
    """An inject of 3 s postpones no later action, and one that outlasts the next deadline only that one."""
    stage = Stage(tmp_path, ("slow", 2.0, 10.0), ("late", 4.0, 10.0))
    stage.fakes["slow"].takes_s = 3.0
    stage.conductor.run()

    assert stage.clock.slept_until == [2.0, 4.0, 12.0, 14.0]
    assert stage.log == [
        "slow injected at 2",
        "late injected at 5",
        "slow healed at 12",
        "late healed at 14",
    ]


def test_overlapping_faults_are_healed_each_by_its_own_undo(tmp_path: Path) -> None:
    """In the order of time; the one that is healed first leaves the other on."""
    stage = Stage(tmp_path, ("a", 1.0, 10.0), ("b", 5.0, 2.0))
    stage.conductor.run()

    assert stage.log == ["a injected at 1", "b injected at 5", "b healed at 7", "a healed at 11"]
    assert (stage.fakes["a"].undos, stage.fakes["b"].undos) == ([{"of": "a"}], [{"of": "b"}])


@pytest.mark.parametrize("when", ["before the undo", "after the undo"])
def test_an_inject_that_fails_did_not_bite(tmp_path: Path, when: str) -> None:
    """It is recorded as not bitten, with its reason. Who failed after the undo may have acted: healed."""
    stage = Stage(tmp_path, ("down", 1.0, 1.0))
    stage.fakes["down"].inject_fails = when
    stage.conductor.run()
    first, last = stage.recorded("down")[0], stage.recorded("down")[-1]

    assert (first["bit"], first["began"]) == (False, None)
    assert (last["bit"], bool(last["error"])) == (False, True)
    assert "was not injected" in stage.said[0]
    assert stage.conductor.active == {}
    assert stage.log == ([] if when == "before the undo" else ["down healed at 2"])
    assert stage.leftovers() == []


def test_a_heal_that_fails_is_said_and_left_to_the_next_start(tmp_path: Path) -> None:
    """The journal stays open, the record says why, and the fault counts as still on."""
    stage = Stage(tmp_path, ("down", 1.0, 1.0))
    stage.fakes["down"].heal_fails = InjectionError("control is gone")
    stage.conductor.run()
    stage.conductor.heal_all()

    assert stage.leftovers() == ["down"]
    assert stage.recorded("down")[-1]["error"] == "not healed: control is gone"
    assert stage.recorded("down")[-1]["ended"] is None
    assert "could NOT be healed" in stage.said[-1]
    assert list(stage.conductor.active) == ["down"]
    assert len(stage.fakes["down"].undos) == 1


def test_heal_all_heals_exactly_what_is_on_and_twice_does_no_harm(tmp_path: Path) -> None:
    """One fault is over, two are on, one was not yet injected: two heals."""
    faults = (("over", 1.0, 1.0), ("a", 3.0, 50.0), ("b", 4.0, 50.0), ("later", 60.0, 1.0))
    stage = Stage(tmp_path, *faults)
    runner = gevent.Greenlet(stage.conductor.run)
    stage.fakes["b"].hangs = gevent.event.Event()
    runner.start()
    stage.fakes["b"].hangs.wait(10)
    runner.kill(BrokenOff("stopped"), block=True)
    stage.conductor.heal_all()
    stage.conductor.heal_all()

    assert stage.log == [
        "over injected at 1",
        "over healed at 2",
        "a injected at 3",
        "a healed at 4",
        "b healed at 4",
    ]
    assert stage.conductor.active == {}


def test_a_kill_in_the_middle_of_inject_still_heals(tmp_path: Path) -> None:
    """After the undo was written the fault may be on, seen or not; the kill itself passes through."""
    stage = Stage(tmp_path, ("down", 1.0, 50.0))
    stage.fakes["down"].hangs = gevent.event.Event()
    runner = gevent.Greenlet(stage.conductor.run)
    runner.start()
    stage.fakes["down"].hangs.wait(10)
    runner.kill(BrokenOff("stopped"), block=True)
    stage.conductor.heal_all()

    assert isinstance(runner.exception, BrokenOff)
    assert stage.log == ["down healed at 1"]
    assert stage.journaled() == ["inject down", "healed down"]
    assert (stage.recorded("down")[-1]["bit"], stage.recorded("down")[-1]["began"]) == (None, None)


def test_a_backend_that_breaks_keeps_no_other_fault_on(tmp_path: Path) -> None:
    """Whatever its heal raises at the end of a run, the next one is healed, and the failure recorded."""
    stage = Stage(tmp_path, ("a", 1.0, 50.0), ("b", 2.0, 50.0), ("c", 3.0, 1.0))
    stage.fakes["a"].heal_fails = KeyError("pid")
    stage.fakes["c"].inject_fails = "after the undo"
    stage.fakes["c"].heal_fails = BrokenOff("stopped")
    with pytest.raises(BrokenOff):
        stage.conductor.run()
    stage.fakes["c"].heal_fails = None
    stage.conductor.heal_all()

    assert stage.log == ["a injected at 1", "b injected at 2", "b healed at 4", "c healed at 4"]
    assert stage.recorded("a")[-1]["error"] == "not healed: KeyError('pid')"


def test_a_record_that_cannot_be_written_stops_no_heal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the moment that both faults are on: both are healed, and it is said."""
    stage = Stage(tmp_path, ("a", 1.0, 5.0), ("b", 2.0, 9.0))
    healthy = LineFile.append

    def full(self: LineFile, *values: object) -> None:
        if stage.clock.now() > 2.0:
            raise RecordError(f"{self.path.name}: no space")
        healthy(self, *values)

    monkeypatch.setattr(LineFile, "append", full)
    stage.conductor.run()

    assert stage.log == ["a injected at 1", "b injected at 2", "a healed at 6", "b healed at 11"]
    assert stage.said.count("injections.jsonl: no space") == 2
    assert stage.said.count("journal.jsonl: no space") == 2


def test_what_cannot_be_journaled_is_not_injected(tmp_path: Path) -> None:
    """Without its undo on disk a fault could outlive the run: the run ends instead."""
    stage = Stage(tmp_path, ("down", 1.0, 5.0))
    stage.journal._file.append = _no_space  # type: ignore[method-assign]
    with pytest.raises(RecordError):
        stage.conductor.run()
    stage.conductor.heal_all()

    assert stage.log == []


def _no_space(*_: object) -> None:
    raise RecordError("journal.jsonl: no space")
