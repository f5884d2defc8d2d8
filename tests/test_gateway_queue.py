"""The Gateway and a Kubernetes API that refuses for a while: queued in Redis, held, refused, never lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gateway_processes import until
from gateway_world import Gateway, KubernetesApi, RedisServer, alert
from throttling_proxy import ThrottlingProxy

from sandbox.gateway.defects import Defects
from sandbox.gateway.write_queue import step_after

DEPTH = "gateway_k8s_api_request_queue_depth"
# A Retry-After beyond the time that a request has: it is not tried again, which saves the test's time.
LATE = "30"
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


@pytest.fixture
def proxy(directory: Path, api: KubernetesApi) -> Iterator[ThrottlingProxy]:
    server = ThrottlingProxy(directory, api)
    yield server
    server.close()


def test_queued_through_a_kill(
    directory: Path, api: KubernetesApi, redis: RedisServer, proxy: ThrottlingProxy
) -> None:
    """429 for a while: all alerts are queued, repeated ones too; a successor writes them, counts exact."""
    gateway = Gateway(directory, api, redis=redis, kubeconfig=proxy.kubeconfig)
    assert gateway.post(alert("Queued", 0)).status_code == 201
    proxy.status = 429
    numbers = [0, 1, 2, 3, 3, 4]
    answer = gateway.post(*(alert("Queued", number) for number in numbers))
    assert (answer.status_code, answer.json()["summary"]["queued"]) == (207, 6)
    again = gateway.post(alert("Queued", 4))
    assert (again.status_code, again.json()["status"], again.json()["duplicate"]) == (202, "queued", True)
    until(lambda: gateway.metric(STATE, component="kubernetes") == 2, "ten refusals opened the breaker")
    refused = proxy.refused
    assert gateway.post(alert("Queued", 5)).json()["status"] == "queued"
    assert proxy.refused <= refused + 1  # the worker's probe at most: no alert goes to an open breaker
    assert gateway.metric(DEPTH) == 8
    assert gateway.metric("gateway_k8s_api_errors_total", status="429")
    assert gateway.metric("gateway_k8s_api_retry_backoff_seconds_count")
    assert gateway.metric("gateway_alerts_processed_total", outcome="queued") == 8
    assert len(api.requests_of("Queued")) == 1
    gateway.child.kill()
    gateway.start()
    assert gateway.metric("gateway_k8s_api_request_queue_recovered_total") == 8
    proxy.status = 0
    until(lambda: gateway.metric(DEPTH) == 0, "the queue is empty")
    assert sorted(api.counts_of("Queued")) == [1, 1, 1, 2, 2, 2]
    assert gateway.metric("gateway_crds_created_total", source="queue") == 5
    assert gateway.post(alert("Queued", 5)).json()["metadata"] == {"count": 2}
    gateway.child.kill()


def test_worker_pauses_and_the_breaker_closes(
    directory: Path, api: KubernetesApi, redis: RedisServer, proxy: ThrottlingProxy
) -> None:
    """1 s at first, at most a tenth longer; a Retry-After is the least; the worker's success closes it."""
    gateway = Gateway(directory, api, redis=redis, kubeconfig=proxy.kubeconfig)
    proxy.status, proxy.retry_after = 429, "1"
    gateway.post(*(alert("Paused", number) for number in range(12)))
    pause = until(lambda: gateway.log_lines("queue pauses"), "a pause")[0]
    proxy.status = 0
    assert (pause["step_s"], 1.0 <= pause["pause_s"] <= 1.1) == (1.0, True)
    until(lambda: gateway.metric(DEPTH) == 0, "the queue is empty")
    assert api.counts_of("Paused") == 12 * [1]
    assert gateway.metric(STATE, component="kubernetes") == 0
    assert gateway.metric("gateway_circuit_breaker_state_changes_total", component="kubernetes", to="open")
    assert gateway.metric("gateway_k8s_api_retry_backoff_seconds_bucket", le="1.0") == 1
    proxy.status, proxy.retry_after = 429, "30"
    assert gateway.post(alert("Patient")).json()["status"] == "queued"
    until(lambda: gateway.log_lines("queue pauses")[-1]["pause_s"] == 30, "the worker waits as it is told")
    gateway.child.kill()


def test_neither_redis_nor_kubernetes(directory: Path, api: KubernetesApi, proxy: ThrottlingProxy) -> None:
    """What cannot be made durable is refused with 503 and Retry-After, and is not in the queue."""
    gateway = Gateway(directory, api, kubeconfig=proxy.kubeconfig)
    proxy.status, proxy.retry_after = 429, LATE
    answer = gateway.post(alert("Neither"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert gateway.metric(DEPTH) == 0
    gateway.child.kill()


def test_full_queue(directory: Path, api: KubernetesApi, redis: RedisServer, proxy: ThrottlingProxy) -> None:
    """It is bounded: what comes then is refused with 503 and Retry-After."""
    with redis.client() as client:
        client.flushall()
    gateway = Gateway(directory, api, redis=redis, kubeconfig=proxy.kubeconfig, QUEUE_MAX="3")
    proxy.status, proxy.retry_after = 503, LATE
    summary = gateway.post(*(alert("Full", number) for number in range(5))).json()["summary"]
    assert (summary["queued"], summary["failed"]) == (3, 2)
    answer = gateway.post(alert("Full", 9))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "the queue is full" in answer.json()["detail"]
    assert gateway.metric("gateway_k8s_api_request_queue_overflow_total") == 3
    gateway.child.kill()


def test_held(directory: Path, api: KubernetesApi, redis: RedisServer, proxy: ThrottlingProxy) -> None:
    """Without a durable queue a request can be held: until its alert is written, or its time is over."""
    settings = {"QUEUE_DURABILITY": "none", "QUEUE_HOLD": "8s"}
    gateway = Gateway(directory, api, redis=redis, kubeconfig=proxy.kubeconfig, **settings)
    proxy.status = 429
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(gateway.post, alert("Held")) for _ in range(2)]
        until(lambda: gateway.metric(DEPTH) == 2, "both are held")
        proxy.status = 0
        told = sorted((answer.result() for answer in answers), key=lambda answer: answer.status_code)
    assert [(answer.status_code, answer.json()["status"]) for answer in told] == [
        (201, "created"),
        (202, "duplicate"),
    ]
    assert api.counts_of("Held") == [2]
    gateway.child.kill()


def test_hold_ends(directory: Path, api: KubernetesApi, proxy: ThrottlingProxy) -> None:
    """After its time a request is refused, and its alert is forgotten."""
    settings = {"QUEUE_DURABILITY": "none", "QUEUE_HOLD": "200ms"}
    gateway = Gateway(directory, api, kubeconfig=proxy.kubeconfig, **settings)
    proxy.status, proxy.retry_after = 429, LATE
    assert gateway.post(alert("HeldInVain")).status_code == 503
    assert gateway.metric(DEPTH) == 0
    gateway.child.kill()


def test_storm_while_the_api_refuses(
    directory: Path, api: KubernetesApi, redis: RedisServer, proxy: ThrottlingProxy
) -> None:
    """A full buffer waits in Redis until its aggregated CRD can be made; nothing is in two places."""
    with redis.client() as client:
        client.flushall()
    settings = {"STORM_MODE": "always"}
    gateway = Gateway(directory, api, redis=redis, kubeconfig=proxy.kubeconfig, **settings)
    proxy.status, proxy.retry_after = 503, LATE
    words = [gateway.post(alert("Refused", number)).json()["status"] for number in (1, 2, 3)]
    assert words == 3 * ["buffered"]
    proxy.status = 0
    until(lambda: api.requests_of("Refused"), "the window is opened")
    (request,) = api.requests_of("Refused")
    assert request["spec"]["stormAlertCount"] == 3
    proxy.status = 429
    assert gateway.post(alert("Refused", 4)).json()["status"] == "queued"
    gateway.child.kill()


def test_steps() -> None:
    """1, 2, 4, 8, 16 s, and then 16 s; with a planted defect always 1 s."""

    def steps(defects: Defects) -> list[float]:
        found = [step_after(0.0, defects)]
        while len(found) < 6:
            found.append(step_after(found[-1], defects))
        return found

    bitten: list[str] = []
    assert steps(Defects({})) == [1, 2, 4, 8, 16, 16]
    assert steps(Defects({"backoff-does-not-grow": 0.0}, bitten.append)) == 6 * [1]
    assert bitten == 5 * ["backoff-does-not-grow"]
