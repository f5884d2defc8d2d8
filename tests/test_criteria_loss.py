"""zero_loss: what was acknowledged is read back by its id, or covered by a count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import attempt, history, resource, told

from reports.criteria import zero_loss
from reports.finding import Finding, Status
from reports.history import Outcome

LOSS = "0 acknowledged alerts lost"
FOREIGN = resource(0, name="somebody-elses", uid="x", creator=None, subject=None, count=9)


def lost(count: int, acked: int) -> dict[str, float]:
    return {"lost": float(count), "acked": float(acked)}


UNSENT_FIRST = told(
    attempt(0, Outcome.UNSENT),
    attempt(1, subject=0),
    # The pod label carries the id of the first alert with these labels, which never went out.
    resources=(resource(1, subject=0),),
)
UNSENT_FIRST_AGGREGATED = told(
    attempt(0, Outcome.UNSENT),
    attempt(1, subject=0, kind="aggregated"),
    attempt(2, kind="aggregated"),
    resources=(resource(0, name="storm", creator=None, subject=None, aggregated=(0, 2)),),
)
INNOCENT = {
    "a timeout whose resource turns up": (
        replace(history(2, indeterminate=1), resources=tuple(resource(n) for n in range(3))),
        "0 of 2 lost; 1 of 1 indeterminate ones turned up",
        2,
    ),
    "timeouts whose resource never does": (
        history(2, indeterminate=3),
        "0 of 2 lost; 0 of 3 indeterminate ones turned up",
        2,
    ),
    "clean 503s through the fault": (history(4, rejected_safe=9), "0 of 4 lost", 4),
    "refused, and taken all the same": (
        replace(history(2, rejected_safe=1), resources=tuple(resource(n) for n in range(3))),
        "0 of 2 lost",
        2,
    ),
    "never sent": (history(2, unsent=3), "0 of 2 lost", 2),
    "a retried alert with one resource and a higher count": (
        told(attempt(0), attempt(1), resources=(resource(0, count=3), resource(1))),
        "0 of 2 lost",
        2,
    ),
    "a repeat that is covered by its count": (
        told(attempt(0), attempt(1, subject=0, kind="duplicate"), resources=(resource(0, count=2),)),
        "0 of 2 lost",
        2,
    ),
    "resources of others in the namespace": (
        replace(history(2), resources=(resource(0), resource(1), FOREIGN, replace(FOREIGN, name="b"))),
        "0 of 2 lost",
        2,
    ),
    "a repeat whose first alert was never sent": (UNSENT_FIRST, "0 of 1 lost", 1),
    "an aggregated repeat whose first alert was never sent": (UNSENT_FIRST_AGGREGATED, "0 of 2 lost", 2),
    "a resource that keeps no id and no count": (
        told(attempt(0), resources=(resource(0, creator=None),)),
        "0 of 1 lost",
        1,
    ),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_zero_loss_does_not_convict_the_innocent(name: str) -> None:
    """Only what was acknowledged can be lost, and an id or a count that covers it is proof of it."""
    innocent, got, acked = INNOCENT[name]
    assert zero_loss.check(innocent) == Finding(Status.PASS, LOSS, got, acked, numbers=lost(0, acked))


def test_zero_loss_names_the_lost() -> None:
    """Each with the story of its sending."""
    story = (
        "k3x9-0000001: due 3.333 s (chaos), answered 201 created at 3.353 s, in no RemediationRequest",
        "k3x9-0000002: due 6.667 s (recovery), answered 201 created at 6.687 s, in no RemediationRequest",
    )
    assert zero_loss.check(history(3, lost=(1, 2))) == Finding(
        Status.FAIL, LOSS, "2 of 3 lost", 3, story, numbers=lost(2, 3)
    )


GUILTY = {
    "a duplicate that was acknowledged and not counted": (
        told(attempt(0), attempt(1, subject=0, kind="duplicate"), resources=(resource(0, count=1),)),
        1,
    ),
    "a stranger's resource covers nobody": (replace(history(1), resources=(FOREIGN,)), 0),
    "another alert's count covers nobody": (
        told(attempt(0), attempt(1), resources=(resource(0, count=5),)),
        1,
    ),
    "its id on the resource of another pod": (
        told(attempt(0), attempt(1), resources=(resource(0), resource(1, subject=0))),
        1,
    ),
    "two resources of one alert cover no third": (
        told(
            attempt(0),
            attempt(1, subject=0, kind="duplicate"),
            resources=(resource(0), resource(0, name="again")),
        ),
        1,
    ),
    "a count of nought takes no cover from others, and gives none": (
        told(
            attempt(0),
            attempt(1, subject=0, kind="duplicate"),
            attempt(2, subject=0, kind="duplicate"),
            resources=(resource(0, count=2), resource(0, name="again", count=0)),
        ),
        2,
    ),
    "a name in a storm covers one of those that were not told so": (
        told(
            attempt(0),
            attempt(1, subject=0),
            resources=(resource(0, creator=None, subject=None, aggregated=(0,), count=7),),
        ),
        1,
    ),
}


@pytest.mark.parametrize("name", GUILTY)
def test_zero_loss_convicts_by_number(name: str) -> None:
    """No id, no label, no count: lost, whatever else is in the store."""
    guilty, number = GUILTY[name]
    found = zero_loss.check(guilty)
    assert (found.status, found.got) == (Status.FAIL, f"1 of {len(guilty.attempts)} lost")
    assert [line.split(":")[0] for line in found.examples] == [f"k3x9-{number:07d}"]


def test_zero_loss_without_its_data_is_undecided() -> None:
    """Truth not read, truth unstable (whether or not something is missing in it), nothing acknowledged."""
    reach = "let the run end by itself, with the Kubernetes API reachable"
    moved = "two readings in a row differed; lengthen the scenario's settle"
    accepts = "check that the Gateway accepts alerts at all"
    unread = replace(history(), resources=None, stable=False)
    resolved = told(attempt(0, kind="resolved"), resources=(FOREIGN,))
    assert zero_loss.check(unread) == Finding(
        Status.UNKNOWN, LOSS, "the resources were never read", 0, mend=reach
    )
    for count in (0, 1):
        shaky = history(3, lost=range(count), stable=False)
        assert zero_loss.check(shaky) == Finding(
            Status.UNKNOWN,
            LOSS,
            f"{count} of 3 lost in a reading that still moved",
            3,
            (),
            moved,
            lost(count, 3),
        )
    for idle in (history(0, rejected_safe=2), history(0, unsent=1), resolved):
        assert zero_loss.check(idle) == Finding(
            Status.UNKNOWN, LOSS, "nothing was acknowledged", 0, mend=accepts
        )


@pytest.mark.parametrize("kind", ["buffered", "queued"])
def test_what_is_kept_for_later_is_not_lost_when_the_run_is_broken_off(kind: str) -> None:
    """The Gateway said that it keeps the alert; a run that was broken off cannot know that it never came. One
    that was answered as created is lost all the same, and so is a kept one when the run came to its end."""
    kept, made = attempt(0, kind=kind), attempt(1)
    broken_off = replace(told(kept, resources=()), ended="interrupted")
    both = replace(told(kept, made, resources=()), ended="interrupted")

    assert zero_loss.check(broken_off).status == "UNKNOWN"
    assert "kept for later" in zero_loss.check(broken_off).got
    assert zero_loss.check(both).status == "FAIL"
    assert zero_loss.check(told(kept, resources=())).status == "FAIL"
