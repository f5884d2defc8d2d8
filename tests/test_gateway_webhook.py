"""From a webhook to alerts, to the RemediationRequest of one, and to the HTTP answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.gateway import answer
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.pipeline import Result
from sandbox.gateway.unsent import unsent
from sandbox.gateway.webhook import Alert, WebhookError, parse_alert, parse_body

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@pytest.mark.parametrize(
    ("labels", "identity"),
    [
        ({"namespace": "ns", "pod": "p", "node": "n"}, ("ns", "Pod", "p")),
        ({"namespace": "ns", "service": "s", "deployment": "d"}, ("ns", "Deployment", "d")),
        ({"namespace": "ns", "statefulset": "s"}, ("ns", "StatefulSet", "s")),
        ({"namespace": "ns", "daemonset": "d", "pod": ""}, ("ns", "DaemonSet", "d")),
        ({"exported_namespace": "ens", "node": "n"}, ("ens", "Node", "n")),
        ({"service": "s"}, ("default", "Service", "s")),
        ({}, ("default", "Unknown", "unknown")),
    ],
)
def test_target(labels: dict[str, str], identity: tuple[str, str, str]) -> None:
    """The first label present of pod, deployment, statefulset, daemonset, node, service names the target."""
    alert = parse_alert({"labels": {"alertname": "A"} | labels})
    assert (alert.namespace, alert.target_kind, alert.target_name) == identity


def test_fingerprint() -> None:
    """SHA-256 of alertname:namespace:Kind:name; what the sender calls a fingerprint does not matter."""
    labels = {"alertname": "PodCrashed", "namespace": "prod-api", "pod": "api-1", "severity": "critical"}
    alert = parse_alert({"labels": labels, "fingerprint": "169f36bf9b79dcf7"})
    assert alert.fingerprint == "17f5306308e57a562223288868af8d927192e47927a9bb0ee43479169d205f1f"
    assert alert.severity == "critical"


@pytest.mark.parametrize(("sent", "kept"), [("info", "info"), ("page", "warning"), ("", "warning")])
def test_severity(sent: str, kept: str) -> None:
    """Other than critical, warning and info is a warning."""
    assert parse_alert({"labels": {"alertname": "A", "severity": sent}}).severity == kept


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"null", "no_alerts"),
        (b'{"alerts": {}}', "no_alerts"),
        (b'{"alerts": []}', "no_alerts"),
    ],
)
def test_useless_bodies(body: bytes, reason: str) -> None:
    """A body that is no webhook with alerts is refused as a whole."""
    with pytest.raises(WebhookError) as caught:
        parse_body(body)
    assert caught.value.reason == reason


def test_useless_alerts_keep_their_place() -> None:
    """One alert that cannot be used does not spoil the others."""
    alerts: list[Any] = [
        {"labels": {"alertname": "A"}, "status": "resolved"},
        {"labels": {}},
        7,
        {"labels": {"alertname": "A"}, "annotations": {"x": 1}},
    ]
    parsed = parse_body(json.dumps({"alerts": alerts}).encode())
    assert isinstance(parsed[0], Alert)
    assert parsed[0].resolved
    assert [str(error) for error in parsed[1:]] == [
        "alerts[1].labels has no alertname",
        "alerts[2] is not an object",
        "alerts[3].annotations is not an object of strings",
    ]


def test_unsent_alert() -> None:
    """The numeric tail of the pod becomes an unused number, as wide, and so do ids that ended in it."""
    alert = parse_alert(
        {
            "labels": {"alertname": "A", "pod": "api-0000042"},
            "annotations": {"id": "run-7-0000042", "short": "x42", "other": "v43", "text": "42 pods"},
        }
    )
    ghost = unsent(alert, 1)
    assert ghost.target_name == "api-0900001"
    assert ghost.annotations == {
        "id": "run-7-0900001",
        "short": "x0900001",
        "other": "v43",
        "text": "42 pods",
    }
    assert unsent(parse_alert({"labels": {"alertname": "A", "pod": "api"}}), 0).target_name == "api-900000"


def request() -> dict[str, Any]:
    alert = parse_alert({"labels": {"alertname": "A"}})
    return rr.body_of(alert, "rr-1", "ns", NOW, writer="first")


def test_counting() -> None:
    """A copy with the count raised; the creator stays, the writer is new."""
    before = request()
    later = rr.counted(
        before, NOW.replace(second=6), "second", fingerprint=before["spec"]["signalFingerprint"]
    )
    assert (rr.count_of(before), rr.count_of(later)) == (1, 2)
    assert later["spec"]["deduplication"] == {
        "isDuplicate": False,
        "firstSeen": "2026-01-02T03:04:05.678Z",
        "lastSeen": "2026-01-02T03:04:06.678Z",
        "occurrenceCount": 2,
    }
    assert rr.created_by(later, "first")
    assert rr.written_by(later, "second")
    assert not rr.written_by(before, "first")


@pytest.mark.parametrize(
    ("change", "finished"),
    [
        ({}, False),
        ({"status": {"overallPhase": "Processing"}}, False),
        ({"status": {"overallPhase": "Completed"}}, True),
        ({"status": {"overallPhase": "Failed"}}, True),
        ({"status": {"overallPhase": "Cancelled"}}, True),
        ({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}, True),
    ],
)
def test_finished(change: dict[str, Any], finished: bool) -> None:
    """Terminal, or being deleted: the next alert needs another request."""
    assert rr.is_finished(request() | change) is finished


def test_names() -> None:
    """Deterministic, so that the API refuses a second one."""
    assert [rr.name_of("0123456789" * 6 + "abcd", n) for n in (1, 2, 3)] == [
        "rr-01234567890123456789",
        "rr-01234567890123456789-2",
        "rr-01234567890123456789-3",
    ]


CREATED = Result("created", "made", "f1", "rr-1", 1)
RESOLVED = Result("resolved", "gone", "f2")
FAILED = Result("failed", "away", "f3", reason="kubernetes_503")
REJECTED = Result("rejected", "no name", reason="no_alertname")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([CREATED], 201),
        ([Result("duplicate", "again", "f1", "rr-1", 2)], 202),
        ([RESOLVED], 200),
        ([REJECTED], 400),
        ([FAILED], 503),
        ([CREATED, FAILED], 207),
        ([RESOLVED, REJECTED], 207),
        ([FAILED, FAILED], 503),
        ([FAILED, REJECTED], 503),
        ([REJECTED, REJECTED], 400),
    ],
)
def test_status_of_an_answer(results: list[Result], status: int) -> None:
    """A 2xx only if an alert was accepted; else a 503, which is tried again, unless none can ever be."""
    response = answer.to_results(results, "ns", 503)
    assert response.status_code == status
    assert (response.headers.get("Retry-After") == "5") == (status == 503)
