"""`--explain`: for each UNKNOWN what to change, to what, computed from the record; literal histories in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import any_history
import histories
import pytest
from hypothesis import given, settings

from reports import __main__ as command
from reports import explanation
from reports.accounting import loss_bound
from reports.explanation import Explanation, explain
from reports.finding import Status
from reports.history import Asked, History, Observation
from reports.levers import Change
from reports.verdict import judge


def explained(told: History) -> dict[str, Explanation]:
    return {each.criterion: each for each in explain(told, judge(told))}


def changes(told: History, criterion: str) -> dict[str, Change]:
    return {change.what: change for change in explained(told)[criterion].changes}


def asked(name: str, **options: object) -> tuple[Asked, ...]:
    return (Asked(name, options),)


def every(
    period_s: float, change: Callable[[Observation], Observation] = lambda o: o
) -> tuple[Observation, ...]:
    """Return what the probes of the plain run see, but only every so often."""
    step = round(period_s / 0.2)
    return tuple(change(o) for o in histories.observations() if round(o.asked_s * 5) % step == 0)


def test_a_breaker_between_two_rare_probes() -> None:
    """Wanted: a gap of a tenth; told with the gap, the fault's own error, and the limits that are decided."""
    told = histories.history(30, promises=asked("breaker_opens", within_s=0.5), observations=every(1.0))

    got = changes(told, "breaker_opens")

    assert got["probe_every"] == Change(
        "probe_every",
        "too close to call: the probes' gap was 0.96 s, the fault's own error 0.05 s; probe every 0.096 s "
        "(probe_every: 0.096s): of the places where the true value may lie 90% are then decided",
        0.96,
        0.096,
        "s",
    )
    assert got["limit"] == Change(
        "limit",
        "or judge another limit: of 1.01 s and more it is kept, below 0 s it is broken",
        0.5,
        1.01,
        "s",
    )


def test_a_fault_that_rare_probes_did_not_see_coming() -> None:
    """To begin it later would not help: however late, the last look before it is too old."""
    told = histories.history(30, promises=asked("breaker_opens", within_s=5.0), observations=every(2.4))

    assert changes(told, "breaker_opens")["probe_every"] == Change(
        "probe_every",
        "the probes ask every 2.4 s: too rarely to see what was just before it; probe every 0.2 s "
        "(probe_every: 0.2s)",
        2.4,
        0.2,
        "s",
    )


def test_a_finer_probe_of_the_same_run_decides() -> None:
    """What is advised is true: the same Gateway, looked at so often, is no more too close to call."""
    promises = asked("breaker_opens", within_s=0.5)
    rare = histories.history(30, promises=promises, observations=every(1.0))
    wanted_s = changes(rare, "breaker_opens")["probe_every"].wanted
    assert wanted_s
    fine = tuple(histories.scrape(round(k * wanted_s, 3)) for k in range(int(10 / wanted_s)))

    assert judge(replace(rare, observations=fine)).findings[0].status is not Status.UNKNOWN


def test_probes_that_got_no_answer_are_not_asked_more_often() -> None:
    """The gap is the Gateway's: a shorter period would not have helped."""

    def dead(o: Observation) -> Observation:
        down = o.probe == "metrics" and 2.0 <= o.asked_s < 3.0
        return replace(o, ok=False, values={}, error="no answer in 1 s") if down else o

    told = histories.history(30, promises=asked("breaker_opens", within_s=0.5), observations=every(0.2, dead))
    got = changes(told, "breaker_opens")["probe_every"]

    assert (got.now, got.wanted) == (None, None)
    assert "4 probes in it got no answer (metrics), so asking more often may not help" in got.text


def test_a_prober_that_stood_still_is_named() -> None:
    """It asks five times a second, and did not for a second: the generator was starved."""
    looks = tuple(o for o in histories.observations() if not 2.0 <= o.asked_s < 3.0)
    told = histories.history(30, promises=asked("breaker_opens", within_s=0.5), observations=looks)

    assert "the probes ask every 0.2 s, but stood still" in changes(told, "breaker_opens")["probe_every"].text


def test_a_last_phase_that_was_too_short() -> None:
    """Healed at 5.05 s, limit 30 s, watched until 10 s: the last phase, from 5 s on, must be 34 s long."""
    looks = tuple(
        histories.scrape(o.asked_s, values={**o.values, "breaker.redis": 2.0})
        if o.probe == "metrics" and o.asked_s >= 2.4
        else o
        for o in histories.observations()
    )
    told = histories.history(30, promises=asked("recovery", within_s=30.0), observations=looks)

    assert changes(told, "recovery")["last_phase"] == Change(
        "last_phase", "lengthen the last phase from 5 s to 34 s", 5.0, 34.0, "s"
    )


def test_a_fault_that_was_too_short() -> None:
    """A promotion within 30 s cannot be missed by a fault of 3 s."""
    looks = tuple(
        replace(o, values={"127.0.0.1:6379": 1.0}) if o.probe == "sentinel" else o
        for o in histories.observations()
    )
    told = histories.history(30, promises=asked("sentinel_promotes", within_s=30.0), observations=looks)

    assert changes(told, "sentinel_promotes")["fault"] == Change(
        "fault", "let redis-down last 31 s instead of 3 s", 3.0, 31.0, "s"
    )


def test_a_rate_that_was_too_low() -> None:
    """No alert fell due in the limit after the fault began; two would at twice its inverse."""
    looks = tuple(
        replace(o, values={**o.values, "breaker.redis": 0.0, "breaker_opened.redis": 0.0})
        if o.probe == "metrics"
        else o
        for o in histories.observations()
    )
    attempts = (histories.attempt(0, due_s=0.5), histories.attempt(1, due_s=9.0))
    told = replace(
        histories.told(*attempts, resources=(histories.resource(0), histories.resource(1))),
        run=histories.run(planned=2, promises=asked("breaker_opens", within_s=2.5)),
        observations=looks,
    )

    assert changes(told, "breaker_opens")["rate"] == Change(
        "rate",
        "0 alerts fell due in the 2.5 s that count; send 0.8 a second, not 0.2",
        0.2,
        0.8,
        "1/s",
    )


def test_a_starved_generator_is_told_what_it_kept_up_with() -> None:
    """Ten a second were begun late, four a second on time."""
    slow = [histories.attempt(n, due_s=n / 4) for n in range(8)]
    late = [
        histories.attempt(8 + n, due_s=2 + n / 10, begun_s=2 + n / 10 + 3.0, done_s=9.0) for n in range(10)
    ]
    told = histories.told(*slow, *late, resources=tuple(histories.resource(n) for n in range(18)))

    assert changes(told, "load_on_time")["rate"] == Change(
        "rate",
        "1 of 3 seconds were late, the fullest with 10 alerts; send at most 4 a second, or give the "
        "generator a free core",
        10.0,
        4.0,
        "1/s",
    )


def test_the_volume_of_a_bound() -> None:
    """0.1 % at 95 % needs 2,995 acknowledged alerts without a loss, and so long at this run's rate."""
    told = histories.history(875)
    bound = explained(told)["loss_bound"]

    assert bound.got == "0 of 875 lost: at most 0.342% at 95 %"
    assert bound.changes[0] == Change(
        "alerts",
        "for a bound of 0.100% have 2,995 acknowledged: at this run's 87.5 acknowledged a second 35 s",
        875.0,
        2995.0,
        "alerts",
    )
    for change in bound.changes:
        assert change.wanted
        share = {2995.0: 0.001, 29956.0: 0.0001}[change.wanted]
        assert (loss_bound(int(change.wanted)) or 1) <= share < (loss_bound(int(change.wanted) - 1) or 0)


def test_a_fault_that_met_no_alert() -> None:
    """It is told with the rate that would have met two; the others refer to it."""
    told = replace(
        histories.told(histories.attempt(0, due_s=0.5), resources=(histories.resource(0),)),
        injections=(histories.injection(bit=False, began=None, ended=None),),
    )
    told = replace(told, run=replace(told.run, promises=asked("breaker_opens", within_s=5.0)))

    assert changes(told, "fault_bit")["rate"].wanted == pytest.approx(2 / 3, abs=1e-4)
    assert [c.text for c in explained(told)["breaker_opens"].changes] == [
        "the fault must bite first: see fault_bit"
    ]


def test_a_criterion_that_is_asked_twice_is_explained_with_its_own_options() -> None:
    """The limit is the one of the finding that is undecided."""
    promises = (*asked("breaker_opens", within_s=5.0), *asked("breaker_opens", within_s=0.5))
    told = histories.history(30, promises=promises, observations=every(1.0))

    assert changes(told, "breaker_opens")["limit"].now == 0.5


@settings(max_examples=80, deadline=None)
@given(any_history.ledgers() | any_history.runs())
def test_every_unknown_is_explained(told: History) -> None:
    """Whatever is undecided has a change; what is wanted of it differs from what is; nothing else is told."""
    verdict = judge(told)
    found = explain(told, verdict)
    undecided = [f.criterion for f in verdict.findings if f.status is Status.UNKNOWN]

    assert [e.criterion for e in found if e.criterion != "loss_bound"] == undecided
    for each in found:
        assert each.changes
        for change in each.changes:
            assert change.text
            for number in (change.now, change.wanted):
                assert number is None or (math.isfinite(number) and number >= 0)
            assert change.wanted is None or change.wanted != change.now
            if change.what in ("last_phase", "fault", "alerts", "fault_at"):
                assert change.wanted is not None
                assert change.now is None or change.wanted > change.now
    json.loads(explanation.document(told, verdict))


def test_it_is_told_as_text_and_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is the verdict's; both tell the same."""
    told = histories.history(30, promises=asked("breaker_opens", within_s=0.5), observations=every(1.0))
    run = str(histories.keep(told, tmp_path / "run"))

    assert command.main([run, "--explain"]) == 3
    text = capsys.readouterr().out
    assert command.main([run, "--explain", "--format", "json"]) == 3
    document = json.loads(capsys.readouterr().out)

    assert text.splitlines()[0] == judge(told).sentence
    assert document["schema"] == "alertstorm/explanation/v1"
    assert [e["criterion"] for e in document["explanations"]] == ["breaker_opens", "loss_bound"]
    for each in document["explanations"]:
        assert all(change["text"] in text for change in each["changes"])
    assert command.main([run, "--explain", "--format", "html"]) == 2


def test_a_passed_run_has_nothing_undecided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, beside the volume for a lower bound."""
    run = str(histories.keep(histories.history(30), tmp_path / "run"))

    assert command.main([run, "--explain"]) == 0
    assert capsys.readouterr().out.endswith("no criterion is undecided\n")
