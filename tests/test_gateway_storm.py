"""Storms on the reference Gateway, with real Redis: aggregated, expired, killed, evicted, out of memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from gateway_processes import until
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


@pytest.fixture(scope="module")
def clock(directory: Path) -> Path:
    return directory / "clock"


@pytest.fixture(scope="module")
def gateway(directory: Path, api: KubernetesApi, redis: RedisServer, clock: Path) -> Iterator[Gateway]:
    """A Gateway that buffers every alert, with a clock that can be moved."""
    server = Gateway(directory, api, redis=redis, STORM_MODE="always", CLOCK_FILE=str(clock))
    yield server
    server.child.kill()


class Rise:
    """How much a counter has grown since this was made."""

    def __init__(self, gateway: Gateway, name: str, **labels: str) -> None:
        self._read = lambda: gateway.metric(f"gateway_{name}", **labels) or 0.0
        self._before = self._read()

    @property
    def value(self) -> float:
        return self._read() - self._before


def send(gateway: Gateway, name: str, *numbers: int) -> list[dict[str, Any]]:
    answers = [gateway.post(alert(name, number)) for number in numbers]
    assert [answer.status_code for answer in answers] == len(numbers) * [202]
    return [answer.json() for answer in answers]


def until_redis_is_used(gateway: Gateway) -> None:
    until(
        lambda: gateway.metric("gateway_circuit_breaker_state", component="redis") == 0,
        "the breaker is closed",
    )


def words(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["status"] for answer in answers]


def members(request: dict[str, Any]) -> dict[str, int]:
    return {
        m["signalAnnotations"]["loadgen_id"]: m["occurrenceCount"] for m in request["spec"]["stormMembers"]
    }


def test_a_window(gateway: Gateway, api: KubernetesApi) -> None:
    """The third alert opens the window; all of it is one CRD, and repeated alerts are counted in it."""
    answers = send(gateway, "Window", 1, 2, 3, 4, 2, 4)
    assert words(answers) == ["buffered", "buffered", "aggregated", "aggregated", "duplicate", "duplicate"]
    (window_id,) = {answer["windowID"] for answer in answers[:4]}
    (request,) = api.requests_of("Window")
    assert {answer["remediationRequestName"] for answer in answers[2:]} == {request["metadata"]["name"]}
    spec = request["spec"]
    assert (spec["isStorm"], spec["stormType"], spec["stormWindow"]) == (True, "rate", "60s")
    assert spec["affectedResources"] == [f"prod-api:Pod:api-000{number}" for number in (1, 2, 3, 4)]
    assert (spec["stormAlertCount"], spec["deduplication"]["occurrenceCount"]) == (4, 6)
    assert members(request) == {"run-0001": 1, "run-0002": 2, "run-0003": 1, "run-0004": 2}
    assert spec["signalLabels"] == {"alertname": "Window", "namespace": "prod-api", "severity": "critical"}
    assert request["metadata"]["labels"]["kubernaut.io/storm"] == "true"
    assert request["metadata"]["annotations"]["kubernaut.io/storm-window-id"] == window_id
    assert gateway.log_lines("storm window opened")[0]["window_id"] == window_id
    assert gateway.metric("gateway_storm_windows_opened_total") == 1
    assert gateway.metric("gateway_crds_created_total", source="storm") == 1
    assert gateway.metric("gateway_storm_buffer_size") == 0


def test_windows_end_and_buffers_expire(gateway: Gateway, api: KubernetesApi, clock: Path) -> None:
    """By the Gateway's clock; what then comes opens a buffer and a window of its own."""
    (first, *_) = send(gateway, "Ends", 1, 2, 3)
    assert words(send(gateway, "Expires", 1, 2, 2)) == 3 * ["buffered"]
    clock.write_text("+65.0\n")
    until(lambda: len(api.requests_of("Expires")) == 2, "the buffer is written out")
    until(lambda: gateway.metric("gateway_storm_buffer_size") == 0, "the buffer is empty")
    assert sorted(api.counts_of("Expires")) == [1, 2]
    assert gateway.metric("gateway_storm_buffer_expirations_total") == 1
    assert gateway.metric("gateway_crds_created_total", source="buffer_expiration") == 2
    assert words(send(gateway, "Expires", 2, 3)) == ["duplicate", "buffered"]
    again = send(gateway, "Ends", 4, 5, 6, 1)
    assert words(again) == ["buffered", "buffered", "aggregated", "duplicate"]
    assert again[0]["windowID"] != first["windowID"]
    by_count = {item["spec"]["stormAlertCount"]: members(item) for item in api.requests_of("Ends")}
    assert len(api.requests_of("Ends")) == 2
    assert by_count[3] in ({"run-0004": 1, "run-0005": 1, "run-0006": 1}, {"run-0001": 2} | by_count[3])


def test_many_at_once(gateway: Gateway, api: KubernetesApi) -> None:
    """A storm from many connections is one CRD, and every occurrence is counted."""
    repeated = Rise(gateway, "alerts_deduplicated_total")
    numbers = [*range(40), *range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: gateway.post(alert("Many", number)), numbers))
    assert {answer.status_code for answer in answers} == {202}
    (request,) = api.requests_of("Many")
    assert members(request) == {f"run-{number:04}": 2 if number < 20 else 1 for number in range(40)}
    assert request["spec"]["deduplication"]["occurrenceCount"] == 60
    assert repeated.value == 20


def test_killed_with_a_filled_buffer_and_an_open_window(gateway: Gateway, api: KubernetesApi) -> None:
    """Its successor has both, and goes on with the same window ids."""
    open_window = send(gateway, "Open", 1, 2, 3)[0]["windowID"]
    buffer = send(gateway, "Filled", 1, 2, 1)[0]["windowID"]
    gateway.child.kill()
    gateway.start()
    windows = [line["window_id"] for line in gateway.log_lines("storm window recovered")]
    buffers = {line["window_id"]: line["alerts"] for line in gateway.log_lines("buffer recovered")}
    # Beside those of earlier tests; the Gateway is started again for the first time here.
    assert open_window in windows
    assert buffers[buffer] == 3
    assert gateway.metric("gateway_storm_buffer_recovered_total") == len(windows) + len(buffers)
    (filled,) = send(gateway, "Filled", 3)
    (more,) = send(gateway, "Open", 4)
    assert (filled["status"], filled["windowID"]) == ("aggregated", buffer)
    assert (more["status"], more["windowID"]) == ("aggregated", open_window)
    (request,) = api.requests_of("Filled")
    assert members(request) == {"run-0001": 2, "run-0002": 1, "run-0003": 1}
    (request,) = api.requests_of("Open")
    assert request["spec"]["stormAlertCount"] == 4


def test_members_are_known_without_redis(gateway: Gateway, api: KubernetesApi, redis: RedisServer) -> None:
    """Redis has forgotten them; a repeated alert is counted all the same, after a restart too."""
    send(gateway, "Member", 1, 2, 3)
    redis.evict_everything()
    assert words(send(gateway, "Member", 1)) == ["duplicate"]
    gateway.child.kill()
    redis.evict_everything()
    gateway.start()
    assert words(send(gateway, "Member", 1)) == ["duplicate"]
    (request,) = api.requests_of("Member")
    assert members(request) == {"run-0001": 3, "run-0002": 1, "run-0003": 1}


def test_evicted_buffer(gateway: Gateway, api: KubernetesApi, redis: RedisServer) -> None:
    """What Redis evicts is written there again, so that even a kill after that loses nothing."""
    send(gateway, "Evicted", 1, 2)
    redis.evict_everything()
    with redis.client() as client:
        until(lambda: client.llen("alert:buffer:prod-api:Evicted") == 2, "the buffer is in Redis again")
    assert gateway.metric("gateway_storm_buffer_mended_total") == 1
    gateway.child.kill()
    gateway.start()
    assert words(send(gateway, "Evicted", 3)) == ["aggregated"]
    (request,) = api.requests_of("Evicted")
    assert list(members(request)) == ["run-0001", "run-0002", "run-0003"]


def test_redis_out_of_memory(gateway: Gateway, api: KubernetesApi, redis: RedisServer) -> None:
    """What cannot be buffered gets a CRD of its own at once; what was buffered stays so."""
    bypassed = Rise(gateway, "storm_buffer_bypass_total", reason="oom")
    created = Rise(gateway, "crds_created_total", source="bypass")
    send(gateway, "Memory", 1)
    with redis.client() as client:
        client.config_set("maxmemory", 1)
        try:
            assert gateway.post(alert("Memory", 2)).status_code == 201
        finally:
            client.config_set("maxmemory", 0)
    assert bypassed.value == 1
    assert created.value == 1
    until_redis_is_used(gateway)  # A refused ping beside the refused writes is enough to open the breaker.
    assert words(send(gateway, "Memory", 2, 3, 4)) == ["duplicate", "buffered", "aggregated"]
    assert sorted(len(item["spec"].get("stormMembers", [])) for item in api.requests_of("Memory")) == [0, 3]


def test_redis_killed_with_a_filled_buffer(gateway: Gateway, api: KubernetesApi, redis: RedisServer) -> None:
    """The buffered alerts get CRDs of their own; a Redis that comes back does not bring them again."""
    bypassed = Rise(gateway, "storm_buffer_bypass_total", reason="redis_unavailable")
    send(gateway, "Killed", 1, 1, 2)
    redis.kill()
    until(lambda: len(api.requests_of("Killed")) == 2, "the buffer is written out")
    assert gateway.post(alert("Killed", 3)).status_code == 201
    assert words(send(gateway, "Killed", 2)) == ["duplicate"]
    redis.start()
    until_redis_is_used(gateway)
    assert sorted(api.counts_of("Killed")) == [1, 2, 2]
    assert bypassed.value == 4
    assert words(send(gateway, "Killed", 4)) == ["buffered"]
