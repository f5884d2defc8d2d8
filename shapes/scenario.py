"""A scenario: which load, which faults, which promises; parsed once from YAML into frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from shapes import document, units
from shapes.document import DocumentError, Node

PATTERNS = ("steady", "storm")
PACES = ("quick", "plan")


@dataclass(frozen=True, slots=True)
class AlertRecipe:
    """What the alerts look like; ``repeat`` is the share (0 to 1) of those that repeat an earlier one."""

    name: str = "PodCrashed"
    namespace: str = "prod-api"
    severity: str = "critical"
    repeat: float = 0.0
    per_post: int = 1


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of load with one rate. Times in seconds; ``rate_per_s`` is exact."""

    name: str
    pattern: str
    rate_per_s: Fraction
    for_s: float

    @property
    def alerts(self) -> int:
        """Return how many alerts fall due in it: all k >= 0 with k/rate < duration."""
        return -int(-(self.rate_per_s * Fraction(str(self.for_s))) // 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as asked for: injector ``inject``, ``at_s`` after the start, for ``for_s`` seconds."""

    name: str
    inject: str
    at_s: float
    for_s: float
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Promise:
    """A criterion by name, with its options as its ``check`` takes them."""

    criterion: str
    options: Mapping[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One pace of one scenario file; ``settle_s`` is the quiet time before the final read."""

    name: str
    title: str
    target: str
    pace: str
    seed: int
    alert: AlertRecipe
    phases: tuple[Phase, ...]
    settle_s: float
    faults: tuple[Fault, ...]
    promises: tuple[Promise, ...]

    @property
    def load_s(self) -> float:
        """Return the seconds from the first phase's begin to the last one's end."""
        return sum(phase.for_s for phase in self.phases)

    @property
    def alerts(self) -> int:
        """Return the exact number of planned alerts."""
        return sum(phase.alerts for phase in self.phases)


def names(folder: Path) -> list[str]:
    """Return the names of the scenarios that a folder holds."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find(folder: Path, name: str, pace: str) -> Scenario:
    """Return a scenario by its name, which is its file's.

    Raises:
        DocumentError: if there is none of that name (those that exist are listed), or it cannot be used.
    """
    if name not in names(folder):
        sentence = f"unknown scenario {name!r}; {document.unknown(name, names(folder))}"
        raise DocumentError(f"--chaos-scenario: {sentence}")
    return parse(document.load(folder / f"{name}.yaml", f"{folder.name}/{name}.yaml"), name, pace)


def load(path: Path, pace: str) -> Scenario:
    """Return the scenario of a file that lies anywhere; it is named by its file.

    Raises:
        DocumentError: if it cannot be used.
    """
    return parse(document.load(path), path.stem, pace)


def parse(root: Node, name: str, pace: str) -> Scenario:
    """Return the scenario that a document describes, at one of its paces.

    Raises:
        DocumentError: naming file, path and mend.
    """
    top = root.fields(required=("title", "paces", "criteria"), optional=("target", "seed", "alert"))
    paces = top["paces"].fields(optional=PACES)
    if pace not in paces:
        raise top["paces"].error(f"has no pace {pace!r}; {document.unknown(pace, paces)}")
    body = paces[pace].fields(required=("phases",), optional=("settle", "faults"))
    phases = tuple(_phase(node) for node in body["phases"].items())
    if not phases:
        raise body["phases"].error("is empty; a run without load proves nothing, add a phase")
    load_s = sum(phase.for_s for phase in phases)
    faults = tuple(_fault(node, load_s) for node in body["faults"].items()) if "faults" in body else ()
    return Scenario(
        name=name,
        title=top["title"].text(),
        target=top["target"].text() if "target" in top else "sandbox",
        pace=pace,
        seed=top["seed"].whole() if "seed" in top else 0,
        alert=_recipe(top["alert"]) if "alert" in top else AlertRecipe(),
        phases=phases,
        settle_s=body["settle"].quantity(units.duration_s) if "settle" in body else 2.0,
        faults=faults,
        promises=tuple(_promise(node) for node in top["criteria"].items()),
    )


def _recipe(node: Node) -> AlertRecipe:
    got = node.fields(optional=("name", "namespace", "severity", "repeat", "per_post"))
    plain = AlertRecipe()
    return AlertRecipe(
        name=got["name"].text() if "name" in got else plain.name,
        namespace=got["namespace"].text() if "namespace" in got else plain.namespace,
        severity=got["severity"].text() if "severity" in got else plain.severity,
        repeat=got["repeat"].quantity(units.share) if "repeat" in got else plain.repeat,
        per_post=got["per_post"].whole(least=1) if "per_post" in got else plain.per_post,
    )


def _phase(node: Node) -> Phase:
    got = node.fields(required=("name", "rate", "for"), optional=("pattern",))
    phase = Phase(
        name=got["name"].text(),
        pattern=got["pattern"].one_of(PATTERNS) if "pattern" in got else "steady",
        rate_per_s=got["rate"].quantity(units.rate_per_s),
        for_s=got["for"].quantity(units.duration_s),
    )
    if phase.for_s == 0:
        raise got["for"].error("is zero; a phase lasts, write for example 10s")
    return phase


def _fault(node: Node, load_s: float) -> Fault:
    if not isinstance(node.value, dict):
        raise node.error(f"wanted fields like 'inject: process', got {node.value!r}")
    for name in ("inject", "at", "for"):
        if name not in node.value:
            raise node.error(f"field {name!r} is missing; add '{name}: …'")
    got = node.entries()
    at_s = got["at"].quantity(units.duration_s)
    for_s = got["for"].quantity(units.duration_s)
    if for_s == 0:
        raise got["for"].error("is zero; a fault that does not last cannot be seen, write for example 10s")
    if at_s + for_s > load_s:
        raise got["for"].error(
            f"the fault ends {at_s + for_s:g}s after the first alert, but the load ends at {load_s:g}s; "
            "lengthen a phase, so that recovery is seen under load"
        )
    fixed = ("name", "inject", "at", "for")
    return Fault(
        name=got["name"].text() if "name" in got else got["inject"].text(),
        inject=got["inject"].text(),
        at_s=at_s,
        for_s=for_s,
        options=dict(units.option(key, child.value) for key, child in got.items() if key not in fixed),
    )


def _promise(node: Node) -> Promise:
    if isinstance(node.value, str):
        return Promise(node.value, {}, f"{node.file}: {node.path}")
    entries = node.entries()
    if len(entries) != 1:
        raise node.error("wanted one criterion, like '- zero_loss' or '- recovery: {within: 30s}'")
    ((name, options),) = entries.items()
    given = {} if options.value is None else {k: v.value for k, v in options.entries().items()}
    return Promise(
        name, dict(units.option(k, v) for k, v in given.items()), f"{options.file}: {options.path}"
    )


__all__ = [
    "AlertRecipe",
    "DocumentError",
    "Fault",
    "Phase",
    "Promise",
    "Scenario",
    "find",
    "load",
    "names",
    "parse",
]
