"""The comparison of what a RemediationRequest holds of its alerts with what was sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from reports.history import Member, Resource
from shapes import alerts, load
from shapes.alerts import Naming, Planned
from shapes.paths import at_path
from shapes.scenario import Scenario
from shapes.target import ResourceRules


class Sent:
    """The alerts of a scenario's load, by their numbers."""

    def __init__(self, scenario: Scenario, rules: ResourceRules) -> None:
        self._rules = rules
        self._planned = {planned.number: planned for planned in load.plan(scenario)}

    def differences(
        self, item: Mapping[str, Any], resource: Resource, naming: Naming
    ) -> tuple[str, ...] | None:
        """Return what of its alerts is not in an object as it was sent, like ``labels.severity``, sorted;
        None if there is nothing to compare: an aggregated one without members, or one that nobody sent.

        What the object has beyond that is the Gateway's own business.
        """
        members = at_path(item, self._rules.members) or ()
        if members:
            found = [
                self._of(naming, _number(each), member.get("signalLabels"), member.get("signalAnnotations"))
                for member, each in zip(members, resource.members, strict=True)
            ]
        elif resource.aggregated:
            return None
        else:
            found = [self._single(naming, item, _number(resource))]
        known = [each for each in found if each is not None]
        return tuple(sorted({name for each in known for name in each})) if known else None

    def _single(self, naming: Naming, item: Mapping[str, Any], number: int | None) -> list[str] | None:
        labels, notes = at_path(item, self._rules.labels), at_path(item, self._rules.annotations)
        found = self._of(naming, number, labels, notes)
        if found is None or number is None or not self._rules.payload:
            return found
        return found + list(_of_payload(naming, self._planned[number], at_path(item, self._rules.payload)))

    def _of(self, naming: Naming, number: int | None, labels: Any, notes: Any) -> list[str] | None:
        sent = self._planned.get(-1 if number is None else number)
        if sent is None:
            return None
        found = [f"labels.{name}" for name in _missing(alerts.labels(naming, sent), labels)]
        return found + [f"annotations.{name}" for name in _missing(alerts.notes(naming, sent), notes)]


def _number(of: Resource | Member) -> int | None:
    return of.creator if of.creator is not None else of.subject


def _missing(wanted: Mapping[str, str], held: Any) -> list[str]:
    there = held if isinstance(held, Mapping) else {}
    return [name for name, value in wanted.items() if there.get(name) != value]


def _of_payload(naming: Naming, sent: Planned, payload: Any) -> Iterator[str]:
    try:
        held = json.loads(base64.b64decode(str(payload), validate=True))
    except ValueError:
        held = None
    if not isinstance(held, Mapping):
        yield "payload"
        return
    wanted = {"labels": alerts.labels(naming, sent), "annotations": alerts.notes(naming, sent)}
    for part, values in wanted.items():
        yield from (f"payload.{part}.{name}" for name in _missing(values, held.get(part)))
