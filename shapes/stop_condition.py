"""A stop condition: what must not become so bad that the run goes on; when it does, the run is broken off."""

from __future__ import annotations

from dataclasses import dataclass

from shapes import units
from shapes.document import Node

# What each condition takes beside what it needs.
KINDS = {
    "error_budget": (("share", "over"), ("least",)),
    "component_down": (("for",), ("except",)),
    "probe_gone": (("probe", "for"), ()),
}
PROBES = ("metrics", "ready", "components", "sentinel", "prometheus")
_LEAST = 10


@dataclass(frozen=True, slots=True)
class StopCondition:
    """One of a scenario's ``stop_when``. ``for_s`` is how long it may be broken or unknown, in seconds.

    - error_budget: of the alerts of the last ``for_s`` seconds more than ``share`` (0 to 1) were not
      acknowledged, and there were at least ``least``
    - component_down: one that the harness did not end itself, and that no pattern of ``spared`` matches
    - probe_gone: ``probe`` gave no good answer
    """

    kind: str
    for_s: float
    share: float = 0.0
    least: int = _LEAST
    probe: str = ""
    spared: tuple[str, ...] = ()
    place: str = ""


def parse(node: Node) -> StopCondition:
    """Return the condition that a node describes.

    Raises:
        DocumentError: naming file, path and mend.
    """
    entries = node.entries()
    if len(entries) != 1:
        raise node.error("wanted one condition, like '- error_budget: {share: 50%, over: 30s}'")
    ((kind, body),) = entries.items()
    Node(node.file, node.path, kind).one_of(KINDS)
    required, optional = KINDS[kind]
    got = body.fields(required=required, optional=optional)
    seconds = got["over" if kind == "error_budget" else "for"]
    for_s = seconds.quantity(units.duration_s)
    if for_s == 0:
        raise seconds.error("is zero; a single missed look would end the run, write for example 5s")
    return StopCondition(
        kind=kind,
        for_s=for_s,
        share=got["share"].quantity(units.share) if "share" in got else 0.0,
        least=got["least"].whole(least=1) if "least" in got else _LEAST,
        probe=got["probe"].one_of(PROBES) if "probe" in got else "",
        spared=tuple(item.text() for item in got["except"].items()) if "except" in got else (),
        place=f"{body.file}: {body.path}",
    )
