"""The planted defects of the reference Gateway: each is seen to break its promise, and to be counted."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from gateway_processes import until
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


def test_unknown_defect_is_a_start_up_error(directory: Path, api: KubernetesApi) -> None:
    """It lists those that exist."""
    gateway = Gateway(directory, api, defects="unsent-crd,no-such", wait=False)
    assert gateway.child.exit_code() == 2
    (line,) = gateway.log_lines("the gateway cannot start")
    assert "'no-such'" in line["error"]
    assert "drop-one-in=N" in line["error"]


def test_planted_without_a_fault(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Defects that need no fault: alerts dropped, counts lost, CRDs for alerts that nobody sent."""
    gateway = Gateway(directory, api, redis=redis, defects="drop-one-in=3,unsent-crd")
    answers = [gateway.post(alert("Dropped", number)).status_code for number in range(1, 16)]
    assert answers == 15 * [201]
    made = {item["spec"]["signalAnnotations"]["loadgen_id"] for item in api.requests_of("Dropped")}
    sent_and_kept = {f"run-{number:04}" for number in range(1, 16) if number % 3}
    assert made == sent_and_kept | {"run-900000"}
    assert gateway.bites("drop-one-in") == 5
    assert gateway.bites("unsent-crd") == 1
    gateway.child.kill()


def test_planted_count_lost(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Every duplicate is acknowledged, and one is missing from the count for each conflict."""
    gateway = Gateway(directory, api, redis=redis, defects="count-lost-on-conflict")
    summary = gateway.post(*30 * [alert("Uncounted")]).json()["summary"]
    assert (summary["created"], summary["deduplicated"]) == (1, 29)
    lost = gateway.bites("count-lost-on-conflict")
    assert lost
    assert api.counts_of("Uncounted") == [30 - lost]
    gateway.child.kill()


def test_planted_breaker_never_closes(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Redis is back and answers, and the breaker stays half-open."""
    gateway = Gateway(directory, api, redis=redis, defects="breaker-never-closes")
    redis.kill()
    until(lambda: gateway.metric(STATE) == 2, "the breaker is open")
    redis.start()
    until(lambda: gateway.bites("breaker-never-closes"), "the defect bites")
    assert gateway.metric(STATE) == 1
    assert gateway.metric("gateway_circuit_breaker_state_changes_total", to="closed") == 0
    gateway.child.kill()


def test_planted_two_crds_and_hung_metrics(directory: Path, api: KubernetesApi) -> None:
    """While Redis is away a duplicate makes a second CRD, and /metrics does not answer."""
    gateway = Gateway(directory, api, defects="two-crds-after-failover,metrics-hang-on-redis-failure")
    assert [gateway.post(alert("Double")).status_code for _ in range(2)] == [201, 201]
    assert api.counts_of("Double") == [1, 1]
    until(lambda: gateway.log_lines("breaker changed"), "the breaker is open")
    with pytest.raises(requests.Timeout):
        requests.get(f"{gateway.url}/metrics", timeout=0.5)
    gateway.child.kill()


def test_planted_ack_then_drop_and_late_breaker(directory: Path, api: KubernetesApi) -> None:
    """While Redis is away an alert is acknowledged and forgotten; the breaker opens long after a failure."""
    begun_s = time.monotonic()
    gateway = Gateway(directory, api, defects="ack-then-drop-on-redis-failure,breaker-opens-late=1.5")
    answer = gateway.post(alert("Forgotten"))
    assert (answer.status_code, answer.json()["status"]) == (201, "created")
    assert api.requests_of("Forgotten") == []
    assert gateway.bites("ack-then-drop-on-redis-failure") == 1
    until(lambda: gateway.metric(STATE) == 2, "the breaker is open")
    assert time.monotonic() - begun_s >= 1.5
    assert gateway.bites("breaker-opens-late")
    gateway.child.kill()


@pytest.mark.parametrize("status", [429, 500])
def test_planted_refusal_and_closed_breaker(directory: Path, api: KubernetesApi, status: int) -> None:
    """While Redis is away an alert is refused, and with another status than 503; the breaker never opens."""
    gateway = Gateway(directory, api, defects=f"reject-with-{status},breaker-never-opens")
    answer = gateway.post(alert("Refused"))
    assert answer.status_code == status
    assert "Retry-After" not in answer.headers
    assert api.requests_of("Refused") == []
    assert gateway.bites(f"reject-with-{status}") == 1
    until(lambda: gateway.bites("breaker-never-opens"), "the defect bites")
    assert gateway.metric(STATE) == 0
    gateway.child.kill()


def test_planted_crash(directory: Path, api: KubernetesApi) -> None:
    """The first Redis error ends the process."""
    gateway = Gateway(directory, api, defects="crash-on-redis-failure", wait=False)
    assert gateway.child.exit_code() == 1
    assert gateway.log_lines("planted defect: exit at a Redis error")
