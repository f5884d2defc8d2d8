"""sentinel_promotes: timed from the fault's real beginning to the first answer that names another primary."""

from __future__ import annotations

import histories
import pytest
from readings import CLOSE, MARGINS, about, fault, missed, primary, ready, seen, took, without

from reports.criteria import sentinel_promotes
from reports.finding import Finding, Status
from reports.interval import Interval

PROMOTES = "another primary within 5 s"
NEW_AT_3 = {0.0: "a", 3.0: "b"}


@pytest.mark.parametrize(("limit_s", "status"), MARGINS)
def test_sentinel_promotes_at_the_margin(limit_s: float, status: Status) -> None:
    """The same rule for another primary."""
    assert sentinel_promotes.check(seen(primary(NEW_AT_3)), within_s=limit_s) == Finding(
        status,
        f"another primary within {limit_s:g} s",
        "in [0.69 s, 1.02 s]",
        40,
        mend=CLOSE if status is Status.UNKNOWN else "",
        numbers=took(limit_s),
    )


def test_a_primary_that_is_never_replaced_is_convicted() -> None:
    """It was lost, and watched, for longer than the limit."""
    long = (fault(ended=Interval(9.5, 9.6)),)
    assert sentinel_promotes.check(seen(primary({0.0: "a"}), injections=long), within_s=5.0) == Finding(
        Status.FAIL, PROMOTES, "still the same one after 7.4 s", 40
    )
    never_healed = (fault(ended=None),)
    assert sentinel_promotes.check(
        seen(primary({0.0: "a"}), injections=never_healed), within_s=5.0
    ) == Finding(Status.FAIL, PROMOTES, "still the same one after 7.7 s", 40)


def test_sentinels_that_are_silent_for_a_moment_do_not_matter() -> None:
    """A single missed answer widens the interval, no more."""
    found = sentinel_promotes.check(seen(missed(primary(NEW_AT_3), "sentinel", 2.75, 3.0)), within_s=5.0)
    assert (found.status, found.numbers) == (Status.PASS, took(at=Interval(0.4375, 1.015625)))


NAME = "name the Sentinels in the target's endpoints, and begin the fault later"
UNASKED, LENGTHEN = "no Sentinel answered just before the fault", "lengthen the fault to more than 5 s"
SENTINEL_UNDECIDED = {
    "no samples": (seen(ready()), UNASKED, 0, NAME),
    "every probe hung": (seen(missed(primary(NEW_AT_3), "sentinel", 0, 10)), UNASKED, 0, NAME),
    "probe hung until the fault": (seen(missed(primary(NEW_AT_3), "sentinel", 0, 2)), UNASKED, 32, NAME),
    "not looked at around the fault's beginning": (
        seen(without(primary(NEW_AT_3), "sentinel", 1, 3)),
        UNASKED,
        32,
        NAME,
    ),
    "fault never began": (
        seen(primary(NEW_AT_3), injections=(fault(began=None, ended=None),)),
        "the fault never began",
        0,
        "see fault_bit",
    ),
    "watched too shortly": (
        seen(without(primary({0.0: "a"}), "sentinel", 7.25, 10), injections=(fault(ended=None),)),
        "the same one, lost and watched for only 4.9 s",
        29,
        LENGTHEN,
    ),
    "watched exactly as long as the limit": (
        seen(
            without(primary({0.0: "a"}), "sentinel", 7.25, 10),
            injections=(fault(began=Interval(2.0, 2.0), ended=None),),
        ),
        "the same one, lost and watched for only 5.0 s",
        29,
        LENGTHEN,
    ),
    "a primary that came back within the limit": (
        seen(primary({0.0: "a"})),
        "the same one, lost and watched for only 2.9 s",
        40,
        LENGTHEN,
    ),
}


@pytest.mark.parametrize("name", SENTINEL_UNDECIDED)
def test_a_promotion_that_was_not_watched_is_undecided(name: str) -> None:
    """Missing data neither passes nor convicts; a primary that came back in time needs no successor."""
    told, got, samples, mend = SENTINEL_UNDECIDED[name]
    assert sentinel_promotes.check(told, within_s=5.0) == Finding(
        Status.UNKNOWN, PROMOTES, got, samples, mend=mend
    )


def test_the_plain_history_is_timed_as_its_builder_says() -> None:
    """Probes five times a second, another primary at 3 s."""
    assert sentinel_promotes.check(histories.history(), within_s=30.0).numbers == about(
        earliest_s=0.75, latest_s=1.01, limit_s=30.0
    )
