"""Criteria for concurrent updates of one RemediationRequest: exact counts, retries, and real conflicts."""

from __future__ import annotations

from dataclasses import replace

import histories
import pytest
from plan_histories import FAIL, PASS, UNKNOWN, answer, check, metrics, seen

from reports.finding import Status
from reports.history import History, Member, Outcome


def burst(count: int, *, unsure: int = 0, overlap: bool = True, **more: float) -> History:
    """Return a run of one alert and ten repeats at 3 s, of which ``unsure`` have no answer, whose resource
    counts ``count``; ``more`` are counters that grew by so much at 3 s (dots are written as __)."""
    repeats = [
        histories.attempt(
            n,
            Outcome.INDETERMINATE if n <= unsure else Outcome.ACKED,
            subject=0,
            due_s=3.0 if overlap else 3.0 + n / 10,
            kind="answer" if n <= unsure else "duplicate",
        )
        for n in range(1, 11)
    ]
    grown = {key.replace("__", "."): value for key, value in more.items()}
    plain = histories.history(11)
    return replace(
        plain,
        attempts=(histories.attempt(0), *repeats),
        resources=(histories.resource(0, count=count),),
        observations=metrics(lambda at_s: {key: n * (at_s >= 3.0) for key, n in grown.items()}),
    )


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (burst(11), PASS),
        (burst(10), FAIL),  # a lost update
        (burst(12), FAIL),  # one counted twice
        (burst(9, unsure=2), PASS),  # two whose fate is open may count
        (burst(11, unsure=2), PASS),  # or not
        (burst(8, unsure=2), FAIL),
        (burst(12, unsure=2), FAIL),
    ],
)
def test_a_count_is_what_was_acknowledged(told: History, status: Status) -> None:
    """From the acknowledged sends to those and the ones without an answer."""
    assert answer("count_exact", told)[0] is status


def test_a_wrong_count_is_told_with_its_alert() -> None:
    """By the id that can be looked up."""
    assert check("count_exact", burst(10)).examples == ("k3x9-0000000: counted 10 times, wanted 11",)
    assert check("count_exact", burst(8, unsure=2)).examples == (
        "k3x9-0000000: counted 8 times, wanted 9 to 11",
    )


def test_two_resources_of_one_alert_count_together() -> None:
    """A second one is no_duplicates' matter; what they count must still be right."""
    second = histories.resource(0, name="rr-2", uid="uid-2", creator=None, count=1)
    told = replace(burst(10), resources=(histories.resource(0, count=10), second))

    assert answer("count_exact", told)[0] is PASS


@pytest.mark.parametrize(("count", "status"), [(10, FAIL), (11, PASS), (12, FAIL)])
def test_a_storm_s_members_have_counts_of_their_own(count: int, status: Status) -> None:
    """Where the release keeps them; the storm's own count is that of all its members."""
    members = (Member(0, 0, count), Member(99, 99, 5))
    storm = histories.resource(0, creator=None, subject=None, aggregated=(0, 99), count=16, members=members)

    assert answer("count_exact", replace(burst(11), resources=(storm,)))[0] is status


def test_counts_that_are_not_known_are_unknown() -> None:
    """No truth, a truth that moves, nothing but a storm."""
    storm = histories.resource(0, creator=None, subject=None, aggregated=(0,), count=11)

    assert answer("count_exact", replace(burst(11), resources=None))[0] is UNKNOWN
    assert answer("count_exact", replace(burst(10), stable=False))[0] is UNKNOWN
    assert answer("count_exact", replace(burst(11), resources=(storm,)))[0] is UNKNOWN
    assert answer("count_exact", replace(burst(11), attempts=()))[0] is UNKNOWN


@pytest.mark.parametrize(
    ("told", "status", "got"),
    [
        (burst(11, updates__conflicts=7), PASS, "7"),
        (burst(11, updates__conflicts=0), FAIL, "none, though 10 alerts could collide"),
        (
            burst(11, overlap=False, updates__conflicts=0),
            UNKNOWN,
            "none, and 0 alerts could collide",
        ),
        (burst(11), UNKNOWN, "the counter was in no sample"),
    ],
)
def test_conflicts(told: History, status: Status, got: str) -> None:
    """Updates one after the other have nothing to collide with, and convict nobody."""
    assert answer("conflicts_seen", told) == (status, got)


@pytest.mark.parametrize(
    ("retried", "exhausted", "status", "got"),
    [
        (10, 0, PASS, "100.0%: 10 of 10"),
        (99, 1, PASS, "99.0%: 99 of 100"),
        (98, 2, FAIL, "98.0%: 98 of 100"),
        (0, 1, FAIL, "0.0%: 0 of 1"),
        (0, 0, UNKNOWN, "no update was tried again"),
    ],
)
def test_retries_succeed(retried: int, exhausted: int, status: Status, got: str) -> None:
    """99 of 100 are enough; of none nothing can be said."""
    told = burst(11, updates__retried=retried, updates__exhausted=exhausted)

    assert answer("retry_success", told, at_least=0.99) == (status, got)


def test_retries_that_nobody_counted_are_unknown() -> None:
    """Both counters are needed: without the failures every share would be 100 %."""
    assert answer("retry_success", burst(11, updates__retried=5))[0] is UNKNOWN
    assert answer("retry_success", histories.history())[0] is UNKNOWN


def waits(first: float, second: float, third: float, other: float = 0.0, **more: float) -> History:
    """Return the burst with so many waits by step, and 12 conflicts in 10 updates."""
    told = {
        "update_backoff.0.1": first,
        "update_backoff.0.2": second,
        "update_backoff.0.4": third,
        "updates.conflicts": 12.0,
        "updates.retried": 10.0,
        "updates.exhausted": 0.0,
        **({"update_backoff.1.6": other} if other else {}),
        **more,
    }
    return burst(11, **{key.replace(".", "__"): value for key, value in told.items()})


@pytest.mark.parametrize(
    ("told", "status", "got"),
    [
        (waits(10, 2, 0), PASS, "10 of 100 ms, 2 of 200 ms"),
        (waits(10, 3, 4), PASS, "10 of 100 ms, 3 of 200 ms, 4 of 400 ms"),  # the last one serves all later
        (waits(12, 0, 0), FAIL, "12 of 100 ms, though 2 conflicts followed another"),  # flat
        (waits(12, 0, 0, **{"updates.conflicts": 10}), PASS, "12 of 100 ms"),  # nobody met two
        (waits(0, 5, 0), FAIL, "5 of 200 ms; more second waits than first ones"),
        (waits(10, 2, 0, other=1), FAIL, "10 of 100 ms, 2 of 200 ms, 1 of 1600 ms; 1600 ms is none of them"),
        (waits(0, 0, 0), UNKNOWN, "no update waited"),
        (burst(11), UNKNOWN, "its steps are in no sample"),
    ],
)
def test_steps_of_waits(told: History, status: Status, got: str) -> None:
    """A flat backoff is convicted where conflicts in a row prove that a longer wait was due."""
    assert answer("backoff_steps", told, steps_ms=[100, 200, 400]) == (status, got)


def test_alerts_without_acknowledgement_explain_missing_second_waits() -> None:
    """An update that ended by its deadline met a conflict and is neither retried nor exhausted."""
    told = waits(12, 0, 0)
    gave_up = tuple(replace(a, outcome=Outcome.REJECTED) if a.number in (3, 4) else a for a in told.attempts)

    assert answer("backoff_steps", replace(told, attempts=gave_up))[0] is PASS


def test_waits_without_the_counters_of_updates() -> None:
    """Then conflicts in a row cannot be told, and convict nobody."""
    assert answer("backoff_steps", seen(lambda at_s: {"update_backoff.0.1": at_s}))[0] is PASS
