"""breaker_opens: timed from the fault's real beginning, as an interval."""

from __future__ import annotations

import math
from dataclasses import replace

import histories
import pytest
import readings
from readings import CLOSE, MARGINS, about, breaker, counter, fault, missed, seen, took, without

from reports.criteria import breaker_opens
from reports.finding import Finding, Status
from reports.history import History
from reports.interval import Interval
from reports.signals import CLOSED, HALF_OPEN, OPEN

OPENS = "breaker of redis open within 5 s"
SHUT = {0.0: CLOSED}


def opened_at(at_s: float) -> History:
    return seen(breaker({0.0: CLOSED, at_s: OPEN}))


@pytest.mark.parametrize(("limit_s", "status"), MARGINS)
def test_breaker_opens_at_the_margin(limit_s: float, status: Status) -> None:
    """PASS only if the latest is within the limit, FAIL only if the earliest is not, else too close."""
    assert breaker_opens.check(opened_at(3.0), within_s=limit_s) == Finding(
        status,
        f"breaker of redis open within {limit_s:g} s",
        "in [0.69 s, 1.02 s]",
        40,
        mend=CLOSE if status is Status.UNKNOWN else "",
        numbers=took(limit_s),
    )


def test_a_breaker_that_never_opens_is_convicted() -> None:
    """It was watched without a gap beyond the limit, and alerts were there to fail."""
    assert breaker_opens.check(seen(breaker(SHUT)), within_s=5.0) == Finding(
        Status.FAIL,
        OPENS,
        "still not open after 7.7 s",
        40,
        numbers={"earliest_s": 7.6875, "latest_s": math.inf, "limit_s": 5.0},
    )


def test_half_open_is_not_open() -> None:
    """Only the state open counts."""
    half = seen(breaker({0.0: CLOSED, 3.0: HALF_OPEN}))
    assert breaker_opens.check(half, within_s=5.0).status is Status.FAIL


def test_a_breaker_that_opened_between_two_samples_was_counted() -> None:
    """The counter of its openings rose from 4 to 5 at 2.5 s; no sample shows it open."""
    key = "breaker_opened.redis"
    steps = {0.0: {"breaker.redis": CLOSED, key: 4.0}, 2.5: {"breaker.redis": CLOSED, key: 5.0}}
    fast = seen(readings.stepped("metrics", steps))
    assert breaker_opens.check(fast, within_s=5.0) == Finding(
        Status.PASS, OPENS, "in [0.19 s, 0.52 s]", 40, numbers=took(at=Interval(0.1875, 0.515625))
    )


def test_the_earlier_of_sample_and_counter_counts() -> None:
    """Open at a sample of 3 s, but counted already at 2.5 s."""
    opened = readings.stepped(
        "metrics",
        {
            0.0: {"breaker.redis": CLOSED, "breaker_opened.redis": 0.0},
            2.5: {"breaker.redis": HALF_OPEN, "breaker_opened.redis": 1.0},
            3.0: {"breaker.redis": OPEN, "breaker_opened.redis": 1.0},
        },
    )
    found = breaker_opens.check(seen(opened), within_s=5.0)
    assert found.numbers == took(at=Interval(0.1875, 0.515625))


def test_an_opening_that_was_counted_before_a_restart_tells_nothing_of_this_fault() -> None:
    """The Gateway restarts at 3 s and its counters begin again: a fall to 0 is no opening, and no crime."""
    reset = seen(counter("breaker_opened.redis", {0.0: 4.0, 3.0: 0.0}))
    assert breaker_opens.check(reset, within_s=5.0).numbers == took(at=Interval(0.1875, 0.515625))


def test_a_single_missed_scrape_does_not_hide_a_breaker_that_never_opens() -> None:
    """Nor does it convict one that opens."""
    assert breaker_opens.check(seen(missed(breaker(SHUT), "metrics", 3.0, 3.2)), within_s=5.0).got == (
        "still not open after 7.7 s"
    )
    late = seen(missed(breaker({0.0: CLOSED, 3.0: OPEN}), "metrics", 3.0, 3.2))
    assert breaker_opens.check(late, within_s=5.0).numbers == took(at=Interval(0.6875, 1.265625))


MAP = "map metrics.breaker.redis in the target file to what the Gateway exposes, and keep /metrics up"
STEADY, SEE = "begin the fault later, after steady state", "see fault_bit"
LONGER = "keep the load and /metrics up longer after the fault begins"
NO_STATE, NOT_CLOSED = "its state was in no sample", "the breaker was not seen closed just before the fault"
SHORT = "never seen open, but looked at for only"
NO_LOAD = "raise the rate, so that alerts fall due within the limit after the fault begins"
BREAKER_UNDECIDED = {
    "no samples": (seen(), NO_STATE, 0, MAP),
    "metric absent": (seen(breaker(component="k8s")), NO_STATE, 0, MAP),
    "every probe hung": (seen(missed(breaker(), "metrics", 0, 10)), NO_STATE, 0, MAP),
    "fault never began": (seen(breaker(), injections=()), "the fault never began", 0, SEE),
    "fault failed": (
        seen(breaker(), injections=(fault(began=None, bit=False),)),
        "the fault never began",
        0,
        SEE,
    ),
    "open all along": (seen(breaker({0.0: OPEN})), NOT_CLOSED, 40, STEADY),
    "probe hung until the fault": (seen(missed(breaker(), "metrics", 0, 2)), NOT_CLOSED, 32, STEADY),
    "not looked at around the fault's beginning": (
        seen(without(breaker(), "metrics", 1, 3)),
        NOT_CLOSED,
        32,
        STEADY,
    ),
    "watched too shortly": (
        seen(breaker(SHUT, end_s=7.0)),
        f"{SHORT} 4.7 s with gaps up to 0.3 s",
        28,
        LONGER,
    ),
    "watched exactly as long as the limit": (
        seen(breaker(SHUT, end_s=7.25), injections=(fault(began=Interval(2.0, 2.0)),)),
        f"{SHORT} 5.0 s with gaps up to 0.2 s",
        29,
        LONGER,
    ),
    "probe hung for a second in the limit": (
        seen(missed(breaker(SHUT), "metrics", 3, 3.75)),
        f"{SHORT} 7.7 s with gaps up to 1.0 s",
        37,
        LONGER,
    ),
    "the state left the metrics for a while": (
        seen(
            readings.stepped(
                "metrics", {0.0: {"breaker.redis": CLOSED}, 3.0: {}, 6.0: {"breaker.redis": CLOSED}}
            )
        ),
        f"{SHORT} 7.7 s with gaps up to 3.2 s",
        28,
        LONGER,
    ),
    "no alert fell due": (
        seen(breaker(SHUT), attempts=(histories.attempt(0), histories.attempt(9))),
        "never seen open, but no alert was there to fail",
        40,
        NO_LOAD,
    ),
}


@pytest.mark.parametrize("name", BREAKER_UNDECIDED)
def test_a_breaker_that_was_not_watched_is_undecided(name: str) -> None:
    """Missing data neither passes nor convicts, and it is said what to change."""
    told, got, samples, mend = BREAKER_UNDECIDED[name]
    found = breaker_opens.check(told, within_s=5.0)
    assert replace(found, numbers={}) == Finding(Status.UNKNOWN, OPENS, got, samples, mend=mend)


def test_the_fault_and_the_component_are_chosen_by_name() -> None:
    """Of two faults the named one is timed, else the first; of two breakers the named one."""
    both = (
        fault(name="later", asked_at_s=4.0, began=Interval(4.0, 4.0625)),
        fault(name="sooner", asked_at_s=2.0),
    )
    two = seen(
        readings.stepped(
            "metrics",
            {
                0.0: {"breaker.redis": CLOSED, "breaker.k8s": CLOSED},
                3.0: {"breaker.redis": OPEN, "breaker.k8s": CLOSED},
                5.0: {"breaker.redis": OPEN, "breaker.k8s": OPEN},
            },
        ),
        injections=both,
    )
    assert breaker_opens.check(two, within_s=5.0).numbers == took()
    named = breaker_opens.check(two, within_s=5.0, component="k8s", fault="later")
    assert (named.wanted, named.numbers) == ("breaker of k8s open within 5 s", took())
    assert breaker_opens.check(two, within_s=5.0, fault="none").got == "the fault never began"


def test_the_plain_history_is_timed_as_its_builder_says() -> None:
    """Probes five times a second, breaker open at 2.4 s."""
    plain = histories.history()
    assert breaker_opens.check(plain, within_s=5.0).numbers == about(
        earliest_s=0.15, latest_s=0.41, limit_s=5.0
    )
