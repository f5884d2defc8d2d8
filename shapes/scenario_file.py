"""A scenario written as the file that it could have been read from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import yaml

from shapes.fault import Fault
from shapes.phase import PATTERNS, AlertRecipe, Phase
from shapes.scenario import PROBE_EVERY_S, Promise, Scenario
from shapes.stop_condition import StopCondition

_PER = {"s": 1, "min": 60, "h": 3600}


class _Flow(dict[str, Any]):
    """A mapping that is written on one line, as scenarios write phases and faults."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes `_Flow` on one line."""


_Dumper.add_representer(
    _Flow, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), True)
)


def text(scenario: Scenario, remarks: tuple[str, ...] = ()) -> str:
    """Return the file's text: `shapes.scenario.load` reads the same scenario from it, but for its name
    and the places of its promises. ``remarks`` are lines of comment at its top.

    Raises:
        ValueError: if a rate is no whole number a second, minute or hour.
    """
    top: dict[str, Any] = {"title": scenario.title, "target": scenario.target, "seed": scenario.seed}
    if scenario.variant_of:
        top["variant_of"] = scenario.variant_of
    if scenario.start_args:
        top["start_args"] = scenario.start_args
    if scenario.sender != "once":
        top |= {"sender": scenario.sender, "group_interval": _duration(scenario.group_interval_s)}
    if scenario.through:
        top["through"] = scenario.through
        if scenario.relayed:
            top["relay"] = True
    if recipe := _recipe(scenario.alert, AlertRecipe()):
        top["alert"] = recipe
    if scenario.stop_when:
        top["stop_when"] = [_stop(condition) for condition in scenario.stop_when]
    if scenario.probe_every_s != PROBE_EVERY_S:
        top["probe_every"] = _duration(scenario.probe_every_s)
    body: dict[str, Any] = {"phases": [_phase(phase, scenario.alert) for phase in scenario.phases]}
    body["settle"] = _duration(scenario.settle_s)
    if scenario.faults:
        body["faults"] = [_fault(fault) for fault in scenario.faults]
    if scenario.faults_in:
        others = {word: [_fault(fault) for fault in faults] for word, faults in scenario.faults_in.items()}
        body["faults_in"] = others
    top["paces"] = {scenario.pace: body}
    top["criteria"] = [_promise(promise) for promise in scenario.promises]
    comment = "".join(f"# {remark}\n" for remark in remarks)
    return comment + yaml.dump(top, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _phase(phase: Phase, plain: AlertRecipe) -> _Flow:
    told = _Flow(name=phase.name)
    if phase.pattern != "steady":
        told["pattern"] = phase.pattern
    needs = PATTERNS[phase.pattern]
    if needs:
        told[needs] = _rate(phase.rate_per_s) if needs == "rate" else phase.count
    told["for"] = _duration(phase.for_s)
    if phase.alert is not None:
        told["alert"] = _recipe(phase.alert, plain)
    return told


def _recipe(recipe: AlertRecipe, plain: AlertRecipe) -> _Flow:
    told = _Flow()
    for name in ("name", "namespace", "severity", "per_post"):
        if getattr(recipe, name) != getattr(plain, name):
            told[name] = getattr(recipe, name)
    for name in ("repeat", "resolved", "unusable"):
        if getattr(recipe, name) != getattr(plain, name):
            told[name] = f"{_decimal(getattr(recipe, name) * 100)}%"
    if recipe.resolve_after_s != plain.resolve_after_s:
        told["resolve_after"] = _duration(recipe.resolve_after_s)
    return told


def _fault(fault: Fault) -> _Flow:
    told = _Flow(name=fault.name, inject=fault.inject, at=_duration(fault.at_s))
    told["for"] = _duration(fault.for_s)
    return _Flow({**told, **_options(fault.options)})


def _promise(promise: Promise) -> str | dict[str, Any]:
    return {promise.criterion: _Flow(_options(promise.options))} if promise.options else promise.criterion


def _stop(condition: StopCondition) -> dict[str, Any]:
    over = condition.kind == "error_budget"
    told = _Flow({"over" if over else "for": _duration(condition.for_s)})
    if over:
        told |= {"share": f"{_decimal(condition.share * 100)}%", "least": condition.least}
    if condition.probe:
        told["probe"] = condition.probe
    if condition.spared:
        told["except"] = list(condition.spared)
    return {condition.kind: told}


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as a file has them: those that end in _s or _per_s with a unit, all else as it is."""
    told: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, float) and name.endswith("_per_s"):
            told[name.removesuffix("_per_s")] = f"{_decimal(value)}/s"
        elif isinstance(value, float) and name.endswith("_s"):
            told[name.removesuffix("_s")] = _duration(value)
        else:
            told[name] = value
    return told


def _duration(seconds: float) -> str:
    return f"{_decimal(seconds)}s"


def _rate(per_s: Fraction) -> str:
    for unit, seconds in _PER.items():
        if (per_s * seconds).denominator == 1:
            return f"{per_s * seconds}/{unit}"
    raise ValueError(f"{per_s} a second is no whole number a second, minute or hour")


def _decimal(value: float) -> str:
    """Return a number without an exponent and without a needless .0."""
    told = format(Decimal(str(round(value, 9))), "f")
    return told.rstrip("0").rstrip(".") if "." in told else told
