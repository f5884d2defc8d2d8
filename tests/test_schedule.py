"""Random schedules and their reduction: from a seed to a scenario, and from a failing one to a smallest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_hooks import injection
from shapes import scenario, scenario_file, schedule
from shapes.document import DocumentError, Node
from shapes.fault import Fault
from shapes.reduction import SHORTEST_S, Faults, reduction
from shapes.schedule import APART_S, BASELINE_S, KINDS, Kind, compose, ended_s, from_start, overlap_s
from shapes.target import Endpoints

HOME = Path(__file__).resolve().parent.parent
SEEDS = st.integers(0, 2**31)
Oracle = Callable[[Faults], bool]


def fault(name: str, at_s: float, for_s: float) -> Fault:
    return Fault(name, "process", at_s, for_s, {"component": name})


def reduced(faults: Faults, fails: Oracle) -> tuple[Faults, list[str]]:
    """Return what is left of a schedule, and what was asked, with a fake runner."""
    asking, asked, answer = reduction(faults), [], None
    try:
        question = next(asking)
        while True:
            asked.append(question.how)
            answer = fails(question.faults)
            question = asking.send(answer)
    except StopIteration as done:
        return done.value, asked


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 40))
def test_a_schedule_follows_from_its_seed(seed: int, number: int) -> None:
    """Two to four faults, at least two of which overlap; never two of the same dependency, nor too close."""
    got = compose(seed, number)
    breaks = {kind.name: kind.breaks for kind in KINDS}

    assert got == compose(seed, number)
    assert 2 <= len(got) <= schedule.MOST_FAULTS
    assert any(overlap_s(a, b) for a, b in combinations(got, 2))
    for a, b in combinations(got, 2):
        assert breaks[a.name] != breaks[b.name] or b.at_s >= ended_s(a) + APART_S
    assert max(map(ended_s, got)) <= BASELINE_S + schedule.SPAN_S


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 5))
def test_a_schedule_survives_its_file(seed: int, number: int) -> None:
    """The file that replays it holds the same scenario, but for its name."""
    told = schedule.scenario_of("x", seed, compose(seed, number))
    text = scenario_file.text(told, ("a remark", "another"))
    got = scenario.parse(Node("x.yaml", "", yaml.safe_load(text)), "x", "quick")

    assert text.startswith("# a remark\n# another\ntitle: ")
    assert got.phases == told.phases
    assert got.faults == told.faults
    assert [(p.criterion, p.options) for p in got.promises] == [
        (p.criterion, p.options) for p in told.promises
    ]
    assert (got.seed, got.alert, got.settle_s, got.target) == (
        told.seed,
        told.alert,
        told.settle_s,
        "sandbox",
    )
    assert got.faults[0].at_s == BASELINE_S


@pytest.mark.parametrize("path", sorted((HOME / "scenarios").glob("*.yaml")), ids=lambda p: p.stem)
@pytest.mark.parametrize("pace", scenario.PACES)
def test_every_scenario_survives_being_written(path: Path, pace: str) -> None:
    """What is written is read back as the same values."""
    told = scenario.load(path, pace)
    got = scenario.parse(Node("x", "", yaml.safe_load(scenario_file.text(told))), told.name, pace)

    for field in ("title", "target", "seed", "alert", "phases", "settle_s", "faults", "faults_in", "sender"):
        assert getattr(got, field) == getattr(told, field), field
    assert [(p.criterion, p.options) for p in got.promises] == [
        (p.criterion, p.options) for p in told.promises
    ]
    assert (got.start_args, got.variant_of) == (told.start_args, told.variant_of)


def test_every_field_survives_being_written() -> None:
    """Also those that no shipped scenario has."""
    document = """
title: All there is
seed: 3
sender: alertmanager
group_interval: 90s
probe_every: 50ms
alert: {name: A, namespace: n, severity: warning, repeat: 12.5%, per_post: 3, resolved: 9%, resolve_after: 2s}
paces:
  plan:
    phases:
      - {name: a, rate: 7/min, for: 30s}
      - {name: b, pattern: storm, count: 5, for: 2s, alert: {name: B, repeat: 0%}}
      - {name: c, pattern: duplicates, count: 4, for: 500ms}
      - {name: d, pattern: none, for: 1m}
    faults_in: {cluster: [{name: f, inject: throttle, at: 1s, for: 2s, share: 30%, verbs: [create]}]}
stop_when:
  - error_budget: {share: 50%, over: 30s, least: 4}
  - component_down: {for: 5s, except: [redis-*]}
  - probe_gone: {probe: metrics, for: 9s}
criteria:
  - zero_loss
  - recovery: {within: 30s, after: healed}
"""
    told = scenario.parse(Node("x", "", yaml.safe_load(document)), "x", "plan")
    got = scenario.parse(Node("x", "", yaml.safe_load(scenario_file.text(told))), "x", "plan")

    same = [name for name in told.__slots__ if name not in ("promises", "stop_when")]
    assert {name: getattr(got, name) for name in same} == {name: getattr(told, name) for name in same}
    assert [replace(c, place="") for c in got.stop_when] == [replace(c, place="") for c in told.stop_when]
    assert [(p.criterion, p.options) for p in got.promises] == [
        (p.criterion, p.options) for p in told.promises
    ]


def test_a_rate_that_cannot_be_written_is_refused() -> None:
    """One alert in seven hours and a bit is no whole number of anything."""
    told = schedule.scenario_of("x", 1, compose(1, 0))
    odd = replace(told.phases[0], rate_per_s=told.phases[0].rate_per_s / 700_000)

    with pytest.raises(ValueError, match="no whole number"):
        scenario_file.text(replace(told, phases=(odd,)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_taken_by_its_injector(kind: Kind) -> None:
    """A backend of that name exists, and refuses none of the options."""
    from chaos_hooks.clock import RunClock

    injection.load(
        Fault(kind.name, kind.inject, 3.0, kind.least_s, kind.options), Endpoints(), RunClock(), "here"
    )


def test_only_what_is_at_hand_is_drawn() -> None:
    """Without an injector its kinds are not drawn; with one dependency alone nothing can overlap."""
    two = schedule.at_hand(["throttle", "redis_config"])

    assert {f.inject for n in range(20) for f in compose(5, n, two)} == {"throttle", "redis_config"}
    with pytest.raises(DocumentError, match="--chaos-explore: needs injectors for two dependencies"):
        compose(5, 0, schedule.at_hand(["throttle"]))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 40))
def test_in_the_kernel_a_seed_draws_the_same_but_for_some_cuts(seed: int, number: int) -> None:
    """The same faults at the same times; a cut of a proxy's is one in the kernel, or stays what it is."""
    plain, got = compose(seed, number), compose(seed, number, in_kernel=True)
    same = {kind.name: name for name, kind in schedule.IN_KERNEL.items()}

    assert got == compose(seed, number, in_kernel=True)
    assert {(f.at_s, f.for_s, same.get(f.name, f.name)) for f in got} == {
        (f.at_s, f.for_s, f.name) for f in plain
    }
    assert all((f.inject == "netns") == (f.name in same) for f in got)


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.data())
def test_what_fails_only_while_two_overlap_is_reduced_to_these_two(seed: int, data: st.DataObject) -> None:
    """Exactly the culprits are left, still overlapping; neither can be halved; few questions, none twice."""
    faults = compose(seed, 0)
    pairs = [(a.name, b.name) for a, b in permutations(faults, 2) if overlap_s(a, b) >= 1.0]
    one, other = data.draw(st.sampled_from(pairs))

    def fails(candidate: Faults) -> bool:
        found = {f.name: f for f in candidate}
        return one in found and other in found and overlap_s(found[one], found[other]) >= 1.0

    got, asked = reduced(faults, fails)

    assert {f.name for f in got} == {one, other}
    assert fails(got)
    assert got == from_start(got)
    assert len(asked) <= 25
    for f in got:
        assert not _halves(got, f, fails)


def _halves(faults: Faults, f: Fault, fails: Oracle) -> bool:
    half_s = round(f.for_s / 2, 3)
    rest = tuple(g for g in faults if g != f)
    halves = (Fault(f.name, f.inject, at, half_s, f.options) for at in (f.at_s, f.at_s + f.for_s - half_s))
    return half_s >= SHORTEST_S and any(fails((*rest, half)) for half in halves)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.data())
def test_what_fails_with_any_set_of_faults_is_reduced_to_that_set(seed: int, data: st.DataObject) -> None:
    """Whether they overlap or not: then they end up apart, and as short as they may be."""
    faults = compose(seed, 1)
    culprits = data.draw(st.sets(st.sampled_from([f.name for f in faults]), min_size=1))

    got, _ = reduced(faults, lambda candidate: culprits <= {f.name for f in candidate})

    assert {f.name for f in got} == culprits
    assert not any(overlap_s(a, b) for a, b in combinations(got, 2))
    assert all(f.for_s < 2 * SHORTEST_S for f in got)


def test_a_reduction_step_by_step() -> None:
    """What is asked, in order: without parts, for half as long, apart."""
    faults = (fault("a", 3.0, 4.0), fault("b", 4.0, 2.0), fault("c", 9.0, 3.0))

    got, asked = reduced(faults, lambda c: {"a", "b"} <= {f.name for f in c} and overlap_s(c[0], c[1]) >= 1.0)

    assert asked == [
        "without a",
        "without b, c",
        "without b",
        "without c",
        "without a",
        "a for 2 s, its begin",
        "a for 1 s, its begin",
        "a for 1 s, its end",
        "b for 1 s, its begin",
        "b after the end of a",
    ]
    assert got == (fault("a", 3.0, 1.0), fault("b", 3.0, 1.0))


def test_what_fails_no_more_is_left_as_it_was() -> None:
    """A failure by chance: nothing smaller fails, so the schedule itself is the answer."""
    faults = compose(3, 0)

    assert reduced(faults, lambda _: False)[0] == from_start(faults)
