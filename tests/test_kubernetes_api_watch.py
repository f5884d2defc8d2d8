"""Lists, pages and watches: a client that lists and then watches misses nothing and sees nothing twice."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException
from kubernetes_api_server import (
    PLURAL,
    REQUESTS,
    RESOURCE,
    RunningServer,
    create,
    running_server,
)

HISTORY = 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    options = ("--watch-history", str(HISTORY), "--bookmark-every-s", "0.3")
    with running_server(tmp_path_factory.mktemp("api"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def custom(server: RunningServer) -> client.CustomObjectsApi:
    return server.custom()


@pytest.fixture
def namespace(server: RunningServer) -> str:
    return server.new_namespace()


def listed(custom: Any, namespace: str, **options: Any) -> dict[str, Any]:
    return custom.list_namespaced_custom_object(*RESOURCE, namespace, PLURAL, **options)


def names(answer: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


def watched(custom: Any, namespace: str, **options: Any) -> list[tuple[str, str]]:
    """Type and name of every event until the watch ends by timeoutSeconds."""
    call = custom.list_namespaced_custom_object
    stream = watch.Watch().stream(call, *RESOURCE, namespace, PLURAL, **options)
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in stream]


def lines(server: RunningServer, namespace: str, query: str) -> list[dict[str, Any]]:
    """Every event of one raw watch, without any help of a client library."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", f"{REQUESTS.format(namespace)}?watch=true&{query}")
        answer = connection.getresponse()
        assert answer.status == 200
        return [json.loads(line) for line in answer.read().splitlines()]
    finally:
        connection.close()


def test_pages_of_one_list_show_one_moment(custom: Any, namespace: str) -> None:
    for number in range(250):
        create(custom, namespace, f"a-{number:03}")
    first = listed(custom, namespace, limit=100)
    assert first["metadata"]["remainingItemCount"] == 150
    create(custom, namespace, "a-100-later")
    custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a-150")
    second = listed(custom, namespace, limit=100, _continue=first["metadata"]["continue"])
    third = listed(custom, namespace, limit=100, _continue=second["metadata"]["continue"])
    assert [len(page["items"]) for page in (first, second, third)] == [100, 100, 50]
    assert names(first) + names(second) + names(third) == [f"a-{number:03}" for number in range(250)]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {
        first["metadata"]["resourceVersion"]
    }
    assert "continue" not in third["metadata"]
    assert len(listed(custom, namespace)["items"]) == 250


def test_a_page_of_a_forgotten_moment_has_expired(custom: Any, namespace: str) -> None:
    for name in ("a", "b"):
        create(custom, namespace, name)
    token = listed(custom, namespace, limit=1)["metadata"]["continue"]
    for number in range(HISTORY + 1):
        body = {"spec": {"n": number}}
        custom.patch_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a", body)
    with pytest.raises(ApiException) as caught:
        listed(custom, namespace, limit=1, _continue=token)
    assert (caught.value.status, json.loads(caught.value.body or "")["reason"]) == (410, "Expired")
    with pytest.raises(ApiException) as caught:
        listed(custom, namespace, _continue="nonsense!")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("team=red", ["a", "c"]),
        ("team==red,tier!=web", ["c"]),
        ("team in (red, blue)", ["a", "b", "c"]),
        ("team notin (red)", ["b", "d"]),
        ("!team", ["d"]),
        ("tier", ["a"]),
    ],
)
def test_labels_select(custom: Any, namespace: str, selector: str, expected: list[str]) -> None:
    create(custom, namespace, "a", metadata={"labels": {"team": "red", "tier": "web"}})
    create(custom, namespace, "b", metadata={"labels": {"team": "blue"}})
    create(custom, namespace, "c", metadata={"labels": {"team": "red"}})
    create(custom, namespace, "d")
    assert names(listed(custom, namespace, label_selector=selector)) == expected


def test_fields_select_by_name_and_namespace(custom: Any, namespace: str) -> None:
    for name in ("a", "b", "c"):
        create(custom, namespace, name)
    assert names(listed(custom, namespace, field_selector="metadata.name=b")) == ["b"]
    assert names(listed(custom, namespace, field_selector="metadata.name!=b")) == ["a", "c"]
    everywhere = custom.list_cluster_custom_object
    selector = f"metadata.namespace={namespace}"
    assert names(everywhere(*RESOURCE, PLURAL, field_selector=selector)) == ["a", "b", "c"]
    for options in ({"field_selector": "spec.signalName=x"}, {"label_selector": "a=b=c"}):
        with pytest.raises(ApiException) as caught:
            listed(custom, namespace, **options)
        assert caught.value.status == 400


def test_a_watch_from_a_list_misses_nothing(server: RunningServer, custom: Any, namespace: str) -> None:
    """Writers go on while the list is taken and before the watch begins: list and watch make the whole."""
    expected = {f"w{writer}-{number}" for writer in range(4) for number in range(40)}

    def write(writer: int) -> None:
        mine = server.custom()
        for number in range(40):
            create(mine, namespace, f"w{writer}-{number}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    taken = listed(custom, namespace)
    seen = names(taken)
    call, version = custom.list_namespaced_custom_object, taken["metadata"]["resourceVersion"]
    stream = watch.Watch()
    options = {"resource_version": version, "timeout_seconds": 30}
    for event in stream.stream(call, *RESOURCE, namespace, PLURAL, **options):
        assert event["type"] == "ADDED"
        seen.append(event["object"]["metadata"]["name"])
        if len(seen) == len(expected):
            stream.stop()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == sorted(expected)


def test_a_watch_tells_added_modified_deleted_in_order(custom: Any, namespace: str) -> None:
    version = listed(custom, namespace)["metadata"]["resourceVersion"]
    create(custom, namespace, "a")
    custom.patch_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a", {"spec": {"n": 1}})
    custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a")
    events = watched(custom, namespace, resource_version=version, timeout_seconds=1)
    assert events == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_with_labels_sees_objects_come_and_go(custom: Any, namespace: str) -> None:
    version = listed(custom, namespace)["metadata"]["resourceVersion"]
    create(custom, namespace, "other")
    create(custom, namespace, "a")
    for team in ("red", "blue"):
        body = {"metadata": {"labels": {"team": team}}}
        custom.patch_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a", body)
    options = {"resource_version": version, "timeout_seconds": 1, "label_selector": "team=red"}
    assert watched(custom, namespace, **options) == [("ADDED", "a"), ("DELETED", "a")]


def test_a_watch_without_version_begins_with_what_is_there(server: RunningServer, namespace: str) -> None:
    create(server.custom(), namespace, "a")
    query = (
        "timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    )
    events = lines(server, namespace, query)
    assert [event["type"] for event in events[:2]] == ["ADDED", "BOOKMARK"]
    annotations = events[1]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}
    assert [event["type"] for event in lines(server, namespace, "timeoutSeconds=1")] == ["ADDED"]


def test_bookmarks_carry_a_quiet_watch_forward(server: RunningServer, custom: Any, namespace: str) -> None:
    """Versions that other kinds used up reach it by bookmark; resumed from there it misses nothing."""
    start = int(listed(custom, namespace)["metadata"]["resourceVersion"])
    other = server.new_namespace()
    query = f"resourceVersion={start}&timeoutSeconds=1&allowWatchBookmarks=true"
    events = lines(server, namespace, query)
    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert len(events) > 1, "a bookmark comes in between, not only at the end"
    last = int(events[-1]["object"]["metadata"]["resourceVersion"])
    assert last > start, f"creating namespace {other} took a version"
    create(custom, namespace, "a")
    resumed = lines(server, namespace, f"resourceVersion={last}&timeoutSeconds=1")
    assert [event["object"]["metadata"]["name"] for event in resumed] == ["a"]


def test_a_version_too_old_is_gone(server: RunningServer, custom: Any, namespace: str) -> None:
    events = lines(server, namespace, "resourceVersion=1&timeoutSeconds=1")
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
    assert events[0]["object"]["reason"] == "Expired"
    with pytest.raises(ApiException) as caught:
        watched(custom, namespace, resource_version="1", timeout_seconds=1)
    assert caught.value.status == 410


def test_an_open_watch_ends_cleanly_with_the_server(tmp_path: Any) -> None:
    """The process ends within its grace although a watch is open, and the watch ends cleanly."""
    with running_server(tmp_path) as own:
        answers: list[list[dict[str, Any]]] = []
        thread = threading.Thread(target=lambda: answers.append(lines(own, "default", "timeoutSeconds=600")))
        thread.start()
        deadline = time.monotonic() + 30
        while 'verb="WATCH"' not in own.call("GET", "/metrics")[1]:
            assert time.monotonic() < deadline, "the watch did not begin"
        own.process.terminate()
        assert own.process.wait(10) == 0
        thread.join(10)
    assert answers == [[]]
