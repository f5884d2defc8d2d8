"""A cool-down: what is waited for, and removed, between two runs against a target that stays."""

from __future__ import annotations

from dataclasses import dataclass

from shapes import units
from shapes.document import Node


@dataclass(frozen=True, slots=True)
class CoolDown:
    """Seconds. Nothing is removed unless the target file says so: ``delete_resources`` means the finished
    run's own RemediationRequests, ``redis_keys`` patterns as SCAN takes them, whoever wrote the keys."""

    within_s: float = 120.0
    steady_for_s: float = 3.0
    delete_resources: bool = False
    redis_keys: tuple[str, ...] = ()


def parse(node: Node) -> CoolDown:
    """Return the cool-down that a target file asks for.

    Raises:
        DocumentError: naming file, path and mend.
    """
    got = node.fields(optional=("within", "steady_for", "delete_resources", "redis_keys"))
    plain = CoolDown()
    delete = got["delete_resources"].value if "delete_resources" in got else False
    if not isinstance(delete, bool):
        raise got["delete_resources"].error(f"wanted true or false, got {delete!r}")
    return CoolDown(
        within_s=got["within"].quantity(units.duration_s) if "within" in got else plain.within_s,
        steady_for_s=got["steady_for"].quantity(units.duration_s)
        if "steady_for" in got
        else plain.steady_for_s,
        delete_resources=delete,
        redis_keys=tuple(item.text() for item in got["redis_keys"].items()) if "redis_keys" in got else (),
    )
