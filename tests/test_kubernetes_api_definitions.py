"""Containers: definitions, which make a resource served, and namespaces; both go with what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes_api_server import REQUESTS, RunningServer, remediation_request, running_server

WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.test.example"},
    "spec": {
        "group": "test.example",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
                "selectableFields": [{"jsonPath": ".spec.color"}],
            },
            {"name": "v1beta1", "served": True, "storage": False},
        ],
    },
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGET = {
    "apiVersion": "test.example/v1",
    "kind": "Widget",
    "metadata": {"name": "w"},
    "spec": {"color": "red"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def namespace(server: RunningServer) -> str:
    return server.new_namespace()


def test_a_definition_makes_its_resource_served_until_it_is_deleted(
    server: RunningServer, namespace: str
) -> None:
    path = f"/apis/test.example/{{}}/namespaces/{namespace}/widgets"
    assert server.call("POST", path.format("v1"), WIDGET)[0] == 404
    code, made = server.call("POST", DEFINITIONS, WIDGETS)
    assert code == 201
    conditions = {item["type"]: item["status"] for item in made["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}

    assert server.call("POST", path.format("v1"), WIDGET)[0] == 201
    older = server.call("GET", f"{path.format('v1beta1')}/w")[1]
    assert (older["apiVersion"], older["spec"]) == ("test.example/v1beta1", {"color": "red"})
    selected = [
        server.call("GET", f"{path.format('v1')}?fieldSelector=spec.color%3D{color}")[1]["items"]
        for color in ("red", "blue")
    ]
    assert [len(items) for items in selected] == [1, 0]

    assert server.call("DELETE", f"{DEFINITIONS}/widgets.test.example")[0] == 200
    assert server.call("GET", path.format("v1"))[0] == 404
    assert server.call("POST", DEFINITIONS, WIDGETS)[0] == 201
    assert server.call("GET", path.format("v1"))[1]["items"] == []
    assert server.call("DELETE", f"{DEFINITIONS}/widgets.test.example")[0] == 200


def test_a_definition_that_cannot_be_served_is_refused(server: RunningServer) -> None:
    wrong = {
        **WIDGETS,
        "metadata": {"name": "gadgets.test.example"},
        "spec": {**WIDGETS["spec"], "scope": "x"},
    }
    code, status = server.call("POST", DEFINITIONS, wrong)
    assert code == 422
    assert [cause["field"] for cause in status["details"]["causes"]] == ["metadata.name", "spec.scope"]


def test_a_namespace_goes_with_the_last_of_its_objects(server: RunningServer, namespace: str) -> None:
    requests = REQUESTS.format(namespace)
    held = remediation_request("held", metadata={"finalizers": ["test/hold"]})
    for body in (held, remediation_request("free")):
        assert server.call("POST", requests, body)[0] == 201
    code, marked = server.call("DELETE", f"/api/v1/namespaces/{namespace}")
    assert (code, marked["status"]["phase"]) == (200, "Terminating")
    items = server.call("GET", requests)[1]["items"]
    assert [item["metadata"]["name"] for item in items] == ["held"]
    code, status = server.call("POST", requests, remediation_request("late"))
    assert (code, status["reason"]) == (403, "Forbidden")

    release: Any = {"metadata": {"finalizers": []}}
    assert server.call("PATCH", f"{requests}/held", release, "application/merge-patch+json")[0] == 200
    assert server.call("GET", f"/api/v1/namespaces/{namespace}")[0] == 404
