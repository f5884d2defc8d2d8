"""Criteria for a Kubernetes API that answers 429: queue and cache are used, waits grow, the breaker opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import histories
import pytest
from plan_histories import FAIL, PASS, UNKNOWN, answer, blind, check, metrics, never_began, seen

from reports.finding import Status
from reports.history import History, PhaseSpan
from reports.interval import Interval

STEPS = [1, 2, 4, 8, 16]
BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, float("inf"))


def throttled(waits: list[tuple[float, float]], for_s: float = 40.0, **more: float) -> History:
    """Return a run of 60 s with a fault from [2.00, 2.05] for ``for_s`` seconds, in which waits (at, for how
    long) were counted, beside other metrics that stay as they are."""

    def values(at_s: float) -> dict[str, float]:
        made = [long_s for begin_s, long_s in waits if begin_s <= at_s]
        return {f"k8s_backoff.{b:g}": float(sum(w <= b for w in made)) for b in BUCKETS} | more

    end = Interval(2.0 + for_s, 2.05 + for_s)
    return histories.history(
        60,
        observations=metrics(values, end_s=60.0),
        injections=(histories.injection(asked_for_s=for_s, ended=end),),
        run_changes={"phases": (PhaseSpan("all", 0.0, 60.0),)},
    )


def test_waits_that_double_are_growth() -> None:
    """1, 2, 4, 8 and 16 s, each in its bucket and after the former."""
    told = throttled([(2.5, 1), (3.6, 2), (5.8, 4), (10.0, 8), (18.4, 16), (35.0, 16)])

    assert answer("backoff_grows", told, steps=STEPS) == (
        PASS,
        "seen: 1 s at 2.6 s, 2 s at 3.6 s, 4 s at 5.8 s, 8 s at 10.0 s, 16 s at 18.4 s",
    )


@pytest.mark.parametrize(
    "waits",
    [
        [(2.5, 0.7), (3.2, 1.6), (4.8, 3.1), (8.0, 6.2), (14.0, 12.9)],  # jitter below the step
        [
            (2.5, 0.7),
            (3.2, 0.9),
            (4.8, 3.1),
            (8.0, 6.2),
            (14.0, 12.9),
        ],  # the second looks as the first
        [(2.5, 1), (3.6, 2), (5.8, 4), (10.0, 8), (18.4, 16), (30.0, 1), (31.0, 2)],  # begun again
        [(2.6, 1), (2.6, 2), (2.6, 4), (10.0, 8), (18.4, 16)],  # between two looks: no order can be told
    ],
)
def test_jitter_and_a_second_row_are_innocent(waits: list[tuple[float, float]]) -> None:
    """What a right Gateway may do."""
    assert answer("backoff_grows", throttled(waits), steps=STEPS)[0] is PASS


@pytest.mark.parametrize(
    ("waits", "got"),
    [
        ([(2.5 + k, 1) for k in range(30)], "seen: 1 s at 2.6 s; never 2 s, 4 s, 8 s"),
        ([], "none was counted; never 1 s, 2 s, 4 s, 8 s"),
        ([(2.5, 16), (18.0, 16)], "seen: 16 s at 2.6 s, and 1 s never"),
        ([(2.5, 1), (3.5, 16)], "seen: 1 s at 2.6 s, 16 s at 3.6 s; never 2 s, 4 s"),
        ([(2.5, 1), (3.6, 4), (8, 2)], "seen: 1 s at 2.6 s, 2 s at 8.0 s, 4 s at 3.6 s; 4 s came before 2 s"),
        ([(2.5, 1), (3.6, 2), (8, 33)], "seen: 1 s at 2.6 s, 2 s at 3.6 s; a wait of more than 32 s"),
    ],
)
def test_waits_that_do_not_grow_are_convicted(waits: list[tuple[float, float]], got: str) -> None:
    """Flat, none, constant, a jump, a wrong order, without end; for 16 s there is no certain room."""
    assert answer("backoff_grows", throttled(waits), steps=STEPS) == (FAIL, got)


def test_a_fault_too_short_for_a_step_names_it() -> None:
    """Twelve seconds hold 1, 2 and 4 s; a step that could have come is missed all the same."""
    short = throttled([(2.5, 1), (3.6, 2), (5.8, 4)], for_s=12.0)
    flat = throttled([(2.5, 1)], for_s=12.0)
    seen_3 = "seen: 1 s at 2.6 s, 2 s at 3.6 s, 4 s at 5.8 s"

    assert answer("backoff_grows", short, steps=STEPS) == (
        UNKNOWN,
        f"{seen_3}; the fault was too short for 8 s, 16 s",
    )
    assert answer("backoff_grows", flat, steps=STEPS) == (FAIL, "seen: 1 s at 2.6 s; never 2 s")


def test_a_retry_after_needs_more_time() -> None:
    """Where the API asks for 10 s, each wait is at least as long: five of them do not fit into 40 s."""
    told = throttled([(2.5, 1), (12.6, 2), (22.7, 4)])

    assert answer("backoff_grows", told, steps=STEPS, retry_after_s=10.0)[0] is UNKNOWN
    assert answer("backoff_grows", told, steps=STEPS)[0] is FAIL


def test_growth_that_nobody_could_see_is_unknown() -> None:
    """No buckets, buckets too coarse, no scrapes, no alerts, no fault."""
    told = throttled([(2.5, 1)])
    coarse = seen(lambda at_s: {"k8s_backoff.30": at_s, "k8s_backoff.inf": at_s})
    idle = replace(told, attempts=(histories.attempt(0),))

    assert answer("backoff_grows", histories.history(), steps=STEPS) == (
        UNKNOWN,
        "its buckets are in no sample",
    )
    assert answer("backoff_grows", coarse, steps=STEPS)[1] == "its buckets do not tell these steps apart"
    assert answer("backoff_grows", blind(throttled([]), 0.0, 60.0), steps=STEPS)[0] is UNKNOWN
    assert answer("backoff_grows", blind(throttled([]), 2.0, 60.0), steps=STEPS)[0] is UNKNOWN
    assert answer("backoff_grows", idle, steps=STEPS)[1] == "no alert fell due while the fault was on"
    assert answer("backoff_grows", replace(told, **never_began()), steps=STEPS)[0] is UNKNOWN


def breaker(opens_s: float, tenth_s: float, errors: float = 12.0) -> History:
    """Return a run of 10 s in which errors grow from 2.2 s on to the tenth, and the breaker opens once."""

    def values(at_s: float) -> Mapping[str, float]:
        counted = 0.0 if at_s < 2.2 else errors if at_s >= tenth_s else min(9.0, errors)
        return {"breaker.kubernetes": 2.0 if at_s >= opens_s else 0.0, "k8s_errors.429": counted}

    return seen(values)


@pytest.mark.parametrize(
    ("opens_s", "within_s", "status", "got"),
    [
        (3.2, 10.0, PASS, "in [0.00 s, 0.21 s]"),
        (3.8, 1.0, PASS, "in [0.39 s, 0.81 s]"),
        (4.2, 1.0, UNKNOWN, "in [0.79 s, 1.21 s]"),  # too close to call
        (4.6, 1.0, FAIL, "in [1.19 s, 1.61 s]"),
        (2.4, 1.0, PASS, "in [0.00 s, 0.00 s]"),  # sooner is better
    ],
)
def test_a_breaker_is_timed_from_the_tenth_error(
    opens_s: float, within_s: float, status: Status, got: str
) -> None:
    """The tenth error lies between the samples of 3.0 s and 3.2 s; both errors are in the interval."""
    told = breaker(opens_s, 3.2)

    assert answer("breaker_opens_after_errors", told, within_s=within_s) == (
        status,
        got,
    )


def test_a_breaker_that_stays_shut_is_convicted_only_where_it_had_its_time() -> None:
    """Within the fault; after it, nothing fails any more."""
    shut = breaker(99.0, 3.2)

    assert answer("breaker_opens_after_errors", shut, within_s=1.0) == (FAIL, "still not open after 1.8 s")
    assert answer("breaker_opens_after_errors", shut, within_s=3.0)[0] is UNKNOWN
    assert answer("breaker_opens_after_errors", blind(shut, 3.4, 4.8), within_s=1.0)[0] is UNKNOWN


def test_a_breaker_that_needed_fewer_errors_keeps_the_promise() -> None:
    """Once it is open, ten errors may never come; but without any error it opened for something else."""
    assert answer("breaker_opens_after_errors", breaker(3.0, 9.0, errors=3.0), within_s=10.0) == (
        PASS,
        "open at 3.01 s, with no more than 3 errors",
    )
    assert answer("breaker_opens_after_errors", breaker(3.0, 9.0, errors=0.0), within_s=10.0)[0] is UNKNOWN


def test_a_breaker_that_nobody_saw_is_unknown() -> None:
    """Not enough errors, open from the start, not mapped, no fault."""
    told = breaker(99.0, 3.2)
    few = "only 4 of 10 errors were counted"
    early = "the breaker was not seen closed before the fault"
    nothing = "breaker or errors were in no sample"

    assert answer("breaker_opens_after_errors", breaker(99.0, 9.9, errors=4.0), within_s=1.0) == (
        UNKNOWN,
        few,
    )
    assert answer("breaker_opens_after_errors", breaker(0.0, 3.2), within_s=1.0) == (UNKNOWN, early)
    assert answer("breaker_opens_after_errors", histories.history(), within_s=1.0) == (UNKNOWN, nothing)
    assert answer("breaker_opens_after_errors", replace(told, **never_began()), within_s=1.0)[0] is UNKNOWN


def lookups(hits: float, checks: float, fallbacks: float = 0.0) -> History:
    """Return a run with so many lookups from 3 s on, on top of what was counted before it."""
    more = {
        "dedup_hits": (100.0, hits),
        "k8s_queries.dedup_check": (40.0, checks),
        "k8s_queries.dedup_fallback": (0.0, fallbacks),
        "k8s_queries.create": (0.0, 1000.0),
    }
    return seen(lambda at_s: {key: base + n * (at_s >= 3.0) for key, (base, n) in more.items()})


@pytest.mark.parametrize(
    ("told", "status", "got"),
    [
        (lookups(6, 4), PASS, "60.0%: 6 hits, 4 questions to the API"),
        (lookups(5, 5), PASS, "50.0%: 5 hits, 5 questions to the API"),
        (lookups(5, 4, 2), FAIL, "45.5%: 5 hits, 6 questions to the API"),
        (lookups(0, 1), FAIL, "0.0%: 0 hits, 1 questions to the API"),
        (lookups(0, 0), UNKNOWN, "nothing was looked up"),
        (seen(lambda at_s: {"dedup_hits": at_s}), UNKNOWN, "hits or questions were in no sample"),
        (seen(lambda at_s: {"k8s_queries.dedup_check": 1}), UNKNOWN, "hits or questions were in no sample"),
    ],
)
def test_the_cache_s_share(told: History, status: Status, got: str) -> None:
    """Half is enough; other questions to the API do not count, nor does what was before the run."""
    assert answer("cache_spares_api", told, at_least=0.5) == (status, got)


def test_the_share_is_a_number_of_the_finding() -> None:
    """So that reports can show it."""
    assert check("cache_spares_api", lookups(6, 4)).numbers == {"share": 0.6, "hits": 6.0, "queries": 4.0}
