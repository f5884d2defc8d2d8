"""The faulty port of the Kubernetes API: what clients see, what is stored, when it ends."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import kubernetes_api_server as k8s
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes_api_server import REQUESTS, RunningServer

from sandbox.kubernetes_api.faults import BadFault, FaultBook, read_fault
from sandbox.kubernetes_api.request import read_request

FOREVER = 600


class World:
    """A server, its faulty port and its admin port."""

    def __init__(self, server: RunningServer, faulty: int, admin: int) -> None:
        self.server = server
        self.faulty = RunningServer(server.process, faulty, server.kubeconfig, server.log)
        self.admin = RunningServer(server.process, admin, server.kubeconfig, server.log)

    def break_(self, name: str, **members: Any) -> None:
        """Switch a fault on."""
        status, body = self.admin.call("POST", "/faults", {"name": name, "for_s": FOREVER, **members})
        assert status == 201, body

    def mend(self, name: str) -> dict[str, Any]:
        """Take a fault away; the answer."""
        status, body = self.admin.call("DELETE", f"/faults/{name}")
        assert status == 200
        return dict(body)

    def custom(self) -> client.CustomObjectsApi:
        """The official client on the faulty port, which repeats nothing."""
        settings = client.Configuration(host=f"http://127.0.0.1:{self.faulty.port}")
        settings.retries = False
        return client.CustomObjectsApi(client.ApiClient(settings))

    def names(self, namespace: str) -> list[str]:
        """The RemediationRequests that are stored, as the clean port has them."""
        status, body = self.server.call("GET", REQUESTS.format(namespace))
        assert status == 200
        return [item["metadata"]["name"] for item in body["items"]]

    def create_raw(self, namespace: str, name: str, timeout_s: float) -> None:
        """Create on the faulty port and wait for an answer; raises what the socket does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.faulty.port, timeout=timeout_s)
        headers = {"Content-Type": "application/json"}
        try:
            content = json.dumps(k8s.remediation_request(name))
            connection.request("POST", REQUESTS.format(namespace), content, headers)
            connection.getresponse()
        finally:
            connection.close()

    def raw(self, method: str, path: str) -> tuple[int, dict[str, str], Any]:
        """One request on the faulty port: status, headers and the decoded body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.faulty.port, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    faulty, admin = k8s.free_port(), k8s.free_port()
    ports = ("--faulty-listen", f"127.0.0.1:{faulty}", "--faults-listen", f"127.0.0.1:{admin}")
    with k8s.running_server(tmp_path_factory.mktemp("faults"), *ports) as server:
        yield World(server, faulty, admin)


@pytest.fixture
def world(server_world: World) -> Iterator[World]:
    yield server_world
    assert server_world.admin.call("DELETE", "/faults")[0] == 200


def test_a_throttled_create_is_refused_and_not_stored(world: World) -> None:
    """429 with Retry-After: a Status as the real API writes it, nothing stored, other verbs untouched."""
    namespace = world.server.new_namespace()
    world.break_("throttle", verbs=["create", "update"], resource=k8s.PLURAL, status=429, retry_after_s=7)
    with pytest.raises(ApiException) as caught:
        k8s.create(world.custom(), namespace, "refused")
    assert caught.value.status == 429
    assert (caught.value.headers or {})["Retry-After"] == "7"
    body = json.loads(caught.value.body or "")
    assert (body["kind"], body["status"], body["reason"], body["code"], body["details"]) == (
        "Status",
        "Failure",
        "TooManyRequests",
        429,
        {"retryAfterSeconds": 7},
    )
    assert world.names(namespace) == []
    listed: Any = world.custom().list_namespaced_custom_object(*k8s.RESOURCE, namespace, k8s.PLURAL)
    assert listed["items"] == []
    k8s.create(world.server.custom(), namespace, "through-the-clean-port")
    assert world.names(namespace) == ["through-the-clean-port"]
    assert world.mend("throttle")["hits"]["count"] == 1
    k8s.create(world.custom(), namespace, "after")
    assert world.names(namespace) == ["after", "through-the-clean-port"]


def test_without_retry_after_neither_header_nor_detail(world: World) -> None:
    """503 without Retry-After names no time at all: clients must choose one themselves."""
    world.break_("down", status=503)
    status, headers, body = world.raw("GET", "/api/v1/namespaces")
    assert (status, "retry-after" in headers, body["reason"]) == (503, False, "ServiceUnavailable")
    assert "details" not in body


def test_the_official_client_sleeps_through_retry_after(world: World) -> None:
    """Left alone it sends a GET again after Retry-After, in silence; `times` ends the fault for it."""
    world.break_("twice", verbs=["list"], status=429, retry_after_s=1, times=1)
    began_s = time.monotonic()
    settings = client.Configuration(host=f"http://127.0.0.1:{world.faulty.port}")
    assert client.CoreV1Api(client.ApiClient(settings)).list_namespace().items
    assert time.monotonic() - began_s >= 1.0
    assert world.mend("twice")["hits"]["count"] == 1


def test_the_lease_ends_a_fault_and_its_hits_stay(world: World) -> None:
    """Nobody heals: after for_s requests pass again; the fault is listed as over, with what it did."""
    world.break_("short", status=429, for_s=0.6)
    assert world.raw("GET", "/version")[0] == 429
    deadline = time.monotonic() + 20
    while world.raw("GET", "/version")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (listed,) = world.admin.call("GET", "/faults?intervals=1")[1]["faults"]
    assert (listed["name"], listed["active"], listed["lease_left_s"]) == ("short", False, 0.0)
    hits = listed["hits"]
    assert hits["count"] == len(hits["intervals_s"]) + 1 >= 1
    assert hits["first_ago_s"] >= hits["last_ago_s"] >= 0
    ended = world.mend("short")
    assert (ended["was_active"], ended["hits"]["count"]) == (False, hits["count"])
    assert world.mend("short") == {"name": "short", "was_active": False, "hits": None}


def test_a_reset_connection_gets_no_answer_and_stores_nothing(world: World) -> None:
    """The client sees ECONNRESET, not an end of file, and the create did not happen."""
    namespace = world.server.new_namespace()
    world.break_("cut", verbs=["create"], reset=True, times=1)
    with pytest.raises(ConnectionResetError):
        world.create_raw(namespace, "cut", timeout_s=30)
    assert world.names(namespace) == []
    k8s.create(world.custom(), namespace, "next")
    assert world.names(namespace) == ["next"]


def test_a_delayed_write_is_done_though_the_client_gave_up(world: World) -> None:
    """A timeout does not mean not done: the request was taken, and is carried out late."""
    namespace = world.server.new_namespace()
    world.break_("slow", verbs=["create"], delay_s=0.6)
    with pytest.raises(TimeoutError):
        world.create_raw(namespace, "late", timeout_s=0.2)
    deadline = time.monotonic() + 20
    while world.names(namespace) != ["late"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_delay_before_a_refusal(world: World) -> None:
    """Delay and status together: late, and refused."""
    world.break_("late", status=504, delay_s=0.3, path_prefix="/version")
    began_s = time.monotonic()
    status, _, body = world.raw("GET", "/version")
    assert (status, body["reason"]) == (504, "Timeout")
    assert time.monotonic() - began_s >= 0.3


def test_faults_are_counted_under_the_code_they_answered(world: World) -> None:
    """/metrics of the clean port counts both ports; a fault under its code, a reset under 444."""
    namespace = world.server.new_namespace()
    world.break_("teapot", verbs=["create"], resource=k8s.PLURAL, status=418, times=2)
    world.break_("cut", verbs=["create"], resource=k8s.PLURAL, reset=True)
    path, codes = REQUESTS.format(namespace), []
    for _ in range(2):
        codes.append(world.faulty.call("POST", path, k8s.remediation_request("x"))[0])
    with pytest.raises(ConnectionResetError):
        world.faulty.call("POST", path, k8s.remediation_request("x"))
    lines = world.server.call("GET", "/metrics")[1].splitlines()
    created = [line for line in lines if f'resource="{k8s.PLURAL}"' in line and 'verb="POST"' in line]
    assert codes == [418, 418]
    assert any('code="418"' in line and line.endswith(" 2.0") for line in created)
    assert any('code="444"' in line for line in created)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{", "the body is no JSON"),
        ([], "the body is no JSON object"),
        ({"status": 429, "for_s": 1}, "name: is missing"),
        ({"name": "x", "for_s": 1}, "status: is missing; give status, delay_s or reset"),
        ({"name": "x", "status": 429}, "for_s: is missing; a fault must end by itself"),
        ({"name": "x", "status": 200, "for_s": 1}, "status: 200 is no number from 400 to 599"),
        ({"name": "x", "status": 429, "for_s": 0}, "for_s: must be above 0"),
        ({"name": "x", "status": 429, "for_s": "60"}, "for_s: '60' is no number"),
        ({"name": "x", "status": 429, "for_s": 1, "retry_after_s": 0.5}, "retry_after_s: 0.5 is no whole"),
        ({"name": "x", "delay_s": 1, "for_s": 1, "retry_after_s": 1}, "retry_after_s: stands in an answer"),
        (
            {"name": "x", "reset": True, "status": 429, "for_s": 1},
            "reset: a connection that is reset gets no",
        ),
        ({"name": "x", "status": 429, "for_s": 1, "verbs": "create"}, "verbs: 'create' is no list of verbs"),
        ({"name": "x", "status": 429, "for_s": 1, "times": 0}, "times: 0 is no number from 1"),
        ({"name": "x", "status": 429, "for_s": 1, "probability": 2}, "probability: 2 is no number"),
        ({"name": "x", "status": 429, "for_s": 1, "retry-after": 3}, "retry-after: is no field of a fault"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(world: World, body: Any, sentence: str) -> None:
    """400 with one sentence that names the field; nothing is switched on."""
    status, answer = world.admin.call("POST", "/faults", body)
    assert status == 400
    assert sentence in answer["error"]
    assert world.admin.call("GET", "/faults") == (200, {"faults": []})


def test_names_are_unique_and_routes_are_named(world: World) -> None:
    """409 while a fault of that name is on; 404 lists what there is."""
    world.break_("one", status=429, path_prefix="/nothing")
    status, answer = world.admin.call("POST", "/faults", {"name": "one", "status": 503, "for_s": 1})
    assert (status, "delete it, or use another name" in answer["error"]) == (409, True)
    status, answer = world.admin.call("PUT", "/faults/one")
    assert (status, "DELETE /faults/NAME" in answer["error"]) == (404, True)
    assert world.mend("one")["was_active"] is True


def test_the_two_options_need_each_other(tmp_path: Any) -> None:
    """A faulty port without a way to ask for faults, or the reverse, is refused at the start."""
    with (
        pytest.raises(AssertionError, match="need each other"),
        k8s.running_server(tmp_path, "--faulty-listen", f"127.0.0.1:{k8s.free_port()}"),
    ):
        pass


GET_VERSION = read_request("GET", "/version", b"")


def test_times_lease_and_order_by_the_clock() -> None:
    """The oldest fault wins until it is used up; a lease ends at its instant; then the name is free."""
    now_s = [100.0]
    book = FaultBook(lambda: now_s[0], random.Random(1).random)
    first = read_fault({"name": "first", "status": 429, "times": 1, "for_s": 10})
    second = read_fault({"name": "second", "status": 503, "for_s": 5})
    book.add(first)
    book.add(second)
    assert [book.strike(GET_VERSION) for _ in range(3)] == [first, second, second]
    now_s[0] = 105.0
    assert book.strike(GET_VERSION) is None
    book.add(second)
    assert book.strike(GET_VERSION) is second
    assert [entry["hits"]["count"] for entry in book.describe(intervals=False)] == [1, 1]


@given(st.floats(0.01, 0.99), st.lists(st.floats(0, 0.999), min_size=1, max_size=50))
def test_probability_takes_exactly_the_draws_below_it(probability: float, draws: list[float]) -> None:
    """A request is hit if and only if its draw is below the probability."""
    left = iter(draws)
    book = FaultBook(lambda: 0.0, lambda: next(left))
    book.add(read_fault({"name": "x", "status": 429, "probability": probability, "for_s": 1}))
    hit = [book.strike(GET_VERSION) is not None for _ in draws]
    assert hit == [draw < probability for draw in draws]


def test_a_fault_reads_back_as_it_was_asked() -> None:
    """The body of GET /faults holds every field of the POST."""
    asked = {"name": "x", "verbs": ["get"], "status": 429, "retry_after_s": 1.0, "for_s": 60}
    book = FaultBook(lambda: 0.0, random.Random(1).random)
    book.add(read_fault(asked))
    (shown,) = book.describe(intervals=False)
    assert {name: shown[name] for name in asked} == {**asked, "verbs": ("get",), "retry_after_s": 1}
    with pytest.raises(BadFault, match="no field"):
        read_fault({**asked, "count": 1})
