"""The accounting: every planned alert ends somewhere, once, and the sums agree."""

from __future__ import annotations

import random
from dataclasses import replace

import any_history
import histories
import object_accounting
import pytest
from histories import attempt, history, resource, told
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.accounting import Account, account, loss_bound
from reports.criteria import zero_loss
from reports.finding import Status
from reports.history import History, Member, Outcome, Resource

QUICK = settings(max_examples=80, deadline=None)
NONE = Account(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (), (), (), ())


def test_every_alert_ends_somewhere() -> None:
    """One of each: the sums are those of the report's accounting lines."""
    everything = told(
        attempt(0),
        attempt(1, subject=0, kind="duplicate"),
        attempt(2, kind="aggregated"),
        attempt(3, kind="resolved"),
        attempt(4),
        attempt(5, Outcome.REJECTED),
        attempt(6, Outcome.REJECTED, kind="unsafe"),
        attempt(7, Outcome.INDETERMINATE),
        attempt(8, Outcome.INDETERMINATE),
        attempt(9, Outcome.UNSENT),
        resources=(
            resource(0, count=2),
            resource(2, name="storm", creator=None, subject=None, aggregated=(2, 8)),
            resource(7),
            resource(9),
        ),
    )
    found = account(everything)
    assert found == Account(
        planned=10,
        acked=5,
        rejected_safe=1,
        rejected_unsafe=1,
        indeterminate=2,
        unsent=1,
        created=1,
        deduplicated=1,
        aggregated=1,
        resolved=1,
        lost=(4,),
        recovered=(7, 8),
        duplicates=(),
        unexpected=("rr-0009",),
    )
    assert (found.sent, found.rejected, found.adds_up) == (9, 2, True)


def test_nothing_is_nothing() -> None:
    """No alert, no resource; and a resource of nobody in the run stays nobody's."""
    assert account(told(resources=())) == NONE
    foreign = resource(0, creator=None, subject=None, count=9)
    assert account(told(resources=(foreign,))) == NONE
    alone = account(told(attempt(0), resources=(foreign, resource(0), replace(foreign, name="b"))))
    assert (alone.created, alone.duplicates, alone.unexpected) == (1, (), ())


def test_sums_that_do_not_agree_are_told() -> None:
    """A planned alert without an outcome is a fault of the harness."""
    short = history(3)
    assert account(short).adds_up
    assert not account(replace(short, attempts=short.attempts[1:])).adds_up


def test_a_count_covers_as_many_repeats_as_it_says() -> None:
    """After its creator: acknowledged <= count <= attempted; the latest numbers are the lost ones."""
    repeats = [attempt(n, subject=0, kind="duplicate") for n in range(1, 5)]
    for count, lost in ((1, (1, 2, 3, 4)), (3, (3, 4)), (5, ()), (9, ())):
        found = account(told(attempt(0), *repeats, resources=(resource(0, count=count),)))
        assert (found.created, found.deduplicated, found.lost) == (1, 4 - len(lost), lost)


def test_a_repeat_may_be_the_creator() -> None:
    """The first alert was refused, its repeat created the resource, a later repeat was counted."""
    found = account(
        told(
            attempt(0, Outcome.REJECTED),
            attempt(1, subject=0),
            attempt(2, subject=0, kind="duplicate"),
            resources=(resource(1, subject=0, count=2),),
        )
    )
    assert (found.created, found.deduplicated, found.lost, found.unexpected) == (1, 1, (), ())


def test_the_count_of_a_storm_covers_nobody() -> None:
    """It counts other things; its members are covered by their names."""
    storm = resource(0, creator=None, subject=None, aggregated=(0, 1), count=9)
    repeats = (attempt(2, subject=1, kind="aggregated"), attempt(3, subject=1, kind="duplicate"))
    found = account(
        told(attempt(0, kind="aggregated"), attempt(1, kind="aggregated"), *repeats, resources=(storm,))
    )
    assert (found.aggregated, found.deduplicated, found.lost) == (3, 0, (3,))


@pytest.mark.parametrize(
    ("acked", "bound"),
    [(0, None), (1, 0.95), (10, 0.2589), (200, 0.0149), (875, 0.0034), (3000, 0.000998)],
)
def test_the_bound_of_zero_lost(acked: int, bound: float | None) -> None:
    """1 - 0.05^(1/n)."""
    assert loss_bound(acked) == (None if bound is None else pytest.approx(bound, abs=5e-5))


@settings(max_examples=300, deadline=None)
@given(any_history.storms(), st.randoms(use_true_random=False))
def test_the_columns_say_what_an_accounting_object_by_object_says(
    made_up: History, chance: random.Random
) -> None:
    """Field by field, whatever was recorded, in whatever order."""
    shuffled = tuple(chance.sample(made_up.attempts, len(made_up.attempts)))
    assert account(made_up) == object_accounting.account(made_up)
    assert account(replace(made_up, attempts=shuffled)) == object_accounting.account(made_up)


@QUICK
@given(any_history.ledgers())
def test_the_sums_always_agree(made_up: History) -> None:
    """planned = all outcomes; acked = created + deduplicated + aggregated + resolved + lost, nobody twice."""
    found = account(made_up)
    assert found.planned == sum(len(made_up.of(outcome)) for outcome in Outcome)
    assert found.planned == (
        found.acked + found.rejected_safe + found.rejected_unsafe + found.indeterminate + found.unsent
    )
    truth = found.created + found.deduplicated + found.aggregated + found.resolved + len(found.lost)
    assert found.acked == truth
    assert found.adds_up
    acked = {a.number for a in made_up.of(Outcome.ACKED)}
    assert len(set(found.lost)) == len(found.lost)
    assert set(found.lost) <= acked
    assert set(found.recovered) <= {a.number for a in made_up.of(Outcome.INDETERMINATE)}


@QUICK
@given(any_history.ledgers())
def test_what_can_be_read_back_is_not_lost(made_up: History) -> None:
    """Its own id, on a resource that has its labels."""
    subjects = {a.number: a.subject for a in made_up.attempts}
    held = {
        r.creator
        for r in made_up.resources or ()
        if r.creator in subjects and r.subject in (None, subjects[r.creator])
    }
    assert not held & set(account(made_up).lost)


@QUICK
@given(any_history.ledgers(), st.data())
def test_a_resource_less_never_finds_an_alert(made_up: History, data: st.DataObject) -> None:
    """Removing a resource loses as many alerts or more, and never turns a FAIL of zero_loss into PASS."""
    store = made_up.resources or ()
    kept = tuple(r for r in store if data.draw(st.booleans()))
    fewer = replace(made_up, resources=made_up.resources and kept)
    assert len(account(fewer).lost) >= len(account(made_up).lost)
    if zero_loss.check(made_up).status is Status.FAIL:
        assert zero_loss.check(fewer).status is Status.FAIL


@QUICK
@given(any_history.ledgers(), st.randoms(use_true_random=False))
def test_the_order_of_the_record_does_not_matter(made_up: History, chance: random.Random) -> None:
    """Neither of the ledger nor of the store."""
    shuffled = replace(
        made_up,
        attempts=tuple(chance.sample(made_up.attempts, len(made_up.attempts))),
        resources=made_up.resources and tuple(chance.sample(made_up.resources, len(made_up.resources))),
    )
    assert account(shuffled) == account(made_up)


def test_twenty_thousand_alerts_are_settled_at_once() -> None:
    """Every other alert repeats the first one's labels, and one of them is lost."""
    count = 20_000
    sent = tuple(attempt(n, subject=0 if n % 2 else n, due_s=1.0) for n in range(count))
    store = (resource(0, count=count // 2), *(resource(n) for n in range(2, count, 2)))
    many = replace(histories.history(1), run=histories.run(planned=count), attempts=sent, resources=store)
    found = account(many)
    assert (found.created, found.deduplicated, found.lost) == (count // 2, count // 2 - 1, (count - 1,))


def test_members_of_an_aggregated_resource_are_joined_by_their_own_ids_and_counts() -> None:
    """A storm's resource names each member's alert; a repeat of a member is covered by that member's count,
    and an alert that is no member is lost."""
    members = (Member(0, 0, 2), Member(2, 2, 1))
    storm = Resource("rr-storm", "u", None, None, (0, 2), 3, members=members)
    attempts = (
        attempt(0, kind="aggregated"),
        attempt(1, subject=0, kind="duplicate"),
        attempt(2, kind="buffered"),
        attempt(3, kind="buffered"),
    )
    found = account(told(*attempts, resources=(storm,)))

    assert (found.aggregated, found.deduplicated, found.lost) == (2, 1, (3,))
    assert found.duplicates == ()
    assert found.unexpected == ()
    assert found.adds_up
