"""metrics_continuous and fallback_seen: what the Gateway says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories
import pytest
from histories import attempt
from readings import E, breaker, counter, fault, missed, seen, stepped, without

from reports.criteria import fallback_seen, metrics_continuous
from reports.finding import Finding, Status
from reports.history import History, Observation, Outcome
from reports.signals import CLOSED

CONTINUOUS = "no more than 2 s between two good scrapes"
FALLBACK = "fallbacks counted, and alerts acknowledged while the cache was away"
# Nine good scrapes are missing: from the answer at 2.516 s to that at 5.016 s.
GAP_S = 2.5
GAP = missed(breaker(), "metrics", 2.75, 5.0)


@pytest.mark.parametrize(
    ("limit_s", "status"),
    [(GAP_S - E, Status.FAIL), (GAP_S, Status.PASS), (GAP_S + E, Status.PASS)],
)
def test_metrics_continuous_at_the_margin(limit_s: float, status: Status) -> None:
    """The longest time without a good scrape against the limit; all tried scrapes of it are examples."""
    tried = tuple(
        f"asked at {2.75 + k / 4:.2f} s, gave up at {2.75 + k / 4 + 1 / 64:.2f} s: refused" for k in range(9)
    )
    convicted = status is Status.FAIL
    assert metrics_continuous.check(seen(GAP), max_gap_s=limit_s) == Finding(
        status,
        f"no more than {limit_s:g} s between two good scrapes",
        "longest 2.50 s, from 2.5 s on; 9 of 40 failed",
        40 if convicted else 31,
        tried if convicted else (),
        numbers={"longest_gap_s": GAP_S},
    )


@pytest.mark.parametrize("from_s", [0.0, 4.0, 9.75])
def test_a_single_missed_scrape_is_innocent(from_s: float) -> None:
    """At the beginning, in the middle and at the end."""
    found = metrics_continuous.check(seen(missed(breaker(), "metrics", from_s, from_s + 0.2)))
    assert (found.status, found.samples, found.examples) == (Status.PASS, 39, ())


def test_metrics_that_are_never_there_are_convicted() -> None:
    """They were asked for all the time."""
    found = metrics_continuous.check(seen(missed(breaker(), "metrics", 0, 10)))
    assert (found.status, found.got, found.samples) == (
        Status.FAIL,
        "longest 10.00 s, from 0.0 s on; 40 of 40 failed",
        40,
    )


STILL = "the prober itself stood still; give the generator a free core, and let the run end by itself"
LAST = "let the run last longer"
UNDECIDED = {
    "no samples": (seen(), "0 good scrapes", 0, LAST, 0.0),
    "the prober stood still": (
        seen(without(breaker(), "metrics", 2.75, 5.0)),
        "longest 2.50 s, from 2.5 s on; 0 of 31 failed",
        31,
        STILL,
        2.5,
    ),
    "the prober stood still after a single missed scrape": (
        seen(without(missed(breaker(), "metrics", 2.75, 3.0), "metrics", 3.0, 5.0)),
        "longest 2.50 s, from 2.5 s on; 1 of 32 failed",
        31,
        STILL,
        2.5,
    ),
    "the prober stood still in a scrape, and gave it up when it went on": (
        seen(
            (*without(breaker(), "metrics", 2.75, 5.0), Observation("metrics", 2.75, 5.0, False, {}, "none"))
        ),
        "longest 2.50 s, from 2.5 s on; 0 of 31 failed",
        31,
        STILL,
        2.5,
    ),
    "watched too shortly": (
        seen(breaker(end_s=7.0)),
        "longest 3.23 s, from 6.8 s on; 0 of 28 failed",
        28,
        STILL,
        3.234375,
    ),
    "looked at too late": (
        seen(without(breaker(), "metrics", 0, 2.5)),
        "longest 2.52 s, from 0.0 s on; 0 of 30 failed",
        30,
        STILL,
        2.515625,
    ),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_metrics_that_nobody_asked_for_are_undecided(name: str) -> None:
    """The Gateway is not to blame for what the prober did not ask."""
    told, got, samples, mend, gap_s = UNDECIDED[name]
    numbers = {"longest_gap_s": gap_s} if gap_s else {}
    assert metrics_continuous.check(told) == Finding(
        Status.UNKNOWN, CONTINUOUS, got, samples, mend=mend, numbers=numbers
    )


def test_no_good_scrape_never_passes() -> None:
    """A limit longer than the run excuses a gap, but not that nothing was ever seen."""
    nothing = seen(missed(breaker(), "metrics", 0, 10))
    assert metrics_continuous.check(nothing, max_gap_s=60.0).status is Status.UNKNOWN


def away(steps: dict[float, float] | None = None, **changes: Any) -> History:
    """Return a history with the breaker open from 2.5 s to 5.75 s, and a counter of fallbacks."""
    return seen(counter("fallbacks", steps or {0.0: 0, 2.5: 1, 3.75: 2}), **changes)


def of(status: Status, got: str, samples: int = 40, mend: str = "") -> Finding:
    return Finding(status, FALLBACK, got, samples, mend=mend)


INNOCENT = {
    "counted": away(),
    "a counter that is absent until it counts": away({0.0: -1, 2.5: 1}),
    "a counter that a restart reset": away({0.0: 9, 3.0: 1}),
    "a single missed scrape": replace(away(), observations=missed(away().observations, "metrics", 2.5, 2.7)),
    "a fallback in the last scrape": away({0.0: 0, 9.75: 1}),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_fallbacks_that_are_counted_while_alerts_are_acknowledged_pass(name: str) -> None:
    """Alerts of 2.5 s, 3.75 s and 5 s were acknowledged until the last scrape of the open breaker, and
    more of them if the last fallback was later."""
    acked, samples = {"a single missed scrape": (3, 39), "a fallback in the last scrape": (6, 40)}.get(
        name, (3, 40)
    )
    assert fallback_seen.check(INNOCENT[name]) == of(
        Status.PASS, f"counted, {acked} acknowledged meanwhile", samples
    )


def test_without_an_open_breaker_the_counter_alone_tells() -> None:
    """Short of opening: the cache was away until the last fallback was counted."""
    shut = {"breaker.redis": CLOSED}
    brief = stepped("metrics", {0.0: {**shut, "fallbacks": 0}, 2.75: {**shut, "fallbacks": 1}})
    assert fallback_seen.check(seen(brief)) == of(Status.PASS, "counted, 1 acknowledged meanwhile")


def test_a_gateway_that_does_not_count_is_convicted() -> None:
    """Its breaker was open, alerts were acknowledged, and nothing was counted."""
    assert fallback_seen.check(away({0.0: 4})) == of(Status.FAIL, "none counted, 3 acknowledged meanwhile")


def test_a_gateway_that_counts_and_acknowledges_nothing_is_convicted() -> None:
    """All alerts of that time were refused."""
    attempts = [
        attempt(n, Outcome.REJECTED if 2 <= due_s <= 6 else Outcome.ACKED, due_s=due_s)
        for n, due_s in enumerate((0.0, 1.25, 2.5, 3.75, 5.0, 6.25))
    ]
    assert fallback_seen.check(away(attempts=tuple(attempts))) == of(
        Status.FAIL, "counted, 0 acknowledged meanwhile"
    )


MAP, UP = (
    "map metrics.fallbacks in the target file to what the Gateway exposes",
    "begin the fault later, and keep /metrics up",
)
RATE = "raise the rate, so that alerts fall due while the cache is away"
SHORT = "lengthen the fault; map the breaker's state in the target file"
ABSENT, UNREAD = "the counter was in no sample", "the counter was not read just before the fault"
NOTHING, IDLE = "nothing shows that the cache was away", "no alert was answered while the cache was away"
SLOW = tuple(
    attempt(n, Outcome.REJECTED if n == 0 else Outcome.ACKED, due_s=3.0 + n, done_s=(4.0, 9.0)[n])
    for n in range(2)
)
FALLBACK_UNDECIDED = {
    "no samples": (seen(), ABSENT, 0, MAP),
    "metric absent": (seen(breaker()), ABSENT, 0, MAP),
    "every probe hung": (seen(missed(away().observations, "metrics", 0, 10)), ABSENT, 0, MAP),
    "fault never began": (away(injections=(fault(began=None),)), "the fault never began", 0, "see fault_bit"),
    "hung until the fault": (seen(missed(away().observations, "metrics", 0, 2)), UNREAD, 32, UP),
    "not looked at around the fault's beginning": (
        seen(without(away().observations, "metrics", 1, 3)),
        UNREAD,
        32,
        UP,
    ),
    "hung from the fault on": (seen(missed(away().observations, "metrics", 2, 10)), NOTHING, 8, SHORT),
    "neither breaker nor counter moved": (
        seen(stepped("metrics", {0.0: {"breaker.redis": CLOSED, "fallbacks": 3.0}})),
        NOTHING,
        40,
        SHORT,
    ),
    "no alert while it was away": (away(attempts=(attempt(0), attempt(9))), IDLE, 40, RATE),
    "acknowledged only after it was back": (
        away(attempts=SLOW),
        "counted, 0 acknowledged meanwhile, but 1 later",
        40,
        "lengthen the fault",
    ),
}


@pytest.mark.parametrize("name", FALLBACK_UNDECIDED)
def test_fallbacks_that_could_not_be_seen_are_undecided(name: str) -> None:
    """Missing data neither passes nor convicts, and it is said what to change."""
    told, got, samples, mend = FALLBACK_UNDECIDED[name]
    assert fallback_seen.check(told) == of(Status.UNKNOWN, got, samples, mend)


def test_a_breaker_that_nobody_saw_closing_leaves_it_away_no_longer_than_seen() -> None:
    """Scraped until 3 s only: the alert of 2.5 s is all that was acknowledged for sure while it was away."""
    cut = seen(missed(away().observations, "metrics", 3.25, 10))
    assert fallback_seen.check(cut) == of(Status.PASS, "counted, 1 acknowledged meanwhile", 13)


def test_a_fallback_that_was_counted_in_a_long_blind_time_vouches_for_its_beginning_only() -> None:
    """Not scraped from 4 s to 7 s; it may have been counted at any time in between."""
    shut = {"breaker.redis": CLOSED}
    late = stepped("metrics", {0.0: {**shut, "fallbacks": 0}, 4.0: {**shut, "fallbacks": 1}})
    found = fallback_seen.check(seen(without(late, "metrics", 4.0, 7.0)))
    assert found == of(Status.PASS, "counted, 1 acknowledged meanwhile", 28)


def test_the_plain_history_counts_fallbacks() -> None:
    """One of its three alerts falls due while the cache is away."""
    assert fallback_seen.check(histories.history()) == of(
        Status.PASS, "counted, 1 acknowledged meanwhile", 50
    )
    assert metrics_continuous.check(histories.history()).numbers["longest_gap_s"] == pytest.approx(0.2)
