"""Criteria for Redis that hangs, is slow, or is full: each convicts what it names, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import histories
import pytest
from plan_histories import FAIL, PASS, UNKNOWN, answer, blind, check, never_began, scraped, seen, steps

from reports.history import History, Outcome

BOUNDED = [
    ("pool_bounded", "redis_pool.active", {}, 10),
    ("queue_bounded", "k8s_queue", {"below": 11}, 10),
    ("buffer_bounded", "buffer.size", {"at_most": 10}, 10),
]


def gauge(key: str, value: Callable[[float], float]) -> History:
    """Return a run in which a gauge is seen, with a pool that may hold ten."""
    return seen(lambda at_s: {key: value(at_s), "redis_pool.max": 10.0})


@pytest.mark.parametrize(("name", "key", "options", "most"), BOUNDED)
def test_a_gauge_at_its_bound_is_innocent_and_beyond_it_is_not(
    name: str, key: str, options: dict[str, float], most: int
) -> None:
    """Ten of ten are allowed, in every one of the samples; eleven in a single one are not."""
    full = gauge(key, steps((2.4, most), (5.0, 0)))
    over = gauge(key, steps((2.4, most), (3.0, most + 1), (3.2, most)))

    assert answer(name, full, **options) == (PASS, "10 at most in 50 samples")
    assert answer(name, over, **options) == (FAIL, "11 at most, over the bound in 1 of 50 samples")
    assert check(name, over, **options).examples == ("at 3.01 s: 11",)


@pytest.mark.parametrize(("name", "key", "options", "most"), BOUNDED)
def test_a_gauge_that_nobody_saw_is_unknown(
    name: str, key: str, options: dict[str, float], most: int
) -> None:
    """Not mapped, not seen while the fault was on, not seen for long, or no fault at all."""
    good = gauge(key, steps((1.0, most)))
    long = replace(good, injections=(histories.injection(ended=None),))

    assert answer(name, histories.history(), **options) == (UNKNOWN, "it was in no sample")
    assert answer(name, blind(good), **options) == (UNKNOWN, "no sample while the fault was on")
    assert answer(name, blind(long, 2.5, 8.0), **options) == (UNKNOWN, "not seen for 5.6 s from 2.4 s on")
    assert answer(name, replace(good, **never_began()), **options) == (UNKNOWN, "the fault never began")


def test_a_bound_that_was_never_tried_is_unknown() -> None:
    """An empty buffer keeps every bound; but a pool rests between two calls, so 0 is no sign of anything."""
    nothing = "it was never above 0, so the bound was not tried"

    assert answer("buffer_bounded", gauge("buffer.size", steps()), at_most=100) == (UNKNOWN, nothing)
    assert answer("queue_bounded", gauge("k8s_queue", steps()), below=1000) == (UNKNOWN, nothing)
    assert answer("pool_bounded", gauge("redis_pool.active", steps())) == (PASS, "0 at most in 50 samples")


def test_a_pool_of_size_zero_is_a_wrong_mapping() -> None:
    """Nothing in use of nothing is no proof."""
    told = seen(lambda at_s: {"redis_pool.active": 0.0, "redis_pool.max": 0.0})

    assert answer("pool_bounded", told) == (UNKNOWN, "the bound itself is 0")


@pytest.mark.parametrize("kind", ["timeout", "connection"])
def test_errors_of_an_expected_kind_are_detection(kind: str) -> None:
    """Either kind will do; a restart that sets the counter back is no rise."""
    told = scraped(f"redis_errors.{kind}", steps((0.0, 7), (2.6, 8), (3.0, 12), (4.0, 1)))

    assert answer("timeouts_detected", told) == (PASS, f"{kind} +6")
    assert check("timeouts_detected", told).numbers == {kind: 6.0}


@pytest.mark.parametrize(
    ("key", "value", "got"),
    [
        ("redis_errors.readonly", steps((3.0, 5)), "readonly +5"),  # another fault's sign
        ("redis_errors.timeout", steps((1.0, 5)), "none counted"),  # before the fault
        ("redis_errors.timeout", steps((8.0, 5)), "none counted"),  # long after it
        ("redis_errors.timeout", steps((0.0, 5), (3.0, 0)), "none counted"),  # a restart
    ],
)
def test_what_is_no_detection(key: str, value: Callable[[float], float], got: str) -> None:
    """Errors of other kinds or times convict."""
    assert answer("timeouts_detected", scraped(key, value)) == (FAIL, got)


def test_detection_that_nobody_could_see_is_unknown() -> None:
    """No kinds in the metrics, no scrapes, no alerts, no fault."""
    quiet = scraped("redis_errors.timeout", steps())
    idle = replace(quiet, attempts=(histories.attempt(0), histories.attempt(9)))

    assert answer("timeouts_detected", histories.history()) == (
        UNKNOWN,
        "no sample tells the kinds of errors",
    )
    assert answer("timeouts_detected", blind(quiet)) == (UNKNOWN, "none counted in 0 samples")
    assert answer("timeouts_detected", idle) == (UNKNOWN, "no alert fell due while the fault was on")
    assert answer("timeouts_detected", replace(quiet, **never_began())) == (UNKNOWN, "the fault never began")


@pytest.mark.parametrize("key", ["buffer.bypasses", "fallbacks"])
def test_a_bypass_is_counted_and_acknowledged(key: str) -> None:
    """Either counter will do, with alerts acknowledged in that time."""
    told = scraped(key, steps((2.4, 1), (4.0, 3)))

    assert answer("bypass_seen", told) == (PASS, f"{key} +3; 4 of 4 acknowledged meanwhile")


def test_a_bypass_without_acknowledged_alerts_or_without_count_is_convicted() -> None:
    """Both are promised: what is refused is no bypass, what is not counted is no evidence."""
    told = scraped("buffer.bypasses", steps((2.4, 1)))
    refused = tuple(histories.attempt(n, Outcome.REJECTED) for n in range(10))

    assert answer("bypass_seen", replace(told, attempts=refused))[0] is FAIL
    assert answer("bypass_seen", scraped("buffer.bypasses", steps((1.0, 1))))[0] is FAIL
    assert answer("bypass_seen", scraped("buffer.bypasses", steps((7.0, 1))))[0] is FAIL


def test_a_bypass_that_nobody_could_see_is_unknown() -> None:
    """No counter, no scrapes, no alerts, no fault."""
    told = scraped("buffer.bypasses", steps())
    idle = replace(told, attempts=(histories.attempt(0), histories.attempt(9)))

    assert answer("bypass_seen", seen(lambda at_s: {})) == (UNKNOWN, "the counters were in no sample")
    assert answer("bypass_seen", blind(told))[0] is UNKNOWN
    assert answer("bypass_seen", idle) == (UNKNOWN, "no alert fell due while the fault was on")
    assert answer("bypass_seen", replace(told, **never_began())) == (UNKNOWN, "the fault never began")
