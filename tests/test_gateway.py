"""The reference Gateway as a process, with real Redis behind a Sentinel and the sandbox's Kubernetes API."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from gateway_processes import ROOT, until
from gateway_world import Gateway, KubernetesApi, RedisServer, alert

STATE = "gateway_circuit_breaker_state"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def api(directory: Path) -> Iterator[KubernetesApi]:
    server = KubernetesApi(directory)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def redis(directory: Path) -> Iterator[RedisServer]:
    server = RedisServer(directory)
    yield server
    server.end()


@pytest.fixture(scope="module")
def gateway(directory: Path, api: KubernetesApi, redis: RedisServer) -> Iterator[Gateway]:
    server = Gateway(directory, api, redis=redis)
    yield server
    server.child.kill()


def test_created_then_duplicate(gateway: Gateway, api: KubernetesApi) -> None:
    """The first alert makes a CRD (201), the same again is counted in it (202)."""
    sent = alert("First", 7)
    first, second = gateway.post(sent), gateway.post(sent)
    fingerprint = "849bd4f124df8ea37ca8304fe011f61b8dfda266f2e898cb548eb365b6256f3a"
    assert first.status_code == 201
    body = first.json()
    assert body == {
        "status": "created",
        "fingerprint": fingerprint,
        "duplicate": False,
        "message": "a RemediationRequest was created",
        "remediationRequestName": f"rr-{fingerprint[:20]}",
        "remediationRequestNamespace": "alertstorm",
    }
    assert second.status_code == 202
    assert (second.json()["status"], second.json()["duplicate"]) == ("duplicate", True)
    assert second.json()["metadata"] == {"count": 2}
    assert second.json()["remediationRequestName"] == body["remediationRequestName"]
    (request,) = api.requests_of("First")
    spec = request["spec"]
    assert json.loads(base64.b64decode(spec.pop("originalPayload"))) == sent
    assert (
        spec["deduplication"].pop("lastSeen")
        >= spec["deduplication"].pop("firstSeen")
        == spec.pop("receivedTime")
    )
    assert spec == {
        "signalFingerprint": fingerprint,
        "signalName": "First",
        "severity": "critical",
        "signalType": "prometheus-alert",
        "signalSource": "prometheus",
        "targetType": "kubernetes",
        "firingTime": "2026-01-02T03:04:05.678Z",
        "signalLabels": sent["labels"],
        "signalAnnotations": sent["annotations"],
        "deduplication": {"isDuplicate": False, "occurrenceCount": 2},
    }
    assert request["metadata"]["labels"] == {
        "kubernaut.io/signal-type": "prometheus-alert",
        "kubernaut.io/signal-fingerprint": fingerprint[:63],
        "kubernaut.io/severity": "critical",
        "app.kubernetes.io/managed-by": "gateway-service",
        "app.kubernetes.io/component": "remediation",
    }


def test_several_alerts(gateway: Gateway, api: KubernetesApi) -> None:
    """Every alert of a body is processed; 207 tells of each, in the order of the body."""
    gateway.post(alert("Several", 1))
    nameless = {"status": "firing", "labels": {"pod": "x"}}
    answer = gateway.post(
        alert("Several", 2), alert("Several", 1), alert("Several", 3) | {"status": "resolved"}, nameless
    )
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [(item["index"], item["status"]) for item in results] == [
        (0, "created"),
        (1, "duplicate"),
        (2, "resolved"),
        (3, "rejected"),
    ]
    assert results[3]["error"] == "alerts[3].labels has no alertname"
    assert answer.json()["summary"] == {
        "total": 4,
        "created": 1,
        "deduplicated": 1,
        "rejected": 1,
        "failed": 0,
    }
    assert sorted(api.counts_of("Several")) == [1, 2]


def test_the_same_alert_twice_in_one_body(gateway: Gateway, api: KubernetesApi) -> None:
    """One CRD, counted twice, also when both are processed at once."""
    answer = gateway.post(alert("Twice"), alert("Twice"))
    assert sorted(item["status"] for item in answer.json()["results"]) == ["created", "duplicate"]
    assert api.counts_of("Twice") == [2]


def test_resolved_alert_is_accepted_without_a_crd(gateway: Gateway, api: KubernetesApi) -> None:
    """There is nothing to remediate."""
    answer = gateway.post(alert("Resolved") | {"status": "resolved"})
    assert (answer.status_code, answer.json()["status"]) == (200, "resolved")
    assert api.requests_of("Resolved") == []


@pytest.mark.parametrize(
    ("body", "content_type", "status", "detail"),
    [
        (b"{}", "text/plain", 415, "application/json"),
        (b"{", "application/json", 400, "not JSON"),
        (b"\xff", "application/json; charset=utf-8", 400, "not JSON"),
        (b'{"alerts": []}', "application/json", 400, "no alerts"),
        (b"[]", "application/json", 400, "no alerts"),
        (b'{"alerts": [{"labels": {}}]}', "application/json", 400, "no alertname"),
        (b'{"alerts": [{"labels": {"alertname": 1}}]}', "application/json", 400, "not an object of strings"),
        (b" " * (256 * 1024 + 1), "application/json", 413, "262144"),
    ],
)
def test_refused_requests(gateway: Gateway, body: bytes, content_type: str, status: int, detail: str) -> None:
    """A problem document says what is wrong."""
    answer = requests.post(gateway.webhook, data=body, headers={"Content-Type": content_type}, timeout=10)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert detail in answer.json()["detail"]


def test_large_body_without_a_length(gateway: Gateway) -> None:
    """A chunked body is refused as soon as it is too large."""
    answer = requests.post(gateway.webhook, data=iter([b" " * 200_000] * 2), timeout=10)
    assert answer.status_code == 413


RECORDED = json.loads((ROOT / "tests/data/alertmanager-0.25-webhooks.json").read_text())["samples"]


@pytest.mark.parametrize("sample", RECORDED.values(), ids=list(RECORDED))
def test_recorded_alertmanager_bodies(gateway: Gateway, sample: dict[str, Any]) -> None:
    """What Alertmanager really sends is accepted, alert by alert."""
    headers = {
        "User-Agent": sample["headers"]["User-Agent"],
        "Content-Type": sample["headers"]["Content-Type"],
    }
    answer = requests.post(gateway.webhook, json=sample["body"], headers=headers, timeout=10)
    assert answer.status_code < 300
    sent = [item["status"] for item in sample["body"]["alerts"]]
    became = [item["status"] for item in answer.json().get("results", [answer.json()])]
    accepted = {"firing": {"created", "duplicate"}, "resolved": {"resolved"}}
    assert len(became) == len(sent)
    assert all(new in accepted[old] for old, new in zip(sent, became, strict=True))


def test_count_is_exact_under_concurrent_duplicates(gateway: Gateway, api: KubernetesApi) -> None:
    """Ten writers at once conflict, and none is lost; ten alerts of one body always do."""
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: gateway.post(alert("Concurrent")), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + 9 * [202]
    assert gateway.post(*10 * [alert("Concurrent")]).json()["summary"]["deduplicated"] == 10
    assert api.counts_of("Concurrent") == [20]
    assert gateway.metric("gateway_crd_update_conflicts_total")
    assert gateway.metric("gateway_crd_update_retry_success_total")


def test_finished_request_makes_way(gateway: Gateway, api: KubernetesApi) -> None:
    """After a terminal phase the next alert is a new occurrence with a CRD of its own."""
    name = gateway.post(alert("Finished")).json()["remediationRequestName"]
    api.set_phase(name, "Completed")
    answers = [gateway.post(alert("Finished")).json() for _ in range(2)]
    assert [(item["status"], item["remediationRequestName"]) for item in answers] == [
        ("created", f"{name}-2"),
        ("duplicate", f"{name}-2"),
    ]


def test_metrics_move(gateway: Gateway) -> None:
    """Every alert of a body is counted, every request is timed, the process is measured."""
    before = gateway.metric("gateway_alerts_received_total") or 0
    gateway.post(alert("Metrics", 1), alert("Metrics", 1), alert("Metrics", 2))
    assert gateway.metric("gateway_alerts_received_total") == before + 3
    assert gateway.metric("gateway_http_request_duration_seconds_count", method="POST", status="207")
    assert gateway.metric("process_resident_memory_bytes")


def test_redis_killed_and_restarted(gateway: Gateway, api: KubernetesApi, redis: RedisServer) -> None:
    """Without Redis alerts are accepted, deduplicated and counted; the breaker opens, and closes again."""
    assert gateway.post(alert("Fallback", 1)).status_code == 201
    redis.kill()
    assert gateway.post(alert("Fallback", 1)).status_code == 202
    assert gateway.post(alert("Fallback", 2)).status_code == 201
    until(lambda: gateway.metric(STATE) == 2, "the breaker is open")
    assert gateway.post(alert("Fallback", 2)).status_code == 202
    assert gateway.is_ready()
    assert gateway.metric("gateway_crds_created_total", source="fallback")
    assert gateway.metric("gateway_redis_operation_errors_total", error="connection")
    assert gateway.log_lines("fallback to the Kubernetes API started")
    redis.start()
    until(lambda: gateway.metric(STATE) == 0, "the breaker is closed again")
    assert gateway.metric("gateway_redis_reconnect_success_total")
    assert gateway.post(alert("Fallback", 1)).status_code == 202
    assert sorted(api.counts_of("Fallback")) == [2, 3]
    assert gateway.log_lines("fallback to the Kubernetes API ended")
    changes = [line["new"] for line in gateway.log_lines("breaker changed")]
    assert (changes[0], changes[-2:]) == ("open", ["half_open", "closed"])


def test_kubernetes_api_killed(directory: Path, redis: RedisServer) -> None:
    """Without a queue: 503 with Retry-After, unready. SIGTERM then ends it in order, with 0."""
    api = KubernetesApi(directory)
    gateway = Gateway(directory, api, redis=redis, QUEUE_DURABILITY="none")
    api.kill()
    answer = gateway.post(alert("Lost", 1), alert("Lost", 2))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Kubernetes API is away" in until(gateway.unready_reason, "unready")
    assert requests.get(f"{gateway.url}/healthz", timeout=10).status_code == 200
    assert gateway.metric("gateway_k8s_api_errors_total", status="connection")
    assert gateway.metric("gateway_alerts_rejected_total", reason="kubernetes_connection") == 2
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(gateway.post, alert("Lost"))  # goes on for a while, trying
        until(lambda: gateway.metric("gateway_alerts_received_total") == 3, "the request has arrived")
        gateway.child.terminate()
        until(lambda: gateway.unready_reason() == "shutting down", "readiness goes first")
        assert in_flight.result().status_code == 503
    assert gateway.child.exit_code() == 0
