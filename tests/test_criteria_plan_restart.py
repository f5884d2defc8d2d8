"""Criteria for a Gateway that is killed: it is back soon, as another process, with what it had buffered."""

from __future__ import annotations

from dataclasses import replace

import histories
import pytest
from plan_histories import FAIL, PASS, UNKNOWN, answer, blind, looks, never_began, seen

from reports.finding import Status
from reports.history import History, Observation


def recovery(buffered: float, recovered: float, *, restarts: bool = True, windows: float = 0.0) -> History:
    """Return a run whose Gateway dies at 2 s and is back at 4 s, with so much buffered and taken up again."""
    return seen(
        lambda at_s: {
            "buffer.size": buffered,
            "windows_opened": windows,
            "buffer.recovered": recovered if at_s >= 4.0 else 3.0,
            "process_start": 200.0 if restarts and at_s >= 4.0 else 100.0,
        }
    )


@pytest.mark.parametrize(
    ("told", "status", "got"),
    [
        (recovery(5, 5), PASS, "5 recovered; 5 buffered 0.19 s before"),
        (recovery(5, 3), PASS, "3 recovered; 5 buffered 0.19 s before"),  # as many as the old one had once
        (recovery(0, 1, windows=1), PASS, "1 recovered; 0 buffered 0.19 s before"),
        (recovery(5, 0), FAIL, "0 recovered; 5 buffered 0.19 s before"),
        (recovery(0, 0, windows=1), FAIL, "0 recovered; 0 buffered 0.19 s before"),
        (recovery(0, 0), UNKNOWN, "0 recovered; 0 buffered 0.19 s before: nothing to recover"),
        (
            recovery(5, 5, restarts=False),
            UNKNOWN,
            "5 recovered; 5 buffered 0.19 s before; the process is the same one",
        ),
    ],
)
def test_what_was_buffered_is_recovered(told: History, status: Status, got: str) -> None:
    """By the new process; the old one's count says nothing."""
    dead = blind(told, 2.0, 4.0)

    assert answer("buffer_recovered", dead) == (status, got)


def test_a_recovery_that_nobody_saw_is_unknown() -> None:
    """Not mapped, not back, back only at the end, no fault."""
    told = blind(recovery(5, 0), 2.0, 4.0)

    assert answer("buffer_recovered", histories.history())[0] is UNKNOWN
    assert answer("buffer_recovered", blind(told, 2.0, 10.0))[0] is UNKNOWN
    assert answer("buffer_recovered", blind(told, 2.0, 8.0))[0] is UNKNOWN
    assert answer("buffer_recovered", replace(told, **never_began()))[0] is UNKNOWN


def restart(
    down: tuple[float, float] = (2.0, 4.0), pid_at_s: float = 3.0, *, end_s: float = 10.0
) -> tuple[Observation, ...]:
    """Return what the probes saw of a Gateway that is not ready for a while and becomes another process."""

    def pid(at_s: float) -> dict[str, float]:
        if at_s < 2.0:
            return {"pid:gateway": 100.0}
        return {"pid:gateway": 200.0} if at_s >= pid_at_s else {"running:gateway": 0.0}

    return (
        *looks("ready", lambda at_s: {}, down=down, end_s=end_s),
        *looks("components", pid, every_s=1.0, end_s=end_s),
    )


@pytest.mark.parametrize(
    ("observations", "status", "got"),
    [
        (restart(), PASS, "in [1.75 s, 2.01 s]"),
        (restart((2.0, 8.6)), FAIL, "in [6.35 s, 6.61 s]"),
        (restart((2.0, 7.0)), UNKNOWN, "in [4.75 s, 5.01 s]"),
        (restart((0.0, 0.0)), PASS, "in [0.00 s, 1.21 s]"),  # so soon that nobody saw it unready
        (restart((2.0, 99.0)), FAIL, "another process, but not ready 7.8 s after"),
        (restart(pid_at_s=99.0), FAIL, "no process of it 7.0 s after"),
        (restart((2.0, 99.0), end_s=5.0), UNKNOWN, "another process, but not ready 2.8 s after"),
    ],
)
def test_a_restart_is_timed(observations: tuple[Observation, ...], status: Status, got: str) -> None:
    """From the kill to readiness, of another process, as an interval; five seconds are allowed."""
    told = histories.history(observations=observations)

    assert answer("restarted_within", told, within_s=5.0) == (status, got)


def test_the_same_process_did_not_restart() -> None:
    """Readiness alone is no proof: it may have been paused."""
    same = looks("components", lambda at_s: {"pid:gateway": 100.0}, every_s=1.0)
    told = histories.history(observations=(*looks("ready", lambda at_s: {}, down=(2.0, 4.0)), *same))

    assert answer("restarted_within", told, within_s=5.0) == (FAIL, "still the same process 7.0 s after")


def test_a_restart_that_nobody_saw_is_unknown() -> None:
    """No component probe, none before the fault, no readiness, no fault."""
    told = histories.history(observations=restart())
    unseen = "its process was not seen before and after"

    for probe in ("components", "ready"):
        assert answer("restarted_within", blind(told, 0, 99, probe), within_s=5.0) == (UNKNOWN, unseen)
    assert answer("restarted_within", blind(told, 0, 2, "components"), within_s=5.0) == (UNKNOWN, unseen)
    assert answer("restarted_within", replace(told, **never_began()), within_s=5.0)[0] is UNKNOWN
