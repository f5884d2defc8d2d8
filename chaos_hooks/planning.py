"""What a run is to do, from the options: one scenario, a list of them, all of them, or a plain load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chaos_hooks import alertmanager, campaign_record, drawing, injection, preflight
from chaos_hooks.campaign import Entry
from chaos_hooks.campaign_record import CampaignRecord
from chaos_hooks.errors import SetupError
from chaos_hooks.options import SCENARIOS, TARGETS, Options
from shapes import pattern, scenario, target
from shapes.pattern import Asked
from shapes.scenario import Scenario
from shapes.target import Target

ALL, VARIANTS = "all", "all-variants"


def entries(asked: Options, given: Options) -> list[Entry]:
    """Return what is to be run, of an exploration its first run, each checked as far as it can be before
    anything is started.

    Args:
        given: the options the process was started with; only those may name a scenario by its path.

    Raises:
        SetupError, DocumentError: with one sentence.
    """
    return [_entry(planned, asked) for planned in _scenarios(asked, given)]


def resumed(record: CampaignRecord, asked: Options) -> list[Entry]:
    """Return every entry of an earlier campaign, those that are not to be run again with the reason."""
    left = campaign_record.left_to_run(record.plan)
    found = []
    for index, planned in enumerate(record.plan.entries):
        entry = _entry(scenario.find(SCENARIOS, planned.scenario, record.plan.pace), asked)
        found.append(
            entry if index in left else replace(entry, skip=f"it ended {planned.state.value} before")
        )
    return found


def _entry(planned: Scenario, asked: Options) -> Entry:
    if asked.seed >= 0:
        planned = replace(planned, seed=asked.seed)
    against = target_of(asked.target or planned.target)
    skip = against.unsupported.get(planned.name, "") or planned.lacks_faults_in(against.faults_in)
    skip = skip or alertmanager.lacks(planned, against)
    planned = planned.broken_in(against.faults_in)
    preflight.check_scenario(planned, injection.names())
    if not asked.no_faults:
        skip = skip or next(
            filter(None, (injection.lacks(f.inject, against.endpoints) for f in planned.faults)), ""
        )
    return Entry(planned, against, skip)


def target_of(name: str) -> Target:
    """Return a target by its name, or by its path: it is named where a process is started, or in a scenario
    file, never in the web form.

    Raises:
        DocumentError: if there is none, or it cannot be used.
    """
    return target.load(Path(name)) if "/" in name else target.find(TARGETS, name)


def _scenarios(asked: Options, given: Options) -> list[Scenario]:
    if asked.explore >= 0:
        return [drawing.first(asked, target.find(TARGETS, asked.target or "sandbox"))]
    load = Asked(asked.pattern, asked.rate, asked.count, asked.duration, asked.alert_name)
    if asked.pattern and asked.scenario:
        raise SetupError(
            f"--chaos-pattern: {asked.pattern!r} stands beside --chaos-scenario {asked.scenario!r}; "
            "give one of them (the web form has an empty choice for the other)"
        )
    if asked.pattern:
        return [pattern.scenario_of(load)]
    pattern.refuse_without_pattern(load)
    if not asked.scenario:
        listed = ", ".join((ALL, VARIANTS, *scenario.names(SCENARIOS)))
        raise SetupError(f"--chaos-scenario: is missing; there are: {listed}")
    if "/" in asked.scenario and asked.scenario == given.scenario:
        return [scenario.load(Path(asked.scenario), asked.pace)]
    if asked.scenario in (ALL, VARIANTS):
        found = [scenario.find(SCENARIOS, name, asked.pace) for name in scenario.names(SCENARIOS)]
        return [each for each in found if asked.scenario == VARIANTS or not each.variant_of]
    names = [name.strip() for name in asked.scenario.split(",")]
    return [scenario.find(SCENARIOS, name, asked.pace) for name in names]
