"""An alert of a run: its number and due time, its labels, and the webhook body that carries it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shapes import alert_rules
from shapes.alert_rules import AlertRules
from shapes.phase import AlertRecipe

ID_ANNOTATION = "alertstorm_id"
_PLAIN = AlertRecipe()
_STILL_FIRES = "0001-01-01T00:00:00Z"  # Go's zero time.
FNV_OFFSET, FNV_PRIME, FNV_MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


class Planned(NamedTuple):
    """Alert ``number`` (0, 1, …) of a run, due ``due_s`` after the start; ``subject`` is the number of the
    first alert with the same labels (its own, unless it repeats an earlier one).

    Alerts with the same ``volley`` (1, 2, …; 0: none) are released at one instant. ``fired_s`` is None of an
    alert that fires; of a resolved one, when the alert that it ends was due. One that is ``unusable`` has no
    alertname.
    """

    number: int
    subject: int
    phase: str
    due_s: float
    recipe: AlertRecipe = _PLAIN
    volley: int = 0
    fired_s: float | None = None
    unusable: bool = False

    @property
    def post(self) -> tuple[object, ...]:
        """Return what the alerts of one POST have in common."""
        return (self.phase, self.due_s, self.recipe.family, self.volley, self.fired_s is None)


@dataclass(frozen=True, slots=True)
class Naming:
    """How a run's alerts are named, so that they can be read back: ``token`` is unique to the run.

    ``rules`` are the target's; ``storms`` are the families (`AlertRecipe.family`) that keep one alertname,
    whatever those say: they are meant to be taken for a storm.
    """

    token: str
    rules: AlertRules = alert_rules.PLAIN
    storms: frozenset[tuple[str, str, str]] = frozenset()

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


def labels(naming: Naming, alert: Planned) -> dict[str, str]:
    """Return the labels of an alert; equal labels mean one fingerprint."""
    own = naming.rules.own_names and alert.recipe.family not in naming.storms
    name = f"{alert.recipe.name}-{naming.alert_id(alert.subject)}" if own else alert.recipe.name
    return {
        **({} if alert.unusable else {"alertname": name}),
        "namespace": alert.recipe.namespace,
        naming.rules.object_label: naming.pod(alert.subject),
        "severity": alert.recipe.severity,
    }


def answered_fingerprint(naming: Naming, alert: Planned) -> str:
    """Return the fingerprint by which the target's answer speaks of an alert: the one that was sent, or the
    sha256 of the parts that its rules name, put together with colons."""
    labelset = labels(naming, alert)
    if not naming.rules.fingerprint:
        return fingerprint(labelset)
    parts = {
        **{name: labelset.get(name, "") for name in ("alertname", "namespace")},
        "kind": naming.rules.kind,
        "name": labelset[naming.rules.object_label],
    }
    return hashlib.sha256(":".join(parts[name] for name in naming.rules.fingerprint).encode()).hexdigest()


def notes(naming: Naming, alert: Planned) -> dict[str, str]:
    """Return the annotations of an alert; they differ from those of every other one."""
    pod = naming.pod(alert.subject)
    more = {naming.rules.id_annotation: pod} if naming.rules.id_annotation else {}
    summary = f"{alert.recipe.name} of {pod}"
    return {ID_ANNOTATION: naming.alert_id(alert.number), "summary": summary, **more}


def fingerprint(labelset: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set, 16 hex digits.

    FNV-1a over the sorted names and values, each followed by byte 255 (prometheus/common,
    model/signature.go and model/fnv.go).
    """
    return f"{fnv(hashed(labelset)):016x}"


def hashed(labelset: Mapping[str, str]) -> bytes:
    """Return the text of which a label set's fingerprint is the hash."""
    return b"".join(b"%b\xff%b\xff" % (name.encode(), labelset[name].encode()) for name in sorted(labelset))


def fnv(text: bytes, state: int = FNV_OFFSET) -> int:
    """Return the FNV-1a hash of 64 bits after a text, begun or gone on with."""
    for byte in text:
        state = ((state ^ byte) * FNV_PRIME) & FNV_MASK
    return state


def body(naming: Naming, alerts: Sequence[Planned], wall: Callable[[float], str]) -> bytes:
    """Return the Alertmanager webhook (version 4) that posts these alerts in one group; the group is resolved
    when all of them are.

    Args:
        wall: gives the RFC 3339 time of seconds since the run's start. An alert fires from its due time on.
    """
    entries = [entry(naming, alert, wall) for alert in alerts]
    group = {"namespace": alerts[0].recipe.namespace}
    names = {each["labels"].get("alertname") for each in entries}
    if len(names) == 1 and None not in names:
        group = {"alertname": names.pop(), **group}
    matcher = ", ".join(f'{name}="{value}"' for name, value in group.items())
    fires = any(alert.fired_s is None for alert in alerts)
    message = {
        "receiver": "alertstorm",
        "status": "firing" if fires else "resolved",
        "alerts": entries,
        "groupLabels": group,
        "commonLabels": _common(each["labels"] for each in entries),
        "commonAnnotations": _common(each["annotations"] for each in entries),
        "externalURL": "http://alertstorm.invalid",
        "version": "4",
        "groupKey": "{}:{" + matcher + "}",
        "truncatedAlerts": 0,
    }
    return encoded(message)


def encoded(value: object) -> bytes:
    """Return a value as JSON without a blank."""
    return json.dumps(value, separators=(",", ":")).encode()


def entry(naming: Naming, alert: Planned, wall: Callable[[float], str]) -> dict[str, Any]:
    """Return an alert as it stands in a webhook's list."""
    labelset = labels(naming, alert)
    fires = alert.fired_s is None
    return {
        "status": "firing" if fires else "resolved",
        "labels": labelset,
        "annotations": notes(naming, alert),
        "startsAt": wall(alert.due_s if alert.fired_s is None else alert.fired_s),
        "endsAt": _STILL_FIRES if fires else wall(alert.due_s),
        "generatorURL": "http://alertstorm.invalid/graph",
        "fingerprint": fingerprint(labelset),
    }


def _common(sets: Iterable[object]) -> dict[str, str]:
    shared: dict[str, str] | None = None
    for each in sets:
        assert isinstance(each, dict)
        shared = dict(each) if shared is None else {k: v for k, v in shared.items() if each.get(k) == v}
    return shared or {}
