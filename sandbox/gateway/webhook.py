"""The Alertmanager webhook, version 4: from the bytes of a request to alerts.

The format is that of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TARGETS = (
    ("pod", "Pod"),
    ("deployment", "Deployment"),
    ("statefulset", "StatefulSet"),
    ("daemonset", "DaemonSet"),
    ("node", "Node"),
    ("service", "Service"),
)
_SEVERITIES = ("critical", "warning", "info")


class WebhookError(ValueError):
    """The body is no webhook with alerts, or an alert in it is unusable; `reason` is one word for metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a webhook; `raw` is its JSON object as it was sent."""

    name: str
    namespace: str
    target_kind: str
    target_name: str
    severity: str
    resolved: bool
    starts_at: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    raw: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of alertname:namespace:Kind:name, the identity of deduplication."""
        identity = f"{self.name}:{self.namespace}:{self.target_kind}:{self.target_name}"
        return hashlib.sha256(identity.encode()).hexdigest()


def parse_body(body: bytes) -> list[Alert | WebhookError]:
    """The alerts of a webhook in the order of the body; one that cannot be used is its WebhookError.

    Raises WebhookError when the body as a whole is not a webhook with at least one alert.
    """
    try:
        document = json.loads(body)
    except ValueError as error:
        raise WebhookError("invalid_json", f"the body is not JSON: {error}") from error
    alerts = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(alerts, list) or not alerts:
        raise WebhookError("no_alerts", "the body has no alerts: a non-empty list is expected under 'alerts'")
    return [_alert_or_error(raw, index) for index, raw in enumerate(alerts)]


def _alert_or_error(raw: Any, index: int) -> Alert | WebhookError:
    try:
        return parse_alert(raw, where=f"alerts[{index}]")
    except WebhookError as error:
        return error


def parse_alert(raw: Any, where: str = "alert") -> Alert:
    """One alert object of a webhook. Raises WebhookError, whose text begins with `where`."""
    if not isinstance(raw, dict):
        raise WebhookError("invalid_alert", f"{where} is not an object")
    labels = _strings(raw.get("labels"), f"{where}.labels")
    annotations = _strings(raw.get("annotations"), f"{where}.annotations")
    name = labels.get("alertname")
    if not name:
        raise WebhookError("no_alertname", f"{where}.labels has no alertname")
    kind, target = next(
        ((kind, labels[key]) for key, kind in _TARGETS if labels.get(key)), ("Unknown", "unknown")
    )
    severity = labels.get("severity", "")
    starts_at = raw.get("startsAt")
    return Alert(
        name=name,
        namespace=labels.get("namespace") or labels.get("exported_namespace") or "default",
        target_kind=kind,
        target_name=target,
        severity=severity if severity in _SEVERITIES else "warning",
        resolved=raw.get("status") == "resolved",
        starts_at=starts_at if isinstance(starts_at, str) and starts_at else None,
        labels=labels,
        annotations=annotations,
        raw=raw,
    )


def _strings(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise WebhookError("invalid_alert", f"{where} is not an object of strings")
    return value
