"""Storm settings of the reference Gateway: how much is buffered, from which rate on, in which Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_world import Gateway, KubernetesApi, RedisServer, alert


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


def test_full_buffers(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """All buffers together hold so many; what comes then gets a CRD of its own."""
    gateway = Gateway(directory, api, redis=redis, STORM_MODE="always", STORM_BUFFER_MAX="2")
    words = [gateway.post(alert(name)).json()["status"] for name in ("FullA", "FullB")]
    assert words == ["buffered", "buffered"]
    assert gateway.post(alert("FullC", 1)).json()["status"] == "created"
    assert gateway.metric("gateway_storm_buffer_overflow_total") == 1
    assert gateway.metric("gateway_storm_buffer_bypass_total", reason="overflow") == 1
    assert gateway.metric("gateway_storm_buffer_size") == 2
    gateway.child.kill()


def test_rate(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """By the rate: two new alerts of a name are none, the third is; another name is not concerned."""
    gateway = Gateway(directory, api, redis=redis, STORM_RATE_THRESHOLD="2")
    answers = [gateway.post(alert("Rate", number)).json() for number in (1, 2, 1, 3, 4, 5)]
    words = [answer["status"] for answer in answers]
    assert words == ["created", "created", "duplicate", "buffered", "buffered", "aggregated"]
    assert gateway.post(alert("Other", 1)).json()["status"] == "created"
    batch = gateway.post(alert("Rate", 6), alert("Other", 1)).json()
    assert (batch["results"][0]["windowID"], batch["summary"]["aggregated"]) == (answers[-1]["windowID"], 1)
    gateway.child.kill()


def test_addresses_are_mapped(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """What the Sentinel announces is replaced: here by another Redis, which then has the keys."""
    other = RedisServer(directory)
    mapping = f"127.0.0.1:{redis.port}=127.0.0.1:{other.port}"
    gateway = Gateway(directory, api, redis=redis, REDIS_ADDRESS_MAP=mapping)
    name = gateway.post(alert("Mapped")).json()["remediationRequestName"]
    with other.client() as client:
        assert [client.get(key) for key in client.keys("gateway:dedup:*")] == [name]
    gateway.child.kill()
    other.end()
