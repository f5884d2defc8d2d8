"""A load without a scenario file: what the options become, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import pytest

from chaos_hooks import preflight
from shapes import load, pattern
from shapes.document import DocumentError
from shapes.pattern import Asked
from shapes.phase import Phase
from shapes.scenario import Scenario


@pytest.mark.parametrize(
    ("asked", "name", "title", "phase"),
    [
        (
            Asked("steady", "10/min", duration="2m"),
            "pattern-steady",
            "Steady load without faults: 10/min in 2m",
            Phase("steady", "steady", Fraction(1, 6), 120.0),
        ),
        (
            Asked("storm", count=200, duration="60s"),
            "pattern-storm",
            "Storm load without faults: 200 alerts in 60s",
            Phase("storm", "storm", Fraction(0), 60.0, 200),
        ),
        (
            Asked("duplicates", count=10),
            "pattern-duplicates",
            "Duplicates load without faults: 10 alerts in 5s",
            Phase("duplicates", "duplicates", Fraction(0), 5.0, 10),
        ),
    ],
)
def test_a_pattern_becomes_a_scenario_without_faults(
    asked: Asked, name: str, title: str, phase: Phase
) -> None:
    """One phase; every criterion exists, and none is about a fault."""
    got = pattern.scenario_of(asked)

    assert (got.name, got.title, got.phases, got.faults) == (name, title, (phase,), ())
    assert [p.criterion for p in got.promises] == [
        "zero_loss",
        "no_duplicates",
        "no_unexpected",
        "safe_rejections",
        "metrics_continuous",
    ]
    assert len(list(load.plan(got))) == got.alerts
    preflight.check_scenario(got, [])


def test_the_alertname_can_be_chosen() -> None:
    """It is the scenario's own if it is not."""

    def named(name: str) -> Scenario:
        return pattern.scenario_of(Asked("storm", count=1, duration="1s", alert_name=name))

    assert named("PodOOMKilled").alert.name == "PodOOMKilled"
    assert named("").alert.name == "PodCrashed"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Asked("stedy"), "--chaos-pattern: unknown pattern 'stedy'; did you mean 'steady'? there are: "),
        (Asked("none"), "--chaos-pattern: unknown pattern 'none'; "),
        (Asked("steady", duration="2m"), "--chaos-rate: is missing; write for example --chaos-rate 10/min"),
        (Asked("steady", "10/min"), "--chaos-duration: is missing; write for example --chaos-duration 2m"),
        (Asked("steady", "10", duration="2m"), "--chaos-rate: '10' has no unit; write 10/s or 10/min"),
        (Asked("steady", "1/s", duration="2"), "--chaos-duration: '2' has no unit; write 2s"),
        (Asked("steady", "1/s", duration="0s"), "--chaos-duration: is zero; write for example"),
        (Asked("steady", "1/s", 5, "2m"), "--chaos-count: a steady load has none; leave it out, or take"),
        (Asked("storm", "1/s", 5, "2m"), "--chaos-rate: a storm load has none; leave it out, or take"),
        (Asked("storm", duration="60s"), "--chaos-count: a storm load needs one; write for example"),
        (
            Asked("storm", count=-3, duration="60s"),
            "--chaos-count: a storm load needs one; write for example",
        ),
        (Asked("storm", count=9), "--chaos-duration: is missing; write for example --chaos-duration 2m"),
        (Asked("duplicates", count=1), "--chaos-count: a duplicates load needs one; write for example"),
    ],
)
def test_what_is_missing_or_of_no_use_is_one_sentence(asked: Asked, sentence: str) -> None:
    """It names the option and its mend."""
    with pytest.raises(DocumentError) as caught:
        pattern.scenario_of(asked)

    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "asked", [Asked(rate="1/s"), Asked(count=3), Asked(duration="1s"), Asked(alert_name="X")]
)
def test_without_a_pattern_its_options_are_refused(asked: Asked) -> None:
    """A rate beside a scenario would silently do nothing."""
    with pytest.raises(
        DocumentError, match=r"--chaos-[a-z-]+: belongs to --chaos-pattern; leave it out, or add"
    ):
        pattern.refuse_without_pattern(asked)
    pattern.refuse_without_pattern(Asked())
