"""The RemediationRequests of a run on disk: a JSON document with a line for each, so that it is written and
read without holding all of its text, or a second form of each resource, at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from reports.history import Member, Resource

FILE = "truth.json"
_LIST = ', "resources": [\n'
_NAMES = [field.name for field in fields(Resource)]


def write(
    folder: Path, resources: Iterable[Resource], *, stable: bool, watched: Mapping[str, object] | None = None
) -> None:
    """Write what was read; a reader finds the whole of it or nothing.

    Raises:
        OSError: if the disk does not take it.
    """
    head = {"stable": stable, **({"watched": dict(watched)} if watched else {})}
    path = folder / FILE
    beside = path.with_suffix(".part")
    with beside.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + _LIST)
        between = ""
        for resource in resources:
            file.write(between + json.dumps(_document(resource)))
            between = ",\n"
        file.write(("\n" if between else "") + "]}\n")
    beside.replace(path)


def read(folder: Path, damage: list[str]) -> tuple[tuple[Resource, ...] | None, bool]:
    """Return the resources and whether they held still; None if they were never read, or cannot be
    understood, which is named.

    Raises:
        LookupError, TypeError, AttributeError: if it is a document, but not of resources.
    """
    path = folder / FILE
    if not path.exists():
        return None, False
    try:
        with path.open(encoding="utf-8") as file:
            head = next(file, "")
            if head.endswith(_LIST):
                stable = json.loads(head.removesuffix(_LIST) + "}")["stable"]
                return tuple(_resource(value) for value in _lines(file)), bool(stable)
        # As earlier versions wrote it, or somebody's hand.
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        damage.append(f"{path.name}: {problem}")
        return None, False
    return tuple(_resource(value) for value in told["resources"]), bool(told["stable"])


def _lines(file: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in file:
        if line == "]}\n":
            return
        if line == "\n":
            continue  # Some runs of no resource have it.
        yield json.loads(line.rstrip("\n").removesuffix(","))
    raise ValueError("is torn")


def _document(resource: Resource) -> dict[str, Any]:
    told = {name: getattr(resource, name) for name in _NAMES}
    if resource.members:
        told["members"] = [asdict(member) for member in resource.members]
    return told


def _resource(value: dict[str, Any]) -> Resource:
    value["aggregated"] = tuple(value["aggregated"])
    value["members"] = tuple(Member(**member) for member in value.get("members", ()))
    differs = value.get("differs")
    value["differs"] = None if differs is None else tuple(differs)
    return Resource(**value)
