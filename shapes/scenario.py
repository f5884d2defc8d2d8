"""A scenario: which load, which faults, which promises; parsed once from YAML into frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from shapes import document, fault, phase, push, stop_condition, units
from shapes.document import DocumentError, Node
from shapes.fault import Fault
from shapes.phase import AlertRecipe, Phase, exact
from shapes.stop_condition import StopCondition

PACES = ("quick", "plan")
SENDERS = ("once", "alertmanager")
THROUGH = ("alertmanager",)
_GROUP_INTERVAL_S = 300.0
PROBE_EVERY_S = 0.2
PROBE_GIVES_UP_S = 1.0
_PROBES_S = (0.02, 5.0)


@dataclass(frozen=True, slots=True)
class Promise:
    """A criterion by name, with its options as its ``check`` takes them."""

    criterion: str
    options: Mapping[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One pace of one scenario file; ``settle_s`` is the quiet time before the final read.

    ``sender`` is ``once``, where each alert is sent at most once, or ``alertmanager``, where what is not
    taken is sent again as Alertmanager does, with ``group_interval_s`` seconds between its flushes.
    ``through`` is ``alertmanager`` where the alerts are pushed to a real one, which posts them; empty: they
    are posted to the Gateway directly.
    With ``relayed`` a relay of this tool stands behind that one, and sees what the Gateway answers.
    ``variant_of`` names the scenario that this one varies; ``start_args`` are added to the command that
    starts the target, if one does. ``faults_in`` are the faults for targets that are broken by other means,
    by the word in the target's own ``faults_in``. ``stop_when`` are the conditions that break the run off.
    ``probe_every_s`` is how often each probe asks.
    """

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
    sender: str = "once"
    group_interval_s: float = _GROUP_INTERVAL_S
    variant_of: str = ""
    start_args: str = ""
    faults_in: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    stop_when: tuple[StopCondition, ...] = ()
    probe_every_s: float = PROBE_EVERY_S
    through: str = ""
    relayed: bool = False

    @property
    def load_s(self) -> float:
        """Return the seconds from the first phase's begin to the last one's end."""
        return sum(each.for_s for each in self.phases)

    @property
    def alerts(self) -> int:
        """Return the exact number of planned alerts, resolved ones counted."""
        left = sum((exact(each.for_s) for each in self.phases), Fraction(0))
        count = 0
        for each in self.phases:
            count += each.alerts + each.resolved(each.alert or self.alert, left)
            left -= exact(each.for_s)
        return count

    def lacks_faults_in(self, word: str) -> str:
        """Return why nothing tells how to break a target of that word; empty if something does."""
        if not word or word in self.faults_in or not (self.faults or self.faults_in):
            return ""
        listed = document.unknown(word, self.faults_in)
        return (
            f"{self.name}: pace {self.pace} has no faults_in.{word}, by which the target is broken; {listed}"
        )

    def broken_in(self, word: str) -> Scenario:
        """Return it with the faults for targets of that word; empty: the plain ones."""
        return replace(self, faults=self.faults_in.get(word, ())) if word else self


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
    optional = (
        "target",
        "seed",
        "alert",
        "sender",
        "group_interval",
        "variant_of",
        "start_args",
        "stop_when",
        "probe_every",
        "through",
        "relay",
    )
    top = root.fields(required=("title", "paces", "criteria"), optional=optional)
    paces = top["paces"].fields(optional=PACES)
    if pace not in paces:
        raise top["paces"].error(f"has no pace {pace!r}; {document.unknown(pace, paces)}")
    body = paces[pace].fields(required=("phases",), optional=("settle", "faults", "faults_in"))
    alert = phase.recipe(top["alert"], AlertRecipe()) if "alert" in top else AlertRecipe()
    phases = tuple(phase.parse(node, alert) for node in body["phases"].items())
    if not any(each.alerts for each in phases):
        raise body["phases"].error("plan no alert; a run without load proves nothing, add a phase")
    load_s = sum(each.for_s for each in phases)
    sender, group_interval_s = _sender(top)
    faults, faults_in = fault.parse_all(body, load_s)
    return Scenario(
        name=name,
        title=top["title"].text(),
        target=top["target"].text() if "target" in top else "sandbox",
        pace=pace,
        seed=top["seed"].whole() if "seed" in top else 0,
        alert=alert,
        phases=phases,
        settle_s=body["settle"].quantity(units.duration_s) if "settle" in body else 2.0,
        faults=faults,
        promises=tuple(_promise(node) for node in top["criteria"].items()),
        sender=sender,
        group_interval_s=group_interval_s,
        variant_of=top["variant_of"].text() if "variant_of" in top else "",
        start_args=top["start_args"].text() if "start_args" in top else "",
        faults_in=faults_in,
        stop_when=tuple(map(stop_condition.parse, top["stop_when"].items())) if "stop_when" in top else (),
        probe_every_s=_probe_every_s(top["probe_every"]) if "probe_every" in top else PROBE_EVERY_S,
        through=_through(top["through"], sender, alert, phases) if "through" in top else "",
        relayed=_relayed(top),
    )


def _sender(top: Mapping[str, Node]) -> tuple[str, float]:
    sender = top["sender"].one_of(SENDERS) if "sender" in top else "once"
    if "group_interval" not in top:
        return sender, _GROUP_INTERVAL_S
    if sender == "once":
        raise top["group_interval"].error("needs 'sender: alertmanager'; add that, or leave this out")
    seconds = top["group_interval"].quantity(units.duration_s)
    if seconds == 0:
        raise top["group_interval"].error("is zero; write for example 5m")
    return sender, seconds


def _through(node: Node, sender: str, alert: AlertRecipe, phases: tuple[Phase, ...]) -> str:
    word = node.one_of(THROUGH)
    if sender != "once":
        raise node.error(
            "stands beside 'sender: alertmanager', which only acts like one; leave one of them out"
        )
    refused = push.merged(alert, phases)
    if refused:
        raise node.error(refused)
    return word


def _relayed(top: Mapping[str, Node]) -> bool:
    if "relay" not in top:
        return False
    if "through" not in top:
        raise top["relay"].error("needs 'through: alertmanager'; add that, or leave this out")
    return top["relay"].one_of(("True", "False")) == "True"


def _probe_every_s(node: Node) -> float:
    least_s, most_s = _PROBES_S
    if not least_s <= (seconds := node.quantity(units.duration_s)) <= most_s:
        raise node.error(f"{seconds:g}s is not from {least_s:g}s to {most_s:g}s; write for example 200ms")
    return seconds


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
