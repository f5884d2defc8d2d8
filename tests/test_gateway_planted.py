"""Planted defects of buffer, queue, counts, answers, readiness: each breaks its promise, and is counted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gateway_processes import until
from gateway_world import Gateway, KubernetesApi, RedisServer, alert
from throttling_proxy import ThrottlingProxy

BUFFER_SIZE = "gateway_storm_buffer_size"


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


def test_buffer_in_memory_only(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """A kill loses what was acknowledged as buffered."""
    gateway = Gateway(directory, api, redis=redis, defects="buffer-in-memory-only", STORM_MODE="always")
    assert [gateway.post(alert("InMemory", number)).status_code for number in (1, 2)] == [202, 202]
    assert gateway.bites("buffer-in-memory-only") == 2
    with redis.client() as client:
        assert client.keys("alert:buffer:*") == []
    gateway.child.kill()
    gateway.start()
    assert gateway.metric("gateway_storm_buffer_recovered_total") == 0
    assert gateway.metric(BUFFER_SIZE) == 0
    assert api.requests_of("InMemory") == []
    gateway.child.kill()


def test_buffer_dropped(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """By Redis, whose word is believed, and when its time passes."""
    clock = directory / "clock"
    planted = "eviction-drops-buffer,expiry-drops-buffered"
    settings = {"STORM_MODE": "always", "CLOCK_FILE": str(clock)}
    gateway = Gateway(directory, api, redis=redis, defects=planted, **settings)
    for number in (1, 2):
        assert gateway.post(alert("Evicted", number)).json()["status"] == "buffered"
    redis.evict_everything()
    assert gateway.post(alert("Evicted", 3)).json()["status"] == "aggregated"
    (request,) = api.requests_of("Evicted")
    assert request["spec"]["affectedResources"] == ["prod-api:Pod:api-0003"]
    assert gateway.bites("eviction-drops-buffer") == 1
    gateway.post(alert("Expired"))
    clock.write_text("+65")
    until(lambda: gateway.bites("expiry-drops-buffered"), "the defect bites")
    until(lambda: gateway.metric(BUFFER_SIZE) == 0, "the buffer is gone")
    assert api.requests_of("Expired") == []
    gateway.child.kill()


def test_counts_and_records(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Counted twice after a conflict, pauses that do not grow, labels lost, fewer results than alerts."""
    planted = "count-twice-on-conflict,backoff-does-not-grow,labels-lost,207-lists-fewer"
    gateway = Gateway(directory, api, redis=redis, defects=planted)
    assert len(gateway.post(*30 * [alert("Twice")]).json()["results"]) == 29
    (request,) = api.requests_of("Twice")
    assert request["spec"]["deduplication"]["occurrenceCount"] > 30
    assert request["spec"]["signalLabels"] == {}
    for name in planted.split(","):
        assert gateway.bites(name), name
    assert gateway.metric("gateway_crd_update_backoff_seconds_count", step="0.1")
    assert gateway.metric("gateway_crd_update_backoff_seconds_count", step="0.2") == 0
    gateway.child.kill()


def test_merged_fingerprints_and_refused_batch(
    directory: Path, api: KubernetesApi, redis: RedisServer
) -> None:
    """The tenth alert is counted as the ninth; one unusable alert has the others refused."""
    gateway = Gateway(directory, api, redis=redis, defects="two-fingerprints-merged,batch-400-on-one-bad")
    answers = [gateway.post(alert("Merged", number)).json()["status"] for number in range(11)]
    assert answers == 10 * ["created"] + ["duplicate"]
    assert sorted(api.counts_of("Merged")) == 9 * [1] + [2]
    assert gateway.bites("two-fingerprints-merged") == 1
    assert gateway.post(alert("Batch"), {"labels": {}}).status_code == 400
    assert api.requests_of("Batch") == []
    assert gateway.bites("batch-400-on-one-bad") == 1
    gateway.child.kill()


def test_pool_exhausted(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Connections that are never given back are soon used up, and every alert takes the way without Redis."""
    gateway = Gateway(directory, api, redis=redis, defects="pool-exhausted")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: gateway.post(alert("Pool", number)).status_code, range(40)))
    assert answers == 40 * [201]
    assert gateway.metric("gateway_dedup_fallback_total", reason="pool_exhausted")
    assert gateway.metric("gateway_redis_pool_active_connections") == 20
    assert gateway.bites("pool-exhausted") == 20
    gateway.child.kill()


def test_queue_drops_and_ready_while_refusing(
    directory: Path, api: KubernetesApi, redis: RedisServer
) -> None:
    """Said to be queued, and nowhere; said to be ready, without a Kubernetes API."""
    proxy = ThrottlingProxy(directory, api)
    planted = "queue-drops-on-429,ready-while-refusing"
    gateway = Gateway(directory, api, redis=redis, defects=planted, kubeconfig=proxy.kubeconfig)
    proxy.status, proxy.retry_after = 429, "30"
    assert gateway.post(alert("Dropped")).json()["status"] == "queued"
    assert gateway.bites("queue-drops-on-429") == 1
    assert gateway.metric("gateway_k8s_api_request_queue_depth") == 0
    proxy.refuses_reads = True
    until(lambda: gateway.is_ready() and gateway.bites("ready-while-refusing"), "ready all the same")
    proxy.close()
    gateway.child.kill()


def test_207_hides_failures(directory: Path, api: KubernetesApi) -> None:
    """What nobody could write is called created."""
    proxy = ThrottlingProxy(directory, api)
    gateway = Gateway(directory, api, defects="207-hides-failures", kubeconfig=proxy.kubeconfig)
    proxy.status, proxy.retry_after = 429, "30"
    answer = gateway.post(alert("Hidden", 1), alert("Hidden", 2))
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json()["results"]] == ["created", "created"]
    assert api.requests_of("Hidden") == []
    assert gateway.bites("207-hides-failures") == 1
    proxy.close()
    gateway.child.kill()


def test_drop_when_faults_overlap(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Redis away alone, or a Kubernetes API that refuses alone, loses nothing; both at once do."""
    proxy = ThrottlingProxy(directory, api)
    planted = "drop-when-faults-overlap"
    healthy = Gateway(directory, api, redis=redis, defects=planted, kubeconfig=proxy.kubeconfig)
    gateway = Gateway(directory, api, defects=planted, kubeconfig=proxy.kubeconfig)
    assert [gateway.post(alert("Alone", number)).status_code for number in range(4)] == 4 * [201]
    until(lambda: gateway.log_lines("breaker changed"), "the breaker of Redis is open")
    assert len(api.requests_of("Alone")) == 4
    proxy.status, proxy.retry_after = 429, "30"
    assert healthy.post(alert("Queued")).json()["status"] == "queued"
    assert [each.bites(planted) for each in (healthy, gateway)] == [0, 0]
    assert gateway.post(alert("Both")).json()["status"] == "created"
    assert gateway.bites(planted) == 1
    assert api.requests_of("Both") == []
    for each in (healthy, gateway):
        each.child.kill()
    proxy.close()
