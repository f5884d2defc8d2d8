"""The RemediationRequest (remediation.kubernaut.io/v1alpha1 of kubernaut): its name, its body, its count."""

import base64
import json
from datetime import datetime
from typing import Any

from sandbox.gateway.webhook import Alert

API_VERSION = "remediation.kubernaut.io/v1alpha1"
KIND = "RemediationRequest"
# The requests that created the object and that wrote it last: they tell a writer whose answer was lost that
# its write did arrive, so that it is not made, and counted, again.
CREATOR_ANNOTATION = "kubernaut.io/created-by-request"
WRITER_ANNOTATION = "kubernaut.io/written-by-request"
_FINISHED_PHASES = ("Completed", "Failed", "Cancelled")


def name_of(fingerprint: str, generation: int) -> str:
    """The name of the n-th request of a fingerprint, n from 1: rr-<20 digits>, then with -2, -3 ..."""
    return f"rr-{fingerprint[:20]}" + (f"-{generation}" if generation > 1 else "")


def body_of(
    alert: Alert, name: str, namespace: str, now: datetime, writer: str, count: int = 1
) -> dict[str, Any]:
    """The object to create for the first `count` occurrences of `alert`; `now` is in UTC."""
    moment = stamp(now)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels_of(alert.fingerprint, alert.severity),
            "annotations": {"kubernaut.io/created-at": moment, CREATOR_ANNOTATION: writer},
        },
        "spec": spec_of(alert, alert.fingerprint, now)
        | {
            "signalLabels": dict(alert.labels),
            "signalAnnotations": dict(alert.annotations),
            "originalPayload": base64.b64encode(json.dumps(alert.raw).encode()).decode(),
            "deduplication": deduplication_of(count, now),
        },
    }


def labels_of(fingerprint: str, severity: str) -> dict[str, str]:
    """The labels of a request."""
    return {
        "kubernaut.io/signal-type": "prometheus-alert",
        # A label value holds at most 63 characters, one less than a fingerprint.
        "kubernaut.io/signal-fingerprint": fingerprint[:63],
        "kubernaut.io/severity": severity,
        "app.kubernetes.io/managed-by": "gateway-service",
        "app.kubernetes.io/component": "remediation",
    }


def spec_of(alert: Alert, fingerprint: str, now: datetime) -> dict[str, Any]:
    """What the spec of a request for one alert and that of a storm which it begins have in common."""
    return {
        "signalFingerprint": fingerprint,
        "signalName": alert.name,
        "severity": alert.severity,
        "signalType": "prometheus-alert",
        "signalSource": "prometheus",
        "targetType": "kubernetes",
        "firingTime": alert.starts_at or stamp(now),
        "receivedTime": stamp(now),
    }


def deduplication_of(count: int, now: datetime) -> dict[str, Any]:
    """The part of the spec that counts, after `count` occurrences at `now`."""
    return {
        "isDuplicate": False,
        "firstSeen": stamp(now),
        "lastSeen": stamp(now),
        "occurrenceCount": count,
    }


def counted(
    request: dict[str, Any], now: datetime, writer: str, *, fingerprint: str, by: int = 1
) -> dict[str, Any]:
    """A copy of `request`, as read from the API, with its occurrenceCount raised by `by`.

    In a storm's request the count of the member with this fingerprint is raised too.
    """
    spec, metadata = request["spec"], request["metadata"]
    deduplication = spec.get("deduplication", {}) | {
        "lastSeen": stamp(now),
        "occurrenceCount": count_of(request) + by,
    }
    if "stormMembers" in spec:
        spec = spec | {
            "stormMembers": [
                member | {"lastSeen": stamp(now), "occurrenceCount": member["occurrenceCount"] + by}
                if member["fingerprint"] == fingerprint
                else member
                for member in spec["stormMembers"]
            ]
        }
    annotations = (metadata.get("annotations") or {}) | {WRITER_ANNOTATION: writer}
    return request | {
        "spec": spec | {"deduplication": deduplication},
        "metadata": metadata | {"annotations": annotations},
    }


def count_of(request: dict[str, Any], fingerprint: str = "") -> int:
    """How often the alert of `request` was seen; of a storm: the member with this fingerprint, or all."""
    for member in request["spec"].get("stormMembers", []):
        if member["fingerprint"] == fingerprint:
            return int(member["occurrenceCount"])
    return int(request["spec"].get("deduplication", {}).get("occurrenceCount", 0))


def created_by(request: dict[str, Any], writer: str) -> bool:
    """Whether `writer` was the Gateway request that created it."""
    return (request["metadata"].get("annotations") or {}).get(CREATOR_ANNOTATION) == writer


def written_by(request: dict[str, Any], writer: str) -> bool:
    """Whether `writer` was the last Gateway request to count in it."""
    return (request["metadata"].get("annotations") or {}).get(WRITER_ANNOTATION) == writer


def is_finished(request: dict[str, Any]) -> bool:
    """Whether a further alert needs a new request: this one is in a terminal phase or is being deleted."""
    phase = (request.get("status") or {}).get("overallPhase")
    return phase in _FINISHED_PHASES or "deletionTimestamp" in request["metadata"]


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
