"""recovery: the end of the last bad reading, of breaker, readiness or answers, and it stays so."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import histories
import pytest
from histories import attempt
from readings import CLOSE, DOWN, MARGINS, TOOK, about, breaker, fault, missed, ready, seen, took, without

from reports.criteria import recovery
from reports.finding import Finding, Status
from reports.history import History, Observation, Outcome
from reports.interval import Interval
from reports.signals import CLOSED, OPEN

WANTED = "normal again within 5 s after the fault is healed"
TIMED = "normal again (breaker last) after the fault is healed within 5 s"
# 40 scrapes, 40 looks at readiness, 8 answers.
ALL = 88


def normal(observations: tuple[Observation, ...] = breaker(), **changes: Any) -> History:
    """Return a history with a Gateway that stays ready."""
    return seen(observations, ready(), **changes)


def refused(number: int, due_s: float, outcome: Outcome = Outcome.REJECTED, **changes: Any) -> History:
    """Return a history in which one more alert, after the eight, was not acknowledged."""
    attempts = (*normal().attempts, attempt(number, outcome, due_s=due_s, **changes))
    return normal(attempts=attempts)


@pytest.mark.parametrize(("limit_s", "status"), MARGINS)
def test_at_the_margin(limit_s: float, status: Status) -> None:
    """PASS only if the latest is within the limit, FAIL only if the earliest is not, else too close."""
    assert recovery.check(normal(), within_s=limit_s) == Finding(
        status,
        f"normal again (breaker last) after the fault is healed within {limit_s:g} s",
        "in [0.69 s, 1.02 s]",
        ALL,
        mend=CLOSE if status is Status.UNKNOWN else "",
        numbers=took(limit_s),
    )


def test_from_the_injection_on() -> None:
    """``after: injected`` counts from the fault's beginning, while it may still be on."""
    found = recovery.check(normal(), within_s=5.0, after="injected")
    assert found == Finding(
        Status.PASS,
        "normal again (breaker last) after the fault is injected within 5 s",
        "in [3.69 s, 4.02 s]",
        ALL,
        numbers=took(at=Interval(3.6875, 4.015625)),
    )


def test_back_before_the_fault_was_healed() -> None:
    """A replica took over: no time passes after the healing, if it disturbs nothing more."""
    early = normal(breaker({**DOWN, 4.0: CLOSED, 5.5: CLOSED}))
    assert recovery.check(early, within_s=5.0).numbers == took(at=Interval(0.0, 0.0))


def test_the_last_of_the_three_counts() -> None:
    """A refused alert after the breaker closed, then a Gateway that is not ready."""
    late = refused(8, 7.0)
    assert recovery.check(late, within_s=5.0).numbers == about(earliest_s=1.9385, latest_s=2.52, limit_s=5.0)
    later = seen(breaker(), missed(ready(), "ready", 7.0, 7.5))
    assert recovery.check(later, within_s=5.0) == Finding(
        Status.PASS,
        "normal again (readiness last) after the fault is healed within 5 s",
        "in [2.19 s, 2.52 s]",
        ALL,
        numbers=took(at=Interval(2.1875, 2.515625)),
    )


def test_a_relapse_after_the_limit_is_convicted() -> None:
    """It was normal again within the limit, but did not stay so."""
    relapse = normal(breaker({**DOWN, 7.5: OPEN, 8.0: CLOSED}))
    assert recovery.check(relapse, within_s=2.0, stable_s=1.0) == Finding(
        Status.FAIL,
        "normal again (breaker last) after the fault is healed within 2 s",
        "in [2.69 s, 3.02 s]",
        ALL,
        numbers=took(2.0, Interval(2.6875, 3.015625)),
    )


def test_a_breaker_that_stays_open_is_convicted_after_the_limit_only() -> None:
    """Still open at the end: FAIL if that is beyond the limit, else nobody knows."""
    stuck = normal(breaker({0.0: CLOSED, 2.5: OPEN}))
    got = "breaker was not seen good again; the last bad reading was 4.7 s after"
    wanted = "normal again within {} s after the fault is healed"
    mend = "watch for longer than 30 s: lengthen the last phase"
    at = Interval(4.6875, math.inf)
    assert recovery.check(stuck, within_s=4.0) == Finding(
        Status.FAIL, wanted.format(4), got, ALL, numbers=took(4.0, at)
    )
    assert recovery.check(stuck, within_s=30.0) == Finding(
        Status.UNKNOWN, wanted.format(30), got, ALL, mend=mend, numbers=took(30.0, at)
    )


def test_a_timeout_is_bad_until_it_is_given_up() -> None:
    """An alert of 4.5 s that nobody answered until 7 s: those sent meanwhile do not prove it normal."""
    hung = refused(8, 4.5, Outcome.INDETERMINATE, done_s=7.0)
    assert recovery.check(hung, within_s=3.0).numbers == about(earliest_s=0.6875, latest_s=2.52, limit_s=3.0)
    assert recovery.check(hung, within_s=2.0).status is Status.UNKNOWN


INNOCENT = {
    "clean 503s while the fault is on": refused(8, 4.0),
    "a refused connection": refused(8, 4.0, Outcome.UNSENT),
    "a single missed scrape": normal(missed(breaker(), "metrics", 8.0, 8.2)),
    "a scrape that hung for a second": normal(missed(breaker(), "metrics", 8.0, 9.0)),
    "an alert that was never begun": refused(8, 0.0, Outcome.UNSENT, begun_s=None, done_s=None),
    "trouble before the fault": refused(8, 1.0),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_the_innocent_are_timed_as_if_nothing_was(name: str) -> None:
    """None of these moves the time at which the breaker closed."""
    found = recovery.check(INNOCENT[name], within_s=5.0)
    assert (found.status, found.numbers) == (Status.PASS, took())


def test_a_scrape_that_is_missed_as_it_closes_widens_the_interval() -> None:
    """Between open at 5.75 s and closed at 6.25 s."""
    found = recovery.check(normal(missed(breaker(), "metrics", 6.0, 6.2)), within_s=5.0)
    assert found.numbers == took(at=Interval(0.6875, 1.265625))


NOT_SEEN, NORMAL = " was not seen good again; the last bad reading was ", "in [0.69 s, 1.02 s], but "
BIT = "see fault_bit; 'after' is injected or healed"
NOTHING = "nothing was disturbed, so no recovery could be timed; is it the right fault?"
MAP = "let the target file map metrics.breaker.redis and name its endpoints"
LAST, WATCH = "lengthen the last phase", "watch for longer than 5 s: lengthen the last phase"
UNDECIDED = {
    "fault never began": (normal(injections=()), "the fault was never healed", 0, BIT),
    "fault never ended": (normal(injections=(fault(ended=None),)), "the fault was never healed", 0, BIT),
    "nothing disturbed": (
        normal(breaker({0.0: CLOSED})),
        "no bad reading after the fault began",
        ALL,
        NOTHING,
    ),
    "no samples at all": (seen(attempts=()), "no bad reading after the fault began", 0, NOTHING),
    "nothing disturbed, but metrics away for a while": (
        normal(missed(breaker({0.0: CLOSED}), "metrics", 3.0, 6.0)),
        "no bad reading after the fault began",
        76,
        NOTHING,
    ),
    "metric absent": (
        replace(refused(8, 5.5), observations=(*breaker(component="k8s"), *ready())),
        "in [0.44 s, 1.27 s], but breaker never seen",
        49,
        MAP,
    ),
    "readiness never asked": (seen(breaker()), f"{NORMAL}readiness never seen", 48, MAP),
    "no load": (normal(attempts=()), f"{NORMAL}answers never seen", 80, MAP),
    "metrics hung from the fault on": (
        replace(refused(8, 5.5), observations=(*missed(breaker(), "metrics", 2.0, 10), *ready())),
        f"breaker{NOT_SEEN}0.4 s after",
        57,
        WATCH,
    ),
    "metrics hung once it was open": (
        normal(missed(breaker(), "metrics", 4.0, 10)),
        f"breaker{NOT_SEEN}0.0 s after",
        64,
        WATCH,
    ),
    "the prober stood still at the end": (
        normal(without(breaker(), "metrics", 6.5, 10)),
        f"breaker{NOT_SEEN}0.7 s after",
        74,
        WATCH,
    ),
    "readiness not asked at the end": (
        seen(breaker(), without(ready(), "ready", 6.5, 10)),
        f"readiness{NOT_SEEN}0.7 s after",
        74,
        WATCH,
    ),
    "watched too shortly": (
        normal(breaker({**DOWN, 8.0: OPEN, 8.5: CLOSED})),
        "in [3.19 s, 3.52 s], but watched too shortly after",
        ALL,
        LAST,
    ),
    "one of the probes watched too shortly": (
        normal(without(breaker({**DOWN, 7.25: OPEN, 7.5: CLOSED}), "metrics", 8.5, 10)),
        "in [2.19 s, 2.52 s], but watched too shortly after",
        82,
        LAST,
    ),
    "healed too late to be watched": (
        normal(injections=(fault(ended=Interval(8.0, 8.0625)),)),
        "in [0.00 s, 0.00 s], but watched too shortly after",
        ALL,
        LAST,
    ),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_a_recovery_that_was_not_watched_is_undecided(name: str) -> None:
    """Missing data neither passes nor convicts, and it is said what to change."""
    told, got, samples, mend = UNDECIDED[name]
    found = recovery.check(told, within_s=5.0)
    assert replace(found, numbers={}) == Finding(Status.UNKNOWN, WANTED, got, samples, mend=mend)


def test_a_stretch_that_nobody_saw_may_have_been_bad() -> None:
    """The state left the metrics from 6.25 s to 8.5 s, so it is normal for sure only after that."""
    hidden = normal(missed(breaker(), "metrics", 6.25, 8.5))
    told = recovery.check(hidden, within_s=5.0, stable_s=1.0)
    assert (told.status, told.numbers) == (Status.PASS, took(at=Interval(TOOK.earliest_s, 3.515625)))
    assert recovery.check(hidden, within_s=2.0, stable_s=1.0).status is Status.UNKNOWN


def test_what_is_proven_stands_although_the_rest_was_not_watched() -> None:
    """Without a breaker in the metrics, a refusal after the limit still convicts."""
    told = replace(refused(8, 8.0), observations=ready())
    assert recovery.check(told, within_s=2.0).status is Status.FAIL


def test_a_word_that_is_no_beginning_is_undecided() -> None:
    """``after`` is injected or healed."""
    assert recovery.check(normal(), within_s=5.0, after="lunch") == Finding(
        Status.UNKNOWN,
        "normal again within 5 s after the fault is lunch",
        "the fault was never lunch",
        0,
        mend=BIT,
    )


def test_the_plain_history_is_timed_as_its_builder_says() -> None:
    """Probes five times a second, closed from 6 s on."""
    assert recovery.check(histories.history(), within_s=30.0).numbers == about(
        earliest_s=0.75, latest_s=1.01, limit_s=30.0
    )
