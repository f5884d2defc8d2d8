"""no_duplicates and no_unexpected, of the store; safe_rejections, of the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import attempt, history, resource, told
from test_criteria_loss import INNOCENT

from reports.criteria import no_duplicates, no_unexpected, safe_rejections
from reports.finding import Finding, Status
from reports.history import Outcome

DOUBLE, STRANGE = "1 RemediationRequest for each fingerprint", "0 RemediationRequests without an alert"
SAFE = "every refusal is one that Alertmanager retries"


@pytest.mark.parametrize("name", INNOCENT)
def test_the_innocent_leave_nothing_double_or_strange(name: str) -> None:
    """The other two criteria of the store agree."""
    innocent = INNOCENT[name][0]
    count = len(innocent.resources or ())
    assert no_duplicates.check(innocent) == Finding(Status.PASS, DOUBLE, "no second one", count)
    assert no_unexpected.check(innocent) == Finding(Status.PASS, STRANGE, "none", count)


def test_no_duplicates_names_the_twins() -> None:
    """Even in a reading that still moved: both were there at one time."""
    twins = replace(history(2), resources=(resource(1), resource(0), resource(0, name="rr-again")))
    guilty = Finding(
        Status.FAIL, DOUBLE, "1 with more than one", 3, ("rr-0000 and rr-again hold the same alert",)
    )
    assert no_duplicates.check(twins) == guilty
    assert no_duplicates.check(replace(twins, stable=False)) == guilty


def test_a_repeat_with_a_resource_of_its_own_is_a_duplicate() -> None:
    """Equal labels, two resources: by the creators' labels alone, should the pod label be cut."""
    repeat = (resource(0, subject=None), resource(1, subject=None))
    found = no_duplicates.check(told(attempt(0), attempt(1, subject=0), resources=repeat))
    assert found.examples == ("rr-0000 and rr-0001 hold the same alert",)


def test_a_storm_beside_a_single_resource_is_no_duplicate() -> None:
    """The storm lists a pod that had its own resource before."""
    storm = resource(9, name="storm", creator=None, subject=None, aggregated=(0, 1))
    assert no_duplicates.check(replace(history(2), resources=(resource(0), resource(1), storm))) == Finding(
        Status.PASS, DOUBLE, "no second one", 3
    )


def test_no_unexpected_names_what_nobody_sent() -> None:
    """By its id, its pod label, or a pod in a storm; numbers beyond the plan, too."""
    strange = told(
        attempt(0),
        attempt(1, Outcome.UNSENT),
        resources=(
            resource(0),
            resource(1, name="d"),
            resource(7, name="c", subject=0),
            resource(8, name="b", creator=None),
            resource(9, name="a", creator=None, subject=None, aggregated=(0, 1)),
        ),
    )
    assert no_unexpected.check(strange) == Finding(Status.FAIL, STRANGE, "4 of them", 5, ("a", "b", "c", "d"))


@pytest.mark.parametrize("resources", [None, ()])
def test_without_resources_the_store_is_not_judged(resources: tuple[()] | None) -> None:
    """Nothing read is nothing seen, be it that nobody asked or that nothing is there."""
    empty = replace(history(), resources=resources)
    for check, wanted in ((no_duplicates.check, DOUBLE), (no_unexpected.check, STRANGE)):
        assert check(empty) == Finding(
            Status.UNKNOWN, wanted, "no resource was read", 0, mend="see zero_loss"
        )


def test_a_store_that_still_moves_is_not_judged() -> None:
    """A second one may be on its way."""
    shaky = history(3, stable=False)
    for check, wanted in ((no_duplicates.check, DOUBLE), (no_unexpected.check, STRANGE)):
        assert check(shaky) == Finding(
            Status.UNKNOWN, wanted, "the last reading still moved", 3, mend="lengthen settle"
        )


def test_refusals_that_alertmanager_retries_are_safe() -> None:
    """503s, timeouts and alerts that were not sent are no unsafe refusals."""
    mixed = history(2, rejected_safe=3, indeterminate=1, unsent=1)
    assert safe_rejections.check(mixed) == Finding(Status.PASS, SAFE, "3 refused, all safely", 5)


def test_unsafe_refusals_are_named_by_status() -> None:
    """In order of their numbers, whatever the order of the record."""
    bad = [
        attempt(4, Outcome.REJECTED, kind="unsafe", status=400, detail="HTTP 400"),
        attempt(3, Outcome.REJECTED, kind="unsafe", status=429, detail="HTTP 429"),
        attempt(2, Outcome.REJECTED, kind="unsafe", status=429, detail="HTTP 429"),
        attempt(1, Outcome.REJECTED),
        attempt(0),
    ]
    expected = Finding(
        Status.FAIL,
        SAFE,
        "3 refused unsafely (2 with 429, 1 with 400)",
        5,
        tuple(
            f"k3x9-000000{n}: due {n}.000 s, answered {status} HTTP {status}"
            for n, status in ((2, 429), (3, 429), (4, 400))
        ),
    )
    assert safe_rejections.check(told(*bad, resources=())) == expected
    assert safe_rejections.check(told(*reversed(bad), resources=())) == expected


def test_without_an_answer_no_refusal_is_judged() -> None:
    """Timeouts and refused connections answer nothing."""
    silent = history(0, indeterminate=2, unsent=2)
    assert safe_rejections.check(silent) == Finding(
        Status.UNKNOWN, SAFE, "nothing was answered", 0, mend="check that the Gateway is reachable"
    )


def test_a_2xx_that_takes_nothing_is_an_unsafe_refusal() -> None:
    """Alertmanager believes the status, not the body."""
    liar = told(attempt(0, Outcome.REJECTED, kind="unsafe", status=200), resources=(resource(0),))
    assert safe_rejections.check(liar).got == "1 refused unsafely (1 with 200)"
