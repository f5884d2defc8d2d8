"""A load without a scenario file: one phase of one pattern, no fault, and the promises of a quiet day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from shapes import units
from shapes.document import DocumentError, unknown
from shapes.phase import PATTERNS, AlertRecipe, Phase
from shapes.scenario import Promise, Scenario
from shapes.units import UnitError

NAMES = tuple(name for name, needs in PATTERNS.items() if needs)
_PROMISES = ("zero_loss", "no_duplicates", "no_unexpected", "safe_rejections", "metrics_continuous")
_VOLLEY = "5s"  # How long the answers to duplicates are watched, unless a duration is given.

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A pattern as the command line has it; empty text and 0 mean: not given."""

    pattern: str = ""
    rate: str = ""
    count: int = 0
    duration: str = ""
    alert_name: str = ""


def scenario_of(asked: Asked) -> Scenario:
    """Return the scenario that these options describe, named for its pattern.

    Raises:
        DocumentError: naming the option and its mend.
    """
    if asked.pattern not in NAMES:
        raise _error("pattern", f"unknown pattern {asked.pattern!r}; {unknown(asked.pattern, NAMES)}")
    needs = PATTERNS[asked.pattern]
    if needs == "rate" and asked.count:
        raise _error("count", f"a {asked.pattern} load has none; leave it out, or take --chaos-pattern storm")
    if needs == "count" and asked.rate:
        raise _error("rate", f"a {asked.pattern} load has none; leave it out, or take --chaos-pattern steady")
    if needs == "count" and asked.count < 1 + (asked.pattern == "duplicates"):
        raise _error("count", f"a {asked.pattern} load needs one; write for example --chaos-count 10")
    duration = asked.duration or (_VOLLEY if asked.pattern == "duplicates" else "")
    phase = Phase(
        name=asked.pattern,
        pattern=asked.pattern,
        rate_per_s=_quantity("rate", "10/min", asked.rate, units.rate_per_s)
        if needs == "rate"
        else Fraction(0),
        for_s=_quantity("duration", "2m", duration, units.duration_s),
        count=asked.count,
    )
    if not phase.for_s:
        raise _error("duration", "is zero; write for example --chaos-duration 2m")
    plain = AlertRecipe()
    much = asked.rate or f"{asked.count} alerts"
    return Scenario(
        name=f"pattern-{asked.pattern}",
        title=f"{asked.pattern.capitalize()} load without faults: {much} in {duration}",
        target="sandbox",
        pace="given",
        seed=0,
        alert=AlertRecipe(name=asked.alert_name or plain.name),
        phases=(phase,),
        settle_s=2.0,
        faults=(),
        promises=tuple(Promise(name, {}, "--chaos-pattern") for name in _PROMISES),
    )


def refuse_without_pattern(asked: Asked) -> None:
    """Refuse the options that describe a pattern where none is asked for.

    Raises:
        DocumentError: naming the first of them.
    """
    for name in ("rate", "count", "duration", "alert_name"):
        if getattr(asked, name):
            raise _error(
                name.replace("_", "-"),
                f"belongs to --chaos-pattern; leave it out, or add --chaos-pattern ({', '.join(NAMES)})",
            )


def _quantity(option: str, example: str, text: str, parse: Callable[[object], T]) -> T:
    if not text:
        raise _error(option, f"is missing; write for example --chaos-{option} {example}")
    try:
        return parse(text)
    except UnitError as problem:
        raise _error(option, str(problem)) from None


def _error(option: str, sentence: str) -> DocumentError:
    return DocumentError(f"--chaos-{option}: {sentence}")
