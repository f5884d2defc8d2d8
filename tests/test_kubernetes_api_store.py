"""The rules below the HTTP surface that a client cannot provoke at will."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.kubernetes_api import discovery, openapi
from sandbox.kubernetes_api.app import AsgiApp, Receive, Scope, Send, build
from sandbox.kubernetes_api.cluster import Cluster
from sandbox.kubernetes_api.definitions import REMEDIATION_REQUESTS
from sandbox.kubernetes_api.listing import ListRequest, read_page
from sandbox.kubernetes_api.patch import json_patch
from sandbox.kubernetes_api.request import read_request
from sandbox.kubernetes_api.resources import BUILT_IN, DEFINITIONS, NAMESPACES
from sandbox.kubernetes_api.selectors import Selector, parse_fields, parse_labels
from sandbox.kubernetes_api.status import ApiError
from sandbox.kubernetes_api.store import Store
from sandbox.kubernetes_api.writes import create

CONFIG_MAPS = next(resource for resource in BUILT_IN if resource.plural == "configmaps")
MORNING = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


class OneName(random.Random):
    """A source whose every choice is the same, so that generated names collide."""

    def choices(self, population: Any, *_weights: Any, k: int = 1, **_options: Any) -> list[Any]:
        return [population[0]] * k


def new_cluster(source: random.Random | None = None, history_length: int = 100) -> Cluster:
    cluster = Cluster(Store(1000, history_length), lambda: MORNING, source or random.Random(1))
    create(cluster, NAMESPACES, "", {"metadata": {"name": "n"}}, dry_run=False)
    return cluster


def make(cluster: Cluster, **metadata: str) -> dict[str, Any]:
    return create(cluster, CONFIG_MAPS, "n", {"metadata": metadata}, dry_run=False)


def test_a_generated_name_that_is_taken_is_drawn_again() -> None:
    """The same seed draws the same letters: the second object has to draw twice."""
    seed = random.Random(5)
    cluster = new_cluster(seed)
    state = seed.getstate()
    first = make(cluster, generateName="a-")["metadata"]["name"]
    seed.setstate(state)
    second = make(cluster, generateName="a-")["metadata"]["name"]
    assert first != second


def test_a_generated_name_gives_up_after_eight_collisions() -> None:
    cluster = new_cluster(OneName(1))
    make(cluster, generateName="a-")
    with pytest.raises(ApiError, match="already exists") as caught:
        make(cluster, generateName="a-")
    assert caught.value.code == 409


def test_a_created_object_is_stamped_with_the_given_clock_and_the_next_version() -> None:
    metadata = make(new_cluster(), name="a")["metadata"]
    assert (metadata["creationTimestamp"], metadata["resourceVersion"]) == ("2025-01-02T03:04:05Z", "1002")


def test_a_list_of_an_earlier_moment_undoes_what_came_later() -> None:
    cluster = new_cluster()
    for name in ("a", "b"):
        make(cluster, name=name)
    then = cluster.store.version
    kept = cluster.store.get(CONFIG_MAPS, ("n", "a"))
    assert kept is not None
    cluster.put(CONFIG_MAPS, ("n", "a"), {**kept, "data": {"k": "1"}})
    cluster.put(CONFIG_MAPS, ("n", "a"), {**kept, "data": {"k": "2"}})
    cluster.remove(CONFIG_MAPS, ("n", "b"), kept)
    make(cluster, name="c")

    def names_and_data(version: int | None) -> list[tuple[str, Any]]:
        collection = cluster.store.collection(CONFIG_MAPS)
        page = read_page(collection, ListRequest("n", Selector(), 0, version), cluster.store.version)
        return [(item["metadata"]["name"], item.get("data")) for item in page.items]

    assert names_and_data(then) == [("a", None), ("b", None)]
    assert names_and_data(None) == [("a", {"k": "2"}), ("c", None)]
    with pytest.raises(ApiError, match="Too large resource version"):
        names_and_data(cluster.store.version + 1)


def test_a_history_that_is_full_forgets_and_says_so() -> None:
    cluster = new_cluster(history_length=2)
    start = cluster.store.version
    collection = cluster.store.collection(CONFIG_MAPS)
    for name in ("a", "b"):
        make(cluster, name=name)
    assert [change.key[1] for change in collection.changes_after(start)] == ["a", "b"]
    make(cluster, name="c")
    assert [change.key[1] for change in collection.changes_after(start + 1)] == ["b", "c"]
    with pytest.raises(ApiError, match="too old resource version") as caught:
        collection.changes_after(start)
    assert caught.value.code == 410


def pointers(value: Any, here: str = "") -> list[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(found for part, below in inner for found in pointers(below, f"{here}/{part}"))]


@pytest.mark.parametrize("pointer", pointers(REMEDIATION_REQUESTS)[1:])
def test_a_definition_with_one_wrong_part_is_served_or_refused_but_breaks_nothing(pointer: str) -> None:
    """Whatever is put into one place of a definition, the answer is an object or a Status, never a crash."""
    values: list[Any] = [None, True, 1, "x", [], [1], ["x"], [{}], {}, {"x": 1}, {"openAPIV3Schema": [1]}]
    for value in values:
        cluster = new_cluster()
        body = json_patch(REMEDIATION_REQUESTS, [{"op": "replace", "path": pointer, "value": value}])
        with suppress(ApiError):
            create(cluster, DEFINITIONS, "", body, dry_run=False)
        for group, versions in cluster.registry.versions().items():
            place = f"apis/{group}/{versions[0]}" if group else f"api/{versions[0]}"
            assert json.dumps(discovery.document(cluster.registry, f"/{place}"))
            assert json.dumps(openapi.document(cluster.registry, f"/openapi/v3/{place}"))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("a=1", True),
        ("a = 1 , b", True),
        ("a in (2, 1),b!=z", True),
        ("a notin (1)", False),
        ("missing notin (1)", True),
        ("missing!=1", True),
        ("!missing", True),
        ("!a", False),
        ("a>0", True),
        ("a<1", False),
        ("b>0", False),
        ("b in (,x)", True),
        ("kubernaut.io/x=y", False),
    ],
)
def test_a_label_selector_on_labels_a1_bx(selector: str, expected: bool) -> None:
    subject = {"metadata": {"labels": {"a": "1", "b": "x"}}}
    assert Selector(labels=parse_labels(selector)).matches(subject) is expected


@pytest.mark.parametrize(
    "selector", ["a=b=c", "a in b", "a in (b", ",", "a b", "=a", "a=" + "x" * 64, "-a=1"]
)
def test_a_label_selector_that_cannot_be_read_is_refused(selector: str) -> None:
    with pytest.raises(ApiError, match="unable to parse requirement") as caught:
        parse_labels(selector)
    assert caught.value.code == 400


def test_a_field_selector_unescapes_and_knows_only_its_fields() -> None:
    terms = parse_fields(r"metadata.name=a\,b\=c,status.phase!=Done", ["status.phase"])
    assert [(term.path, term.value, term.negated) for term in terms] == [
        ("metadata.name", "a,b=c", False),
        ("status.phase", "Done", True),
    ]
    with pytest.raises(ApiError, match=r"field label not supported: spec\.x"):
        parse_fields("spec.x=1", ["status.phase"])


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/namespaces", b"", ("list", "", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/n", b"", ("get", "", "namespaces", "", "n", "")),
        ("PATCH", "/api/v1/namespaces/n/status", b"", ("patch", "", "namespaces", "", "n", "status")),
        ("GET", "/api/v1/namespaces/n/pods", b"watch=1", ("watch", "", "pods", "n", "", "")),
        ("GET", "/api/v1/pods", b"watch=false", ("list", "", "pods", "", "", "")),
        ("DELETE", "/apis/g/v1/namespaces/n/things", b"", ("deletecollection", "g", "things", "n", "", "")),
        ("PUT", "/apis/g/v1/things/a/status", b"", ("update", "g", "things", "", "a", "status")),
        ("POST", "/apis/g/v1", b"", ("post", "", "", "", "", "")),
    ],
)
def test_a_request_line_is_read(method: str, path: str, query: bytes, expected: tuple[str, ...]) -> None:
    info = read_request(method, path, query)
    assert (info.verb, info.group, info.resource, info.namespace, info.name, info.subresource) == expected


def test_a_layer_stands_behind_the_count_and_sees_what_is_asked() -> None:
    """The place for a layer that disturbs answers: it knows the verb, and what it answers is counted."""

    def teapot(inner: AsgiApp) -> AsgiApp:
        async def layer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["alertstorm.request"].verb != "create":
                await inner(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 418, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return layer

    app = build(new_cluster(), 30.0, teapot)

    def call(method: str, path: str) -> tuple[int, bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
        asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
        return sent[0]["status"], sent[1]["body"]

    assert call("POST", "/api/v1/namespaces/n/configmaps")[0] == 418
    code, body = call("GET", "/api/v1/namespaces/n/configmaps")
    assert (code, json.loads(body)["items"]) == (200, [])
    assert (
        b'code="418",group="",resource="configmaps",subresource="",verb="POST"' in call("GET", "/metrics")[1]
    )
