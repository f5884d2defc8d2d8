"""The RemediationRequest of a storm: one for all alerts of a window.

Each alert is a member in `spec.stormMembers`, with its labels, its annotations and an occurrenceCount of its
own; `spec.affectedResources` names the members' targets in the order in which they came, and
`spec.stormAlertCount` says how many they are. `spec.deduplication.occurrenceCount` counts every occurrence,
of repeated alerts too: it is the sum of the members'.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.gateway import remediation_request as rr
from sandbox.gateway.entry import Entry, by_fingerprint
from sandbox.gateway.storm_window import Window

STORM_LABEL = "kubernaut.io/storm"
WINDOW_ANNOTATION = "kubernaut.io/storm-window-id"
ENDS_ANNOTATION = "kubernaut.io/storm-window-ends-at"
# How many buffered occurrences the CRD was made with: a try whose answer was lost is recognised by it.
BUFFERED_ANNOTATION = "kubernaut.io/storm-buffered"
_SEVERITIES = ("critical", "warning", "info")


def name_of(window_id: str) -> str:
    """The name of the request of a window: rr-storm-<20 digits>."""
    return f"rr-storm-{_digest(window_id)[:20]}"


def body_of(
    window: Window, entries: list[Entry], length_s: float, namespace: str, now: datetime
) -> dict[str, Any]:
    """The object to create when a window of `length_s` seconds opens with `entries`."""
    first, fingerprint = entries[0].alert, _digest(window.id)
    members = [_member(group, now) for group in by_fingerprint(entries)]
    severity = min((entry.alert.severity for entry in entries), key=_SEVERITIES.index)
    return {
        "apiVersion": rr.API_VERSION,
        "kind": rr.KIND,
        "metadata": {
            "name": window.crd_name,
            "namespace": namespace,
            "labels": rr.labels_of(fingerprint, severity) | {STORM_LABEL: "true"},
            "annotations": {
                "kubernaut.io/created-at": rr.stamp(now),
                rr.CREATOR_ANNOTATION: entries[0].id,
                WINDOW_ANNOTATION: window.id,
                ENDS_ANNOTATION: rr.stamp(datetime.fromtimestamp(window.ends_s, UTC)),
                BUFFERED_ANNOTATION: str(len(entries)),
            },
        },
        "spec": rr.spec_of(first, fingerprint, now)
        | {
            "severity": severity,
            "isStorm": True,
            "stormType": "rate",
            "stormWindow": f"{length_s:g}s",
            "signalLabels": _common([member["signalLabels"] for member in members]),
            "signalAnnotations": _common([member["signalAnnotations"] for member in members]),
            "deduplication": rr.deduplication_of(len(entries), now),
        }
        | _of_members(members),
    }


def with_entries(request: dict[str, Any], entries: list[Entry], now: datetime, writer: str) -> dict[str, Any]:
    """A copy of `request` with these occurrences added, each to the member with its fingerprint.

    One that made a member is not added again: a write whose answer was lost did arrive.
    """
    members = {member["fingerprint"]: member for member in request["spec"]["stormMembers"]}
    makers = {member["firstRequest"] for member in members.values()}
    entries = [entry for entry in entries if entry.id not in makers]
    for group in by_fingerprint(entries):
        old = members.get(group[0].fingerprint)
        count = (old["occurrenceCount"] if old else 0) + len(group)
        members[group[0].fingerprint] = (old or _member(group, now)) | {
            "lastSeen": rr.stamp(now),
            "occurrenceCount": count,
        }
    total = rr.counted(request, now, writer, fingerprint="", by=len(entries))
    return total | {"spec": total["spec"] | _of_members(list(members.values()))}


def fingerprints_of(request: Mapping[str, Any]) -> list[str]:
    """The fingerprints of the members."""
    return [member["fingerprint"] for member in request["spec"].get("stormMembers", [])]


def window_of(request: Mapping[str, Any]) -> Window | None:
    """The window whose request this is; None when it does not say so."""
    annotations = request["metadata"].get("annotations") or {}
    try:
        ends_s = datetime.fromisoformat(annotations[ENDS_ANNOTATION]).timestamp()
        namespace = request["spec"]["affectedResources"][0].partition(":")[0]
        key = (namespace, request["spec"]["signalName"])
        return Window(annotations[WINDOW_ANNOTATION], key, request["metadata"]["name"], ends_s)
    except (KeyError, IndexError, ValueError):
        return None


def _member(group: list[Entry], now: datetime) -> dict[str, Any]:
    alert = group[0].alert
    return {
        "resource": f"{alert.namespace}:{alert.target_kind}:{alert.target_name}",
        "fingerprint": group[0].fingerprint,
        "firstRequest": group[0].id,
        "firingTime": alert.starts_at or rr.stamp(now),
        "signalLabels": dict(alert.labels),
        "signalAnnotations": dict(alert.annotations),
        "firstSeen": rr.stamp(now),
        "lastSeen": rr.stamp(now),
        "occurrenceCount": len(group),
    }


def _of_members(members: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "stormAlertCount": len(members),
        "affectedResources": list(dict.fromkeys(member["resource"] for member in members)),
        "stormMembers": members,
    }


def _common(sets: list[dict[str, str]]) -> dict[str, str]:
    """What all have in common, as Alertmanager's commonLabels and commonAnnotations."""
    return {key: value for key, value in sets[0].items() if all(each.get(key) == value for each in sets)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
