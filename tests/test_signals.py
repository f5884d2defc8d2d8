"""The signals: what a probe's answers, which hold at some instant between question and answer, can tell."""

from __future__ import annotations

import math

import pytest
from histories import attempt, history
from readings import ANSWER_S, breaker, missed, ready, seen, without

from reports import signals
from reports.history import Observation, Outcome
from reports.interval import Interval
from reports.signals import CLOSED, HALF_OPEN, OPEN, Reading


def looks(*steps: tuple[float, float, bool | None]) -> list[Reading]:
    return [Reading(asked_s, answered_s, good, "") for asked_s, answered_s, good in steps]


def counts(*values: float | None, ok: bool = True) -> list[Observation]:
    """Return a sample every second, answered after `ANSWER_S`; None where the counter is absent."""
    return [
        Observation("metrics", float(n), n + ANSWER_S, ok, {} if value is None else {"c": value})
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], None),
        (looks((3, 4, True)), None),
        (looks((3, 4, True), (5, 6, False), (7, 8, True)), Interval(5, 8)),
        # Good while the bad one was still unanswered proves nothing; good from its end on does.
        (looks((3, 9, False), (4, 5, True), (9, 10, True)), Interval(3, 10)),
        (looks((3, 9, False), (4, 5, True)), Interval(3, math.inf)),
        # Asked last is not answered last.
        (looks((3, 9, False), (6, 7, False), (9, 10, True)), Interval(6, 10)),
        # Two alerts of one POST: the good one does not follow the bad one.
        (looks((3, 4, False), (3, 4, True), (5, 6, True)), Interval(3, 6)),
        # What was over before the fault does not count, what reached into it does.
        (looks((0, 1, False), (3, 4, True)), None),
        (looks((0, 2, False), (3, 4, True)), Interval(0, 4)),
        # Nobody looked: it may have been bad, at the earliest when the fault began.
        (looks((1, 2, True), (2, 7, None), (7, 8, True)), Interval(2, 8)),
        (looks((2, 3, False), (3, 7, None), (7, 8, True)), Interval(2, 8)),
        (looks((2, 3, False), (3, 4, True), (4, 9, None)), Interval(2, math.inf)),
    ],
)
def test_turned_good(readings: list[Reading], expected: Interval | None) -> None:
    """After 2 s: from the last bad question to the first good answer that follows all bad ones."""
    assert signals.turned_good(readings, 2.0) == expected
    assert signals.turned_good(list(reversed(readings)), 2.0) == expected


def test_rises() -> None:
    """Each between the question before and the answer that shows it, cut at the fault's beginning."""
    assert signals.rises(counts(0, 0, 1, 1, 4), "c", 0.5) == [
        Interval(1.0, 2.015625),
        Interval(3.0, 4.015625),
    ]
    assert signals.rises(counts(0, 1, 2), "c", 1.5) == [Interval(1.5, 2.015625)]
    assert signals.rises(counts(7, 7), "c", 0.0) == []


def test_a_counter_that_a_restart_reset() -> None:
    """A fall to nought is no rise; what is above nought after a fall was counted since."""
    assert signals.rises(counts(9, 0, 0), "c", 0.0) == []
    assert signals.rises(counts(9, 2, 2), "c", 0.0) == [Interval(0.0, 1.015625)]


def test_a_counter_that_is_absent_until_it_counts() -> None:
    """Absent from a good scrape is nought; a failed scrape is nothing at all."""
    assert signals.rises(counts(None, None, 3), "c", 0.0) == [Interval(1.0, 2.015625)]
    assert signals.rises(counts(None, None), "c", 0.0) == []
    first = counts(3, 3)
    assert signals.rises([*counts(0, ok=False), *first[1:]], "c", 0.0) == []


def test_became() -> None:
    """After the last sample that did not show it, or the fault's beginning, whichever is later."""
    shown = [o for o in breaker({0.0: CLOSED, 3.0: OPEN}) if o.asked_s in (0.0, 1.0, 2.0, 3.0, 4.0)]
    key = "breaker.redis"
    assert signals.became(shown, key, OPEN, 1.5) == Interval(2.0, 3.015625)
    assert signals.became(shown, key, OPEN, 2.5) == Interval(2.5, 3.015625)
    assert signals.became(shown, key, OPEN, 9.0) is None
    assert signals.became(shown, key, HALF_OPEN, 0.0) is None
    assert signals.became(shown, "breaker.k8s", OPEN, 0.0) is None
    hidden = missed(shown, "metrics", 2.0, 3.0)
    assert signals.became(list(hidden), key, OPEN, 0.5) == Interval(1.0, 3.015625)


def test_longest_gap() -> None:
    """Between good answers, and from the window's edges to them."""
    samples = counts(0, 0, 0)
    assert signals.longest_gap(samples, 0.0, 2.0) == (1.0, 0.015625)
    assert signals.longest_gap(samples, 0.0, 9.0) == (6.984375, 2.015625)
    assert signals.longest_gap(samples, -4.0, 2.0) == (4.015625, -4.0)
    assert signals.longest_gap(counts(0, 0, ok=False), 1.0, 4.0) == (3.0, 1.0)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((0.0, 1.0, 2.0, 3.0), 2.0),
        ((2.0, 3.9), 2.0),
        ((2.0, 4.0), None),
        ((0.5,), 0.5),
        ((0.25,), None),
        ((3.0,), None),
    ],
)
def test_just_before(asked: tuple[float, ...], expected: float | None) -> None:
    """The last before 2.5 s, unless more than 2 s pass from it to the next one."""
    samples = [Observation("metrics", at_s, at_s + ANSWER_S, True) for at_s in asked]
    found = signals.just_before(samples, 2.5)
    assert (found.asked_s if found else None) == expected


def test_health() -> None:
    """Closed is good, ready is good, acknowledged is good; a failed scrape says nothing of the breaker."""
    told = history(
        1,
        rejected_safe=1,
        unsent=1,
        observations=(
            *missed(breaker({0.0: CLOSED, 0.5: OPEN, 0.75: HALF_OPEN}, end_s=1.0), "metrics", 0.25, 0.5),
            *missed(ready(0.5), "ready", 0.25, 0.5),
        ),
        run_changes={"phases": ()},
    )
    found = signals.health(told, "redis")
    assert {name: [(r.asked_s, r.good, r.what) for r in readings] for name, readings in found.items()} == {
        "breaker": [
            (0.0, True, "breaker closed"),
            (0.5, False, "breaker open"),
            (0.75, False, "breaker half-open"),
        ],
        "readiness": [(0.0, True, "ready"), (0.25, False, "not ready (refused)")],
        "answers": [
            (0.001, True, "alert 0 acked created"),
            (2.501, False, "alert 1 rejected safe"),
            (3.751, False, "alert 2 unsent connect"),
        ],
    }


def test_an_alert_without_an_answer_time_says_nothing() -> None:
    """It was never begun, or its generator died."""
    silent = history(attempts=(attempt(0, Outcome.UNSENT, done_s=None),))
    assert list(signals.health(silent, "redis")["answers"]) == []


def test_health_shows_where_nobody_looked() -> None:
    """Longer than 2 s between two looks, before the first, and after the last until the plan ends."""
    blind = without(without(without(breaker(), "metrics", 0, 2.5), "metrics", 4, 6.5), "metrics", 7, 10)
    found = signals.health(seen(blind, ready()), "redis")
    assert [(r.asked_s, r.answered_s) for r in found["breaker"] if r.good is None] == [
        (0.0, 2.5),
        (3.765625, 6.5),
        (6.765625, 10.0),
    ]
    assert not [r for r in found["readiness"] if r.good is None]
    assert signals.health(seen(ready()), "redis")["breaker"] == []


def test_a_state_nobody_knows_is_not_good() -> None:
    """A release's number that the target file does not name."""
    told = signals.health(seen(breaker({0.0: 7.0})), "redis")["breaker"][0]
    assert (told.good, told.what) == (False, "breaker in the unknown state 7")


@pytest.mark.parametrize(
    ("end", "begin", "expected"),
    [
        (Interval(5, 6), Interval(2, 3), Interval(2, 4)),
        (Interval(2, 6), Interval(3, 4), Interval(0, 3)),
        (Interval(1, 2), Interval(3, 4), Interval(0, 0)),
        (Interval(5, math.inf), Interval(2, 3), Interval(2, math.inf)),
    ],
)
def test_a_duration_holds_both_errors(end: Interval, begin: Interval, expected: Interval) -> None:
    """The earliest end less the latest beginning, and the other way round; never below nought."""
    assert end.since(begin) == expected
    assert expected.error_s == (expected.latest_s - expected.earliest_s) / 2
