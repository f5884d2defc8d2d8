"""A fault as a scenario asks for it: which injector, when, for how long, with what options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shapes import units
from shapes.document import Node

_FIXED = ("name", "inject", "at", "for")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as asked for: injector ``inject``, ``at_s`` after the start, for ``for_s`` seconds.

    ``place`` is where it stands, for errors; two faults are the same wherever they stand.
    """

    name: str
    inject: str
    at_s: float
    for_s: float
    options: Mapping[str, Any]
    place: str = field(default="", compare=False)


def parse_all(pace: Mapping[str, Node], load_s: float) -> tuple[tuple[Fault, ...], Mapping[str, Any]]:
    """Return a pace's ``faults``, and those of ``faults_in`` by the name of what they are for.

    Raises:
        DocumentError: naming file, path and mend.
    """
    plain = _parse_list(pace["faults"], load_s) if "faults" in pace else ()
    others = pace["faults_in"].entries() if "faults_in" in pace else {}
    return plain, {name: _parse_list(node, load_s) for name, node in others.items()}


def _parse_list(node: Node, load_s: float) -> tuple[Fault, ...]:
    return tuple(_parse(item, load_s) for item in node.items())


def _parse(node: Node, load_s: float) -> Fault:
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
    return Fault(
        name=got["name"].text() if "name" in got else got["inject"].text(),
        inject=got["inject"].text(),
        at_s=at_s,
        for_s=for_s,
        options=dict(units.option(key, child.value) for key, child in got.items() if key not in _FIXED),
        place=f"{node.file}: {node.path}",
    )
