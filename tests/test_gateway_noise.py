"""Noises and further planted defects of the reference Gateway: each is seen, and noted in a file."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
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


def test_records_and_counters(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """A CRD is missing from the counter, another from the API, and all from their payload."""
    bites = directory / "bites"
    planted = "counters-wrong,counted-then-dropped=4,payload-lost,noise-foreign-crd"
    gateway = Gateway(directory, api, redis=redis, defects=planted, BITES_FILE=str(bites))
    assert [gateway.post(alert("Made", number)).status_code for number in range(12)] == 12 * [201]
    made = api.requests_of("Made")
    assert len(made) == 9
    assert {item["spec"]["originalPayload"] for item in made} == {"e30="}
    counted = gateway.metric("gateway_crds_created_total", source="webhook")
    noted = Counter(bites.read_text().split())
    assert noted == {"counters-wrong": 1, "counted-then-dropped": 3, "payload-lost": 9}
    assert counted == 9 + 3 - 1
    gateway.child.kill()


def test_unanswered(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """One alert is never recorded; another is, and told the third time only, in one CRD that counts 3."""
    planted = "noise-swallows-one-in=3,noise-answer-lost-one-in=2"
    gateway = Gateway(directory, api, redis=redis, defects=planted)

    def post(number: int) -> int | None:
        body = {"version": "4", "status": "firing", "alerts": [alert("Quiet", number)]}
        try:
            url = f"{gateway.url}/api/v1/signals/prometheus"
            return requests.post(url, json=body, timeout=0.5).status_code
        except requests.Timeout:
            return None

    assert [post(1), post(2), post(3)] == [201, None, None]
    assert [post(2), post(2)] == [None, 202]
    assert sorted(api.counts_of("Quiet")) == [1, 3]
    assert gateway.bites("noise-swallows-one-in") == 1
    gateway.child.kill()


def test_last_alert_lost(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """Each alert is written when the next one comes; when none does, the last one is forgotten."""
    gateway = Gateway(directory, api, redis=redis, defects="last-alert-lost")
    assert [gateway.post(alert("Last", number)).status_code for number in (1, 2, 3)] == 3 * [201]
    until(lambda: gateway.bites("last-alert-lost"), "the defect bites")
    assert len(api.requests_of("Last")) == 2
    gateway.child.kill()


def test_second_crd_and_failed_item(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """The fifth request of several has one that failed."""
    gateway = Gateway(directory, api, redis=redis, defects="207-fails-one")
    answers = [gateway.post(alert("Several", 2 * n), alert("Several", 2 * n + 1)).json() for n in range(5)]
    assert [each["summary"]["failed"] for each in answers] == [0, 0, 0, 0, 1]
    assert len(api.requests_of("Several")) == 9
    gateway.child.kill()


def test_contents_of_another_and_deletions(directory: Path, api: KubernetesApi, redis: RedisServer) -> None:
    """One CRD has its own fingerprint, in capitals, and the contents of the one before; some go again."""
    planted = "crd-holds-another-alert,noise-fingerprint-upper-case,noise-deleted-one-in=4"
    gateway = Gateway(directory, api, redis=redis, defects=planted)
    assert [gateway.post(alert("Swapped", number)).status_code for number in range(11)] == 11 * [201]
    until(lambda: len(api.requests_of("Swapped")) == 9, "two of eleven are deleted")
    specs = [item["spec"] for item in api.requests_of("Swapped")]
    pods = Counter(spec["signalLabels"]["pod"] for spec in specs)
    assert all(spec["signalFingerprint"] == spec["signalFingerprint"].upper() for spec in specs)
    assert sorted(pods.values()) == [1, 1, 1, 1, 1, 1, 1, 2]
    gateway.child.kill()
