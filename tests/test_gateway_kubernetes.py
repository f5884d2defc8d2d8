"""The Gateway's way to the Kubernetes API, against a server that answers what it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from gateway_processes import free_port

from sandbox.gateway import remediation_request as rr
from sandbox.gateway.breaker import CircuitBreaker, State
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.kubeconfig import Cluster
from sandbox.gateway.kubernetes_client import (
    BREAKER_POLICY,
    AlreadyExistsError,
    KubernetesClient,
    KubernetesError,
)
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.remediation_store import Claim, Occurrence, RemediationStore
from sandbox.gateway.webhook import parse_alert

ALERT = parse_alert({"labels": {"alertname": "A", "pod": "p"}})
NAME = rr.name_of(ALERT.fingerprint, 1)
LOST = "the request is carried out and its answer never sent"


class Api:
    """Stores objects; for each request it first looks whether it was told to fail this one."""

    def __init__(self, *plan: Any) -> None:
        self.plan = list(plan)  # of the requests to come: None (do it), LOST, or (status, headers)
        self.objects: dict[str, dict[str, Any]] = {}
        self.seen: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.method)
        order = self.plan.pop(0) if self.plan else None
        if isinstance(order, tuple):
            return web.json_response({"message": "as told"}, status=order[0], headers=order[1])
        answer = await self._carry_out(request)
        if order is LOST and request.transport:
            request.transport.abort()
        return answer

    async def _carry_out(self, request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        if request.method == "GET":
            found = self.objects.get(name)
            return web.json_response(found or {}, status=200 if found else 404)
        body = await request.json()
        name, old = body["metadata"]["name"], self.objects.get(body["metadata"]["name"])
        if request.method == "POST" and old:
            return web.json_response({"message": "exists"}, status=409)
        if (
            request.method == "PUT"
            and old
            and body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]
        ):
            return web.json_response({"message": "changed"}, status=409)
        body["metadata"]["resourceVersion"] = str(len(self.seen))
        self.objects[name] = body
        return web.json_response(body, status=201)

    def count(self) -> int:
        return rr.count_of(self.objects[NAME])


def run(
    api: Api, story: Callable[[KubernetesClient, RemediationStore], Awaitable[Any]], metrics: Metrics
) -> Any:
    """Run `story` with a client of `api`."""

    async def main() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", api.handle)
        async with TestServer(app, port=free_port()) as server:
            cluster = Cluster(f"http://127.0.0.1:{server.port}", "token", None)
            client = KubernetesClient(cluster, "ns", metrics)
            try:
                return await story(client, RemediationStore(client, metrics, Defects({})))
            finally:
                await client.close()

    return asyncio.run(main())


def claim(api: Api, *, look_first: bool = False, budget_s: float = 20.0) -> Claim:
    def story(client: KubernetesClient, store: RemediationStore) -> Awaitable[Claim]:
        return store.claim(ALERT, "webhook", Deadline.after(budget_s), look_first=look_first)

    result: Claim = run(api, story, Metrics())
    return result


def test_errors_are_tried_again() -> None:
    """429 and 5xx, and an answer that is lost, are followed by another try."""
    api = Api((429, {}), (500, {}), (503, {"Retry-After": "0"}))
    assert claim(api) == Claim(NAME, created=True, count=1)
    assert api.seen == ["POST"] * 4


def test_a_create_whose_answer_was_lost_is_not_counted_twice() -> None:
    """The second try is told AlreadyExists; the object says who made it."""
    api = Api(LOST)
    assert claim(api) == Claim(NAME, created=True, count=1)
    assert api.seen == ["POST", "POST", "GET"]
    assert api.count() == 1


def test_a_count_whose_answer_was_lost_is_not_counted_twice() -> None:
    """The second try is told Conflict; the object says who wrote it."""
    api = Api()
    claim(api)
    api.plan = [None, None, LOST]  # POST (409), GET, PUT
    assert claim(api) == Claim(NAME, created=False, count=2)
    assert api.count() == 2


def test_who_comes_again_as_the_same_writer_is_not_counted_twice() -> None:
    """An alert whose create was given up, and did arrive, is written later as what it was."""
    api = Api(LOST, (503, {"Retry-After": "60"}))
    seen = Occurrence.once(ALERT, "webhook")

    async def story(client: KubernetesClient, store: RemediationStore) -> Claim:
        with pytest.raises(KubernetesError, match="503"):
            await store.record(seen, Deadline.after(20), look_first=False)
        return await store.record(seen, Deadline.after(20), look_first=False)

    assert run(api, story, Metrics()) == Claim(NAME, created=True, count=1)
    assert api.count() == 1


def test_breaker() -> None:
    """Ten failed tries in a row open it; while the patient wait, they alone try it; a success closes it."""
    api = Api(*10 * [(429, {})])

    async def story(client: KubernetesClient, store: RemediationStore) -> list[str]:
        found = []

        async def look(*, patient: bool) -> None:
            try:
                await client.get("none", Deadline.after(20, patient=patient))
                found.append("answered")
            except KubernetesError as error:
                found.append(error.reason)

        client.breaker = CircuitBreaker(replace(BREAKER_POLICY, open_s=0.0))
        for _ in range(10):
            await look(patient=True)
        assert client.breaker.state is State.OPEN
        client.patient_are_waiting = lambda: True
        await look(patient=False)
        await look(patient=True)
        await look(patient=False)
        return found

    assert run(api, story, Metrics()) == 10 * ["429"] + ["breaker_open", "answered", "answered"]
    assert len(api.seen) == 12


def test_looking_first_saves_a_refused_create() -> None:
    """The way without Redis: get, then put."""
    api = Api()
    claim(api)
    api.seen.clear()
    assert claim(api, look_first=True) == Claim(NAME, created=False, count=2)
    assert api.seen == ["GET", "PUT"]


@pytest.mark.parametrize(
    ("order", "tries", "reason"),
    [
        ((503, {}), 5, "503"),
        ((429, {"Retry-After": "60"}), 1, "429"),  # later than the deadline: no use in trying on
        ((403, {}), 1, "403"),
        ((422, {}), 1, "422"),
    ],
)
def test_tries_end(order: tuple[int, dict[str, str]], tries: int, reason: str) -> None:
    """What another try cannot mend is not tried again, and the rest only so often."""
    api = Api(*[order] * 9)
    with pytest.raises(KubernetesError) as caught:
        claim(api)
    assert caught.value.reason == reason
    assert api.seen == ["POST"] * tries


def test_deadline_ends_tries() -> None:
    """Without time there is no try at all."""
    api = Api()
    with pytest.raises(KubernetesError, match="no time was left"):
        claim(api, budget_s=-1)
    assert api.seen == []


def test_failed_tries_are_counted() -> None:
    """By status; 404 and 409 are answers and no errors."""
    metrics = Metrics()
    api = Api((429, {}), (429, {}))

    async def story(client: KubernetesClient, store: RemediationStore) -> None:
        deadline = Deadline.after(20)
        body = rr.body_of(ALERT, NAME, "ns", datetime(2026, 1, 1, tzinfo=UTC), "w")
        assert await client.get("none", deadline) is None
        await client.create(body, deadline)
        with pytest.raises(AlreadyExistsError):
            await client.create(body, deadline)

    run(api, story, metrics)
    errors = {
        sample.labels["status"]: sample.value
        for family in metrics.k8s_api_errors_total.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert errors == {"429": 2, "500": 0, "503": 0, "connection": 0, "timeout": 0}
