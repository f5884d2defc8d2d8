"""The load of a scenario: exact counts and due times of each pattern, repeats, resolved alerts."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shapes import load, scenario
from shapes.alerts import Planned
from shapes.document import DocumentError, Node
from shapes.phase import AlertRecipe, Phase
from shapes.scenario import Scenario

STEADY = Phase("steady", "steady", Fraction(2), 1.0)
PAUSE = Phase("wait", "none", Fraction(0), 10.0)
PLAIN = AlertRecipe()
OOM = AlertRecipe(name="PodOOMKilled")


def of(*phases: Phase, alert: AlertRecipe = PLAIN, seed: int = 1) -> Scenario:
    """Return a scenario of these phases."""
    return Scenario("s", "S", "sandbox", "quick", seed, alert, phases, 1.0, (), ())


def volley(count: int, alert: AlertRecipe | None = None) -> Phase:
    """Return a phase of duplicates, five seconds long."""
    return Phase("volley", "duplicates", Fraction(0), 5.0, count, alert)


def test_a_storm_is_spread_evenly_over_its_duration() -> None:
    """Alert k of n is due at k/n of the duration; each has labels of its own, under the storm's alertname."""
    storm = Phase("storm", "storm", Fraction(0), 6.0, 4, OOM)
    got = list(load.plan(of(STEADY, storm, alert=AlertRecipe(repeat=1.0))))

    assert got[2:] == [
        Planned(2, 2, "storm", 1.0, OOM),
        Planned(3, 3, "storm", 2.5, OOM),
        Planned(4, 4, "storm", 4.0, OOM),
        Planned(5, 5, "storm", 5.5, OOM),
    ]


def test_duplicates_repeat_the_last_alert_before_them_at_one_instant() -> None:
    """Also across a pause, and with the labels that the last alert had, not the scenario's."""
    storm = Phase("storm", "storm", Fraction(0), 2.0, 2, OOM)
    got = list(load.plan(of(storm, PAUSE, volley(3))))

    assert got[2:] == [Planned(n, 1, "volley", 12.0, OOM, volley=1) for n in (2, 3, 4)]


@pytest.mark.parametrize("before", [(), (STEADY,)])
def test_duplicates_without_one_before_or_with_a_recipe_repeat_their_own_first(before: tuple[Phase]) -> None:
    """A recipe of the phase's own means an alert of its own."""
    got = list(load.plan(of(*before, volley(3, OOM if before else None))))
    first = 2 if before else 0

    assert [(p.subject, p.due_s, p.volley) for p in got[first:]] == [(first, float(len(before)), 1)] * 3


def test_each_volley_has_its_own_number() -> None:
    """Two phases of duplicates are two volleys, of one alert."""
    got = list(load.plan(of(volley(2), volley(2))))

    assert [(p.number, p.subject, p.due_s, p.volley) for p in got] == [
        (0, 0, 0.0, 1),
        (1, 0, 0.0, 1),
        (2, 0, 5.0, 2),
        (3, 0, 5.0, 2),
    ]


def test_a_pause_sends_nothing_and_takes_its_time() -> None:
    """What follows is due after it."""
    got = list(load.plan(of(PAUSE, STEADY)))

    assert [p.due_s for p in got] == [10.0, 10.5]


def test_a_share_of_the_alerts_is_followed_by_a_resolved_one() -> None:
    """Half of four at 2/s, 1.2 s later; it has a number of its own and the labels of the one that it ends."""
    recipe = AlertRecipe(resolved=0.5, resolve_after_s=1.2)
    got = list(load.plan(of(Phase("a", "steady", Fraction(2), 2.0), PAUSE, alert=recipe)))

    assert got == [
        Planned(0, 0, "a", 0.0, recipe),
        Planned(1, 1, "a", 0.5, recipe),
        Planned(2, 2, "a", 1.0, recipe),
        Planned(3, 3, "a", 1.5, recipe),
        Planned(4, 1, "a", 1.7, recipe, fired_s=0.5),
        Planned(5, 3, "wait", 2.7, recipe, fired_s=1.5),
    ]


def test_a_resolved_one_after_the_load_is_not_planned() -> None:
    """The load ends when the last phase does."""
    recipe = AlertRecipe(resolved=1.0, resolve_after_s=1.0)
    got = of(Phase("a", "steady", Fraction(2), 2.0), alert=recipe)

    assert [p.fired_s for p in load.plan(got) if p.fired_s is not None] == [0.0, 0.5]
    assert got.alerts == 6


def test_alerts_of_one_post_agree_in_phase_due_time_family_and_state() -> None:
    """A resolved alert is never in the POST of those that fire, nor two alertnames in one group."""
    recipe = AlertRecipe(per_post=2, resolved=1.0, resolve_after_s=1.0)
    got = list(load.plan(of(Phase("a", "steady", Fraction(2), 3.0), alert=recipe)))
    posts = Counter(p.post for p in got)

    assert sorted((due, fires, n) for (_, due, _, _, fires), n in posts.items()) == [
        (0.0, True, 2),
        (1.0, False, 2),
        (1.0, True, 2),
        (2.0, False, 2),
        (2.0, True, 2),
    ]


PHASES = st.one_of(
    st.builds(
        Phase,
        st.sampled_from("ab"),
        st.just("steady"),
        st.fractions(Fraction(1, 5), 20, max_denominator=60),
        st.integers(1, 80).map(lambda tenths: tenths / 10),
    ),
    st.builds(
        Phase,
        st.just("storm"),
        st.just("storm"),
        st.just(Fraction(0)),
        st.integers(1, 80).map(lambda tenths: tenths / 10),
        st.integers(1, 60),
        st.sampled_from([None, OOM, AlertRecipe(name="X", resolved=0.3, resolve_after_s=0.7)]),
    ),
    st.builds(volley, st.integers(2, 12), st.sampled_from([None, OOM])),
    st.just(PAUSE),
)


@given(
    phases=st.lists(PHASES, min_size=1, max_size=5),
    repeat=st.floats(0, 1),
    per_post=st.integers(1, 4),
    resolved=st.integers(0, 10).map(lambda tenths: tenths / 10),
    after_s=st.integers(1, 60).map(lambda tenths: tenths / 10),
)
def test_a_plan_is_exact_and_ordered(
    phases: list[Phase], repeat: float, per_post: int, resolved: float, after_s: float
) -> None:
    """Whatever the patterns: the announced number, each once, in order of due time, each in its phase."""
    recipe = AlertRecipe(repeat=repeat, per_post=per_post, resolved=resolved, resolve_after_s=after_s)
    asked = of(*phases, alert=recipe)
    got = list(load.plan(asked))
    fired = [p for p in got if p.fired_s is None]

    assert len(got) == asked.alerts
    assert len(fired) == sum(phase.alerts for phase in phases)
    assert [p.number for p in got] == list(range(len(got)))
    assert [p.due_s for p in got] == sorted(p.due_s for p in got)
    assert all(got[p.subject].subject == p.subject <= p.number for p in got)
    assert all(got[p.subject].recipe.family == p.recipe.family for p in got)
    assert all(p.due_s < asked.load_s for p in got)
    storms = [p for p in fired if p.phase == "storm"]
    assert len({p.subject for p in storms}) == len(storms)
    for members in ([p for p in got if p.volley == n] for n in range(1, 6)):
        assert len({(p.subject, p.due_s, p.recipe) for p in members}) <= 1
    assert got == list(load.plan(asked))


@given(phase=PHASES, share=st.integers(0, 100), after_s=st.integers(1, 60), per_post=st.integers(1, 4))
def test_a_share_is_met_exactly(phase: Phase, share: int, after_s: int, per_post: int) -> None:
    """Given the time, floor(n * share) of n alerts are resolved, and none of a volley's."""
    recipe = AlertRecipe(per_post=per_post, resolved=share / 100, resolve_after_s=after_s / 10)
    asked = Phase(phase.name, phase.pattern, phase.rate_per_s, phase.for_s, phase.count)
    got = list(load.plan(of(asked, PAUSE, alert=recipe)))
    ends = [p for p in got if p.fired_s is not None]

    assert len(ends) == (0 if phase.pattern == "duplicates" else asked.alerts * share // 100)
    assert all(p.fired_s is not None and abs(p.due_s - p.fired_s - after_s / 10) < 1e-9 for p in ends)


TEXT = """
title: T
alert: {name: PodCrashed, repeat: 20%, resolved: 10%}
sender: alertmanager
group_interval: 15s
paces:
  quick:
    phases:
      - {name: baseline, rate: 10/s, for: 4s}
      - {name: storm, pattern: storm, count: 200, for: 60s, alert: {name: PodOOMKilled}}
      - {name: wait, pattern: none, for: 10s}
      - {name: volley, pattern: duplicates, count: 10, for: 5s}
criteria: [zero_loss]
"""


def test_patterns_and_sender_are_parsed_into_values() -> None:
    """A phase's recipe is the scenario's with what the phase says otherwise."""
    got = scenario.parse(Node("s.yaml", "", yaml.safe_load(TEXT)), "s", "quick")
    plain = AlertRecipe(repeat=0.2, resolved=0.1)
    storm = AlertRecipe(name="PodOOMKilled", repeat=0.2, resolved=0.1)

    assert got.phases == (
        Phase("baseline", "steady", Fraction(10), 4.0),
        Phase("storm", "storm", Fraction(0), 60.0, 200, storm),
        Phase("wait", "none", Fraction(0), 10.0),
        Phase("volley", "duplicates", Fraction(0), 5.0, 10),
    )
    assert (got.alert, got.sender, got.group_interval_s) == (plain, "alertmanager", 15.0)
    assert got.alerts == 40 + 200 + 10 + 4 + 20


def test_a_scenario_of_pauses_alone_is_refused() -> None:
    """It would prove nothing."""
    text = {"title": "T", "paces": {"quick": {"phases": [{"name": "w", "pattern": "none", "for": "1s"}]}}}

    with pytest.raises(
        DocumentError, match=r"paces\.quick\.phases: plan no alert; a run without load proves"
    ):
        scenario.parse(Node("s.yaml", "", {**text, "criteria": ["zero_loss"]}), "s", "quick")


@settings(deadline=None)
@given(
    st.integers(0, 2**40) | st.integers(0, 2**60),
    st.integers(0, 2**30),
    st.integers(1, 2**52) | st.integers(1, 2**70),
    st.sampled_from([1, 4095, 4096, 4097, 9000]),
    st.sampled_from([1, 3, 100]),
)
def test_due_times_are_rounded_once(first: int, each: int, over: int, count: int, per_post: int) -> None:
    """Worked out together they are what Python gives for each, also where integers are no exact floats."""
    expected = [(first + (k - k % per_post) * each) / over for k in range(count)]
    assert list(load._quotients(first, each, over, count, per_post)) == expected
