"""Criteria over all scenarios: nothing else breaks, logs go on, the Gateway is normal before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import histories
import pytest
from plan_histories import FAIL, PASS, UNKNOWN, Values, answer, blind, looks, never_began

from reports.finding import Status
from reports.history import History, Outcome
from reports.log import Log, LogLine

NAMES = ("gateway", "redis-0", "redis-1")


def components(changed: Mapping[str, Any] = {}) -> Values:
    """Return what is seen of three components that run all along; changes are functions of the time."""

    def values(at_s: float) -> dict[str, float]:
        plain = {f"{key}:{name}": n for name in NAMES for key, n in _PLAIN.items()}
        return plain | {key: change(at_s) for key, change in changed.items()}

    return values


_PLAIN = {"starts": 1.0, "exits": 0.0, "killed": 0.0, "running": 1.0, "pid": 7.0}


def watched(changed: Mapping[str, Any] = {}, **ready: Any) -> History:
    """Return a run in which the components were watched, and the readiness."""
    every = looks("components", components(changed), every_s=1.0)
    return histories.history(observations=(*every, *looks("ready", lambda at_s: {}, **ready)))


def after(at_s: float, value: float, before: float = 0.0) -> Any:
    """Return a number that changes at a time."""
    return lambda now_s: value if now_s >= at_s else before


KILLED = {"killed:redis-0": after(3.0, 1.0), "starts:redis-0": after(6.0, 2.0, 1.0)}


@pytest.mark.parametrize(
    ("told", "got"),
    [
        (watched(), "none of 3"),
        (watched(KILLED), "none of 2; the targets were redis-0"),
        (watched(down=(3.0, 3.2)), "none of 3"),  # a single bad answer
        (
            watched({"killed:gateway": after(3.0, 1.0)}, down=(3.0, 5.0)),
            "none of 2; the targets were gateway",
        ),
    ],
)
def test_what_the_harness_broke_is_no_cascade(told: History, got: str) -> None:
    """Its targets may die, come back, and be unready."""
    assert answer("no_cascade", told) == (PASS, got)


@pytest.mark.parametrize(
    ("told", "got"),
    [
        (watched({"exits:redis-1": after(3.0, 1.0)}), "redis-1 exited 1 times by itself, first by 3.0 s"),
        (
            watched({"starts:gateway": after(3.0, 3.0, 1.0)}),
            "gateway was started again 2 times, first by 3.0 s",
        ),
        (watched({"running:redis-1": after(9.0, 0.0, 1.0)}), "redis-1 was not running at 9.0 s"),
        (watched(down=(3.0, 3.6)), "the Gateway was not ready at 3.0 s (refused)"),
        (
            watched({**KILLED, "exits:gateway": after(3.0, 1.0)}),
            "gateway exited 1 times by itself, first by 3.0 s",
        ),
    ],
)
def test_a_cascade_is_convicted(told: History, got: str) -> None:
    """Another's exit, restart, absence or unreadiness."""
    assert answer("no_cascade", told) == (FAIL, got)


def test_named_targets_are_spared() -> None:
    """For faults that end no process by themselves."""
    told = watched({"exits:redis-1": after(3.0, 1.0)})

    assert answer("no_cascade", told, targets=["redis-1"])[0] is PASS


def test_a_cascade_that_nobody_watched_is_unknown() -> None:
    """No supervisor, looked away before or after, no readiness, no fault."""
    told = watched()

    assert answer("no_cascade", histories.history())[0] is UNKNOWN
    assert answer("no_cascade", blind(told, 0.0, 3.0, "components"))[1] == "watched only from 3.0 s to 9.0 s"
    assert answer("no_cascade", blind(told, 4.0, 10.0, "components"))[1] == "watched only from 0.0 s to 3.0 s"
    assert answer("no_cascade", blind(told, 0.0, 10.0, "ready"))[1] == "the Gateway was never seen ready"
    assert answer("no_cascade", replace(told, **never_began()))[1] == "the fault never began"
    assert answer("no_cascade", told, targets=NAMES)[1] == "every component was a target"


def logged(*lines: tuple[float | None, str], whole: bool = True) -> History:
    """Return a run of ten alerts, a second apart, in which the Gateway logged these lines."""
    log = Log("gateway", tuple(LogLine(*line) for line in lines), whole)
    return histories.history(10, logs=(log,))


EVERY = tuple((k / 2, "crd created") for k in range(20))


def test_a_log_that_goes_on_is_alive() -> None:
    """No silence longer than allowed while the fault is on; before and after it does not matter."""
    assert answer("logs_alive", logged(*EVERY), max_gap_s=1.0)[0] is PASS
    assert answer("logs_alive", logged(*EVERY[4:11]), max_gap_s=1.0)[0] is PASS
    assert answer("logs_alive", logged((2.1, "x"), (5.0, "x")), max_gap_s=1.0) == (
        FAIL,
        "2 lines, silent for up to 2.90 s, from 2.10 s on",
    )
    assert answer("logs_alive", logged((0.0, "x"), (9.0, "x")), max_gap_s=1.0)[0] is FAIL


def test_silence_with_nothing_to_log_is_innocent() -> None:
    """No alert fell due in it."""
    told = replace(logged((2.1, "x"), (5.0, "x")), attempts=(histories.attempt(0), histories.attempt(9)))

    assert answer("logs_alive", told, max_gap_s=1.0)[0] is UNKNOWN


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (((3.0, '{"message": "Breaker of redis: CLOSED -> OPEN"}'),), PASS),
        (((1.0, "breaker opens"), (3.0, "crd created")), FAIL),
        (((3.0, "crd created"), (7.0, "breaker opens")), FAIL),
        (((1.0, "breaker opens"),), UNKNOWN),  # nothing logged meanwhile
        (((None, "breaker opens"),), UNKNOWN),  # whenever that was
        ((), UNKNOWN),
    ],
)
def test_a_wanted_line(lines: tuple[tuple[float | None, str], ...], status: Status) -> None:
    """While the fault is on, in whatever case."""
    assert answer("logs_alive", logged(*lines), contains="breaker")[0] is status


def test_logs_that_cannot_be_read_are_unknown() -> None:
    """No file, too long a file, another component, no fault."""
    cut = logged((3.0, "x"), whole=False)

    assert answer("logs_alive", histories.history())[0] is UNKNOWN
    assert answer("logs_alive", cut, contains="breaker")[0] is UNKNOWN
    assert answer("logs_alive", cut, max_gap_s=1.0)[0] is UNKNOWN
    assert answer("logs_alive", logged(*EVERY), component="redis-0")[0] is UNKNOWN
    assert answer("logs_alive", replace(logged(*EVERY), **never_began()))[0] is UNKNOWN


def test_normal_before_and_at_the_end_is_steady() -> None:
    """What is broken while the fault is on does not matter."""
    assert answer("steady_state", histories.history(10)) == (PASS, "both")
    assert answer("steady_state", histories.history(10, rejected_safe=2))[0] is PASS


def spoiled(probe: str, at_s: float, **changes: Any) -> History:
    """Return the plain run in which a probe's look at a time is another."""
    plain = histories.history(10)
    changed = [
        replace(o, **changes) if o.probe == probe and o.asked_s == at_s else o for o in plain.observations
    ]
    return replace(plain, observations=tuple(changed))


@pytest.mark.parametrize(
    ("told", "got"),
    [
        (
            spoiled("metrics", 1.0, values={"breaker.redis": 2.0}),
            "breaker.redis was not closed at 1.01 s (before)",
        ),
        (
            spoiled("metrics", 9.8, values={"breaker.kubernetes": 1.0}),
            "breaker.kubernetes was not closed at 9.81 s (at the end)",
        ),
        (spoiled("ready", 1.0, ok=False, error="503"), "not ready at 1.01 s (before): 503"),
        (spoiled("ready", 9.8, ok=False, error="503"), "not ready at 9.81 s (at the end): 503"),
    ],
)
def test_an_unsteady_probe_is_convicted(told: History, got: str) -> None:
    """Before the fault and at the end; in between it is innocent."""
    assert answer("steady_state", told) == (FAIL, got)
    assert answer("steady_state", spoiled("ready", 4.0, ok=False, error="503"))[0] is PASS


@pytest.mark.parametrize(("number", "status"), [(1, FAIL), (4, PASS), (9, FAIL)])
def test_alerts_are_acknowledged_before_and_at_the_end(number: int, status: Status) -> None:
    """Of those at the end only the last one counts."""
    plain = histories.history(10)
    refused = tuple(
        replace(a, outcome=Outcome.REJECTED, kind="safe") if a.number == number else a for a in plain.attempts
    )

    assert answer("steady_state", replace(plain, attempts=refused))[0] is status


def test_a_steadiness_that_nobody_saw_is_unknown() -> None:
    """No looks, no breaker in the metrics, no alerts at one end, a fault that was never healed."""
    plain = histories.history(10)
    bare = tuple(replace(o, values={}) for o in plain.observations)

    assert answer("steady_state", blind(plain, 0.0, 2.0, "ready"))[1] == "no readiness before"
    assert answer("steady_state", blind(plain, 5.0, 10.0))[1] == "no metrics with a breaker at the end"
    assert answer("steady_state", replace(plain, observations=bare))[0] is UNKNOWN
    assert answer("steady_state", replace(plain, attempts=plain.attempts[3:]))[1] == "no alerts before"
    assert answer("steady_state", replace(plain, attempts=plain.attempts[:3]))[1] == "no alerts at the end"
    assert answer("steady_state", replace(plain, injections=(histories.injection(ended=None),)))[0] is UNKNOWN
    assert answer("steady_state", replace(plain, **never_began()))[0] is UNKNOWN


def test_without_a_fault_the_first_phase_is_before() -> None:
    """For scenarios in which the load itself is what is tried."""
    told = histories.history(10, injections=(), run_changes={"faults_planned": 0})

    assert answer("steady_state", told)[0] is PASS
