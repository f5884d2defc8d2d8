"""Criteria for storms: nothing stays buffered, windows expire, and a restart neither loses nor splits one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories
import pytest
from plan_histories import (
    FAIL,
    PASS,
    UNKNOWN,
    answer,
    blind,
    check,
    metrics,
    never_began,
    scraped,
    steps,
)

from reports.finding import Status
from reports.history import History, Resource


def storm(*numbers: int, window: str = "w-1", name: str = "rr-storm-1") -> Resource:
    """Return an aggregated resource of these alerts."""
    return Resource(name, f"uid-{name}", None, None, numbers, len(numbers), window)


def stormy(*resources: Resource, aggregated: bool = True, **more: Any) -> History:
    """Return a run of ten alerts a second apart, all of a phase "storm", that were answered as aggregated."""
    plain = histories.history(10, **more)
    kind = "aggregated" if aggregated else "created"
    attempts = tuple(replace(a, phase="storm", kind=kind) for a in plain.attempts)
    return replace(plain, attempts=attempts, resources=resources)


WHOLE = storm(*range(10))


@pytest.mark.parametrize(
    ("resources", "status", "got"),
    [
        ((WHOLE,), PASS, "0 of 10 in none"),
        (tuple(histories.resource(n) for n in range(10)), PASS, "0 of 10 in none"),
        ((storm(0, 1, 2), *(histories.resource(n) for n in range(3, 10))), PASS, "0 of 10 in none"),
        ((storm(*range(9)),), FAIL, "1 of 10 in none"),
        ((), FAIL, "10 of 10 in none"),
        # Another's occurrence count covers no alert that has labels of its own.
        ((storm(*range(9)), histories.resource(0, name="rr-x", count=9)), FAIL, "1 of 10 in none"),
    ],
)
def test_every_alert_is_created(resources: tuple[Resource, ...], status: Status, got: str) -> None:
    """Each acknowledged alert's own id stands in a resource of its own, or in an aggregated one."""
    assert answer("all_created", stormy(*resources)) == (status, got)


def test_a_buffered_alert_is_named() -> None:
    """By the id, and what it was answered."""
    assert check("all_created", stormy(storm(*range(9)))).examples == (
        "k3x9-0000009: answered 201 aggregated at 9.020 s, in no RemediationRequest",
    )


def test_a_duplicate_needs_no_resource_of_its_own() -> None:
    """The count of its labels' resource covers it, as far as it goes."""
    told = stormy(*(histories.resource(n, count=2 if n == 0 else 1) for n in range(9)))
    repeat = replace(told.attempts[9], subject=0, kind="duplicate")

    assert answer("all_created", replace(told, attempts=(*told.attempts[:9], repeat)))[0] is PASS
    bare = tuple(histories.resource(n) for n in range(9))
    again = replace(told, attempts=(*told.attempts[:9], repeat), resources=bare)
    assert answer("all_created", again) == (FAIL, "1 of 10 in none")


def test_creation_that_is_not_known_is_unknown() -> None:
    """No truth, a truth that moves, nothing acknowledged."""
    assert answer("all_created", replace(stormy(WHOLE), resources=None))[0] is UNKNOWN
    assert answer("all_created", stormy(storm(0), stable=False))[0] is UNKNOWN
    assert answer("all_created", replace(stormy(WHOLE), attempts=()))[0] is UNKNOWN


def test_an_expiration_is_counted() -> None:
    """After the fault began; before it, it proves nothing."""
    assert answer("expiry_counted", scraped("buffer.expired", steps((2.6, 1)))) == (
        PASS,
        "1, the first by 2.61 s",
    )
    assert answer("expiry_counted", scraped("buffer.expired", steps((1.0, 1)))) == (FAIL, "none in 7.8 s")
    assert answer("expiry_counted", scraped("buffer.expired", steps())) == (FAIL, "none in 7.8 s")


def test_an_expiration_that_nobody_could_count_is_unknown() -> None:
    """Not mapped, not watched, nothing waiting, no fault."""
    told = scraped("buffer.expired", steps())

    assert answer("expiry_counted", histories.history()) == (UNKNOWN, "the counter was in no sample")
    assert answer("expiry_counted", blind(told, 3.0, 10.0))[0] is UNKNOWN
    assert answer("expiry_counted", replace(told, attempts=told.attempts[3:]))[0] is UNKNOWN
    assert answer("expiry_counted", replace(told, **never_began())) == (UNKNOWN, "the fault never began")


@pytest.mark.parametrize(
    ("resources", "opened", "status", "got"),
    [
        ((storm(0, 1), storm(7, 8, window="w-2", name="rr-2")), 0, PASS, "1 new beside 1 from before"),
        ((storm(0, 1), storm(7, 8, name="rr-2")), 0, FAIL, "alerts from before and after share 1"),
        ((storm(0, 1, 7, 8, window=""),), 0, FAIL, "alerts from before and after share 1"),
        ((histories.resource(0), histories.resource(7)), 1, PASS, "1 opened after the fault began"),
        (
            (histories.resource(0), histories.resource(7)),
            0,
            UNKNOWN,
            "none was opened, and no old one joined",
        ),
    ],
)
def test_a_late_alert_joins_no_old_window(
    resources: tuple[Resource, ...], opened: int, status: Status, got: str
) -> None:
    """By the windows of the resources, or by the counter; a few late alerts that open none are innocent."""
    told = stormy(*resources, observations=metrics(lambda at_s: {"windows_opened": opened * (at_s >= 6.0)}))

    assert answer("new_window", told) == (status, got)


@pytest.mark.parametrize(("again_s", "status"), [(8.0, PASS), (2.4, UNKNOWN), (99.0, UNKNOWN)])
def test_a_few_late_alerts_had_a_buffer_of_their_own_if_it_expires(again_s: float, status: Status) -> None:
    """The old one expires as the fault begins; another expiration after the late alert of 7 s is its own."""

    def expired(at_s: float) -> dict[str, float]:
        return {"windows_opened": 0.0, "buffer.expired": float(at_s >= 2.2) + float(at_s >= again_s)}

    told = stormy(histories.resource(0), histories.resource(7), observations=metrics(expired))
    late = (*told.attempts[:2], told.attempts[7])

    assert answer("new_window", replace(told, attempts=late))[0] is status


def test_a_window_that_is_not_known_is_unknown() -> None:
    """Nothing to look at, no alerts on one side, no fault."""
    told = stormy(histories.resource(0), histories.resource(7))
    nothing = "neither window ids nor their counter are known"

    assert answer("new_window", told) == (UNKNOWN, nothing)
    assert answer("new_window", replace(told, attempts=told.attempts[:2]))[0] is UNKNOWN
    assert answer("new_window", replace(told, attempts=told.attempts[3:]))[0] is UNKNOWN
    assert answer("new_window", replace(told, **never_began())) == (UNKNOWN, "the fault never began")


def test_a_storm_in_one_window() -> None:
    """Before and after the kill; the first alerts, from before it was a storm, have their own."""
    early = stormy(histories.resource(0), storm(*range(1, 10)))
    own = replace(early.attempts[0], kind="created")

    assert answer("same_window", stormy(WHOLE)) == (PASS, "one, for 10 alerts (2 before, 7 after)")
    assert answer("same_window", replace(early, attempts=(own, *early.attempts[1:])))[0] is PASS


def test_a_storm_in_two_windows_is_convicted() -> None:
    """Two windows, be it in two resources; or an alert of the storm in none."""
    two = stormy(storm(*range(4)), storm(*range(4, 10), window="w-2", name="rr-2"))
    single = stormy(storm(*range(9)), histories.resource(9))

    assert answer("same_window", two) == (FAIL, "2 windows, and 0 of 10 alerts in no aggregated resource")
    assert check("same_window", two).examples == ("window w-1", "window w-2")
    assert answer("same_window", single) == (FAIL, "1 windows, and 1 of 10 alerts in no aggregated resource")


def test_a_storm_s_window_that_is_not_known_is_unknown() -> None:
    """No annotation, no truth, no storm, a storm over before the fault, no fault."""
    told = stormy(WHOLE)

    assert answer("same_window", stormy(storm(*range(10), window="")))[0] is UNKNOWN
    assert answer("same_window", replace(told, resources=None))[0] is UNKNOWN
    assert answer("same_window", replace(told, stable=False))[0] is UNKNOWN
    assert answer("same_window", told, phase="other")[0] is UNKNOWN
    assert answer("same_window", replace(told, attempts=told.attempts[:2]))[0] is UNKNOWN
    assert answer("same_window", replace(told, **never_began()))[0] is UNKNOWN


@pytest.mark.parametrize(
    ("resources", "status", "got"),
    [
        ((WHOLE,), PASS, "rr-storm-1, holding 10 of 10 acknowledged alerts"),
        (
            (histories.resource(0), storm(*range(1, 10))),
            PASS,
            "rr-storm-1, holding 9 of 10 acknowledged alerts",
        ),
        ((storm(0, 1), storm(*range(2, 10), name="rr-2")), FAIL, "2 for 10 alerts"),
        (tuple(histories.resource(n) for n in range(10)), FAIL, "0 for 10 alerts"),
    ],
)
def test_a_storm_has_one_resource(resources: tuple[Resource, ...], status: Status, got: str) -> None:
    """Exactly one that is aggregated; what came before the storm may have its own."""
    assert answer("one_aggregated", stormy(*resources)) == (status, got)


def test_a_storm_s_resource_that_is_not_known_is_unknown() -> None:
    """No truth, a moving one, no storm."""
    assert answer("one_aggregated", replace(stormy(WHOLE), resources=None))[0] is UNKNOWN
    assert answer("one_aggregated", stormy(WHOLE, stable=False))[0] is UNKNOWN
    assert answer("one_aggregated", stormy(WHOLE), phase="other")[0] is UNKNOWN
