"""The alerts of a run: which falls due when, what its labels are, and the webhook body that carries it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from shapes.scenario import AlertRecipe, Scenario

ID_ANNOTATION = "alertstorm_id"
_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Planned:
    """Alert ``number`` (0, 1, …) of a run, due ``due_s`` after the start; ``subject`` is the number of the
    first alert with the same labels (its own, unless it repeats an earlier one)."""

    number: int
    subject: int
    phase: str
    due_s: float


@dataclass(frozen=True, slots=True)
class Naming:
    """How a run's alerts are named, so that they can be read back: ``token`` is unique to the run."""

    token: str

    def alert_id(self, number: int) -> str:
        """Return the id of an alert; it stands in its annotation."""
        return f"{self.token}-{number:07d}"

    def pod(self, subject: int) -> str:
        """Return the pod label, which carries the id of the first alert with these labels."""
        return f"chaos-{self.alert_id(subject)}"

    def number_in(self, text: str) -> int | None:
        """Return the number in an id, a pod name or ``namespace:Pod:name``; None if not of this run."""
        match = re.search(rf"(?<![0-9a-z]){re.escape(self.token)}-(\d{{7,}})$", text)
        return int(match[1]) if match else None


def plan(scenario: Scenario) -> Iterator[Planned]:
    """Yield every alert of a scenario in order of its due time: alert k of a phase is due at k/rate.

    The load is open: due times do not depend on what the target does. With ``per_post`` n, n alerts share
    the due time of the first. Repeats are drawn from the scenario's seed, so a run can be repeated.
    """
    chance = random.Random(scenario.seed)
    first_of: list[int] = []  # by number: the first alert with the same labels
    begin = Fraction(0)
    for phase in scenario.phases:
        for k in range(phase.alerts):
            opens_post = k - k % scenario.alert.per_post
            number = len(first_of)
            repeats = number > 0 and chance.random() < scenario.alert.repeat
            first_of.append(first_of[chance.randrange(number)] if repeats else number)
            yield Planned(number, first_of[-1], phase.name, float(begin + opens_post / phase.rate_per_s))
        begin += Fraction(str(phase.for_s))


def labels(recipe: AlertRecipe, naming: Naming, alert: Planned) -> dict[str, str]:
    """Return the labels of an alert; equal labels mean one fingerprint."""
    return {
        "alertname": recipe.name,
        "namespace": recipe.namespace,
        "pod": naming.pod(alert.subject),
        "severity": recipe.severity,
    }


def fingerprint(labelset: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set, 16 hex digits.

    FNV-1a over the sorted names and values, each followed by byte 255 (prometheus/common,
    model/signature.go and model/fnv.go).
    """
    value = _FNV_OFFSET
    for name in sorted(labelset):
        for part in (name, labelset[name]):
            for byte in (*part.encode(), 255):
                value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return f"{value:016x}"


def body(recipe: AlertRecipe, naming: Naming, alerts: Sequence[Planned], starts_at: str) -> bytes:
    """Return the Alertmanager webhook (version 4) that posts these alerts in one group.

    Args:
        starts_at: RFC 3339 time at which the alerts began to fire.
    """
    entries = [_entry(recipe, naming, alert, starts_at) for alert in alerts]
    group = {"alertname": recipe.name, "namespace": recipe.namespace}
    matcher = ", ".join(f'{name}="{value}"' for name, value in group.items())
    message = {
        "receiver": "alertstorm",
        "status": "firing",
        "alerts": entries,
        "groupLabels": group,
        "commonLabels": _common(entry["labels"] for entry in entries),
        "commonAnnotations": _common(entry["annotations"] for entry in entries),
        "externalURL": "http://alertstorm.invalid",
        "version": "4",
        "groupKey": "{}:{" + matcher + "}",
        "truncatedAlerts": 0,
    }
    return json.dumps(message, separators=(",", ":")).encode()


def _entry(recipe: AlertRecipe, naming: Naming, alert: Planned, starts_at: str) -> dict[str, object]:
    labelset = labels(recipe, naming, alert)
    return {
        "status": "firing",
        "labels": labelset,
        "annotations": {
            ID_ANNOTATION: naming.alert_id(alert.number),
            "summary": f"{recipe.name} of {labelset['pod']}",
        },
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",  # Go's zero time: an alert that still fires.
        "generatorURL": "http://alertstorm.invalid/graph",
        "fingerprint": fingerprint(labelset),
    }


def _common(sets: Iterable[object]) -> dict[str, str]:
    shared: dict[str, str] | None = None
    for each in sets:
        assert isinstance(each, dict)
        shared = dict(each) if shared is None else {k: v for k, v in shared.items() if each.get(k) == v}
    return shared or {}
