"""What holds of every verdict, whatever the history: it never raises, and missing data never passes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import any_history
import pytest
from any_history import PROBES, Change, fields, unseen
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from reports.finding import Status
from reports.history import History, Observation
from reports.verdict import EXIT_CODES, State, judge

T = TypeVar("T")
QUICK = settings(max_examples=80, deadline=None)
# As many as it takes: it ends with the first.
FIRST = settings(database=None, phases=[Phase.generate], max_examples=5000, deadline=None)


@st.composite
def deletions(draw: st.DrawFn) -> Change:
    """Return what takes data away: what a probe saw in more than a moment, the truth, the seal, outcomes…"""
    probe = draw(st.sampled_from(PROBES))
    number = draw(st.integers(0, 12))
    return draw(
        st.sampled_from(
            [
                unseen(probe, (-1.0, 99.0)),
                unseen(probe, draw(any_history.window())),
                unseen(probe, draw(any_history.window())),
                fields(observations=()),
                fields(resources=None, stable=False),
                fields(stable=False),
                fields(sealed=False),
                fields(ended=""),
                fields(injections=()),
                fields(attempts=()),
                lambda told: replace(told, attempts=told.attempts[:number] + told.attempts[number + 1 :]),
            ]
        )
    )


@pytest.mark.parametrize("state", State)
def test_every_state_is_among_the_histories(state: State) -> None:
    """Else the properties below would hold of nothing."""
    found = find(any_history.runs(), lambda told: judge(told).state is state, settings=FIRST)
    assert judge(found).state is state


@QUICK
@given(any_history.ledgers() | any_history.runs())
def test_judging_never_raises_and_adds_up(told: History) -> None:
    """No criterion crashes, no PASS rests on nothing, exit code 0 is for PASS, an UNKNOWN says a mend."""
    found = judge(told)
    assert found.account.adds_up
    assert (found.exit_code == 0) is (found.state is State.PASS)
    assert found.exit_code == EXIT_CODES[found.state]
    assert found.findings
    for finding in found.findings:
        assert "crashed" not in finding.got
        assert finding.samples > 0 or finding.status is Status.UNKNOWN
        assert bool(finding.mend) is (finding.status is Status.UNKNOWN)
        assert finding.promise
    if found.state is State.PASS:
        assert {finding.status for finding in found.findings} == {Status.PASS}
        assert told.sealed
        assert told.stable
    if any(f.status is Status.FAIL and f.conclusive for f in found.findings):
        assert found.state is State.FAIL


@QUICK
@given(any_history.ledgers() | any_history.runs(), st.randoms(use_true_random=False))
def test_the_order_of_the_record_does_not_matter(told: History, chance: random.Random) -> None:
    """Attempts, resources, observations and injections may stand in any order."""

    def shuffled(values: Sequence[T]) -> tuple[T, ...]:
        return tuple(chance.sample(values, len(values)))

    again = replace(
        told,
        attempts=shuffled(told.attempts),
        resources=told.resources and shuffled(told.resources),
        observations=shuffled(told.observations),
        injections=shuffled(told.injections),
        workers=shuffled(told.workers),
        logs=shuffled(told.logs),
    )
    assert judge(again) == judge(told)


@QUICK
@given(any_history.runs(), st.sampled_from(PROBES), st.floats(-1.0, 30.0), st.floats(1.6, 20.0))
def test_a_look_that_its_prober_overslept_changes_nothing(
    told: History, probe: str, asked_s: float, for_s: float
) -> None:
    """It was given up long after its second: of the Gateway it says nothing, for or against."""
    late = Observation(probe, asked_s, asked_s + for_s, False, {}, "no answer in 1 s")
    assert judge(replace(told, observations=(*told.observations, late))) == judge(told)


@settings(max_examples=150, deadline=None)
@given(any_history.runs(), st.lists(deletions(), min_size=1, max_size=2))
def test_deleting_data_never_makes_a_pass(told: History, changes: list[Change]) -> None:
    """What did not pass does not pass with less known of it; nor does any single criterion of it."""
    before, alerts = judge(told), len(told.attempts)
    for change in changes:
        told = change(told)
    after = judge(told)
    assert before.state is State.PASS or after.state is not State.PASS
    passed = {f.criterion for f in before.findings if f.status is Status.PASS}
    if len(told.attempts) == alerts:  # A deleted alert, which may be the lost one, is the ledger's to tell.
        assert {f.criterion for f in after.findings if f.status is Status.PASS} <= passed
