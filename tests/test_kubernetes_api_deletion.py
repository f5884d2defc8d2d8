"""Deleting as the official client sees it, and requests that keep nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes_api_server import (
    PLURAL,
    RESOURCE,
    RunningServer,
    create,
    get,
    patch,
    refusal,
    remediation_request,
    running_server,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def custom(server: RunningServer) -> client.CustomObjectsApi:
    return server.custom()


@pytest.fixture
def namespace(server: RunningServer) -> str:
    return server.new_namespace()


def test_a_deleted_object_is_gone_and_its_name_is_free(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "a")
    answer = custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a")
    assert (answer["status"], answer["details"]["uid"]) == ("Success", made["metadata"]["uid"])
    assert refusal(get, custom, namespace, "a")["reason"] == "NotFound"
    delete = custom.delete_namespaced_custom_object
    assert refusal(delete, *RESOURCE, namespace, PLURAL, "a")["reason"] == "NotFound"
    assert create(custom, namespace, "a")["metadata"]["uid"] != made["metadata"]["uid"]


@pytest.mark.parametrize("member", ["uid", "resourceVersion"])
def test_a_delete_can_insist_on_what_it_deletes(custom: Any, namespace: str, member: str) -> None:
    made = create(custom, namespace, "a")

    def delete(value: str) -> Any:
        options = {"preconditions": {member: value}}
        return custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a", body=options)

    assert refusal(delete, "1")["reason"] == "Conflict"
    assert delete(made["metadata"][member])["status"] == "Success"


def test_finalizers_hold_an_object_until_the_last_is_removed(custom: Any, namespace: str) -> None:
    create(custom, namespace, "a", metadata={"finalizers": ["test/one"]})
    marked = custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a")
    assert marked["metadata"]["deletionTimestamp"]
    again = custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a")
    assert again == marked == get(custom, namespace, "a")

    more = {"metadata": {"finalizers": ["test/one", "test/two"]}}
    assert refusal(patch, custom, namespace, "a", more)["code"] == 422
    patch(custom, namespace, "a", {"metadata": {"finalizers": None}})
    assert refusal(get, custom, namespace, "a")["reason"] == "NotFound"


def test_a_collection_is_deleted_by_label(custom: Any, namespace: str) -> None:
    for name, team in (("a", "red"), ("b", "blue"), ("c", "red")):
        create(custom, namespace, name, metadata={"labels": {"team": team}})
    options = {"label_selector": "team=red"}
    custom.delete_collection_namespaced_custom_object(*RESOURCE, namespace, PLURAL, **options)
    left = custom.list_namespaced_custom_object(*RESOURCE, namespace, PLURAL)["items"]
    assert [item["metadata"]["name"] for item in left] == ["b"]


def test_a_dry_run_answers_and_keeps_nothing(custom: Any, namespace: str) -> None:
    body = remediation_request("a")
    call = custom.create_namespaced_custom_object
    assert call(*RESOURCE, namespace, PLURAL, body, dry_run="All")["metadata"]["uid"]
    assert refusal(get, custom, namespace, "a")["reason"] == "NotFound"

    made = create(custom, namespace, "a")
    assert patch(custom, namespace, "a", {"spec": {"n": 1}}, dry_run="All")["spec"]["n"] == 1
    custom.delete_namespaced_custom_object(*RESOURCE, namespace, PLURAL, "a", dry_run="All")
    assert get(custom, namespace, "a") == made
    assert refusal(call, *RESOURCE, namespace, PLURAL, body, dry_run="Some")["code"] == 422


def test_field_validation_is_taken_and_nonsense_in_it_is_not(custom: Any, namespace: str) -> None:
    call = custom.create_namespaced_custom_object
    assert call(*RESOURCE, namespace, PLURAL, remediation_request("a"), field_validation="Strict")
    wrong = remediation_request("b")
    assert refusal(call, *RESOURCE, namespace, PLURAL, wrong, field_validation="Maybe")["code"] == 422
