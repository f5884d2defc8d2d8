"""Objects as the official client sees them: identity, versions, conflicts, patches, status, deletion."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes_api_server import (
    GROUP,
    PLURAL,
    REQUESTS,
    RESOURCE,
    VERSION,
    RunningServer,
    create,
    get,
    patch,
    refusal,
    remediation_request,
    replace,
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


def test_a_created_object_gets_its_identity_from_the_server(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "a", status={"overallPhase": "Completed"})
    metadata = made["metadata"]
    assert uuid.UUID(metadata["uid"]).version == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert metadata["generation"] == 1
    assert metadata["namespace"] == namespace
    assert made["spec"] == {"signalName": "KubePodCrashLooping"}
    assert "status" not in made, "a status comes only through the status subresource"
    assert get(custom, namespace, "a") == made


def test_versions_only_grow_across_all_kinds(server: RunningServer, custom: Any, namespace: str) -> None:
    seen = [int(create(custom, namespace, "a")["metadata"]["resourceVersion"])]
    config_map = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c"), data={"k": "v"})
    stored: Any = server.core().create_namespaced_config_map(namespace, config_map)
    seen.append(int(stored.metadata.resource_version))
    seen.append(int(create(custom, namespace, "b")["metadata"]["resourceVersion"]))
    assert seen == sorted(set(seen))


def test_a_name_can_be_taken_once(custom: Any, namespace: str) -> None:
    create(custom, namespace, "a")
    status = refusal(create, custom, namespace, "a")
    assert status["reason"] == "AlreadyExists"
    assert status["code"] == 409
    assert status["message"] == f'{PLURAL}.{GROUP} "a" already exists'
    assert status["details"] == {"name": "a", "group": GROUP, "kind": PLURAL}


def test_a_missing_object_and_a_missing_namespace_are_not_found(custom: Any, namespace: str) -> None:
    status = refusal(get, custom, namespace, "no")
    assert (status["code"], status["reason"]) == (404, "NotFound")
    assert status["message"] == f'{PLURAL}.{GROUP} "no" not found'
    status = refusal(create, custom, "no-such-namespace", "a")
    assert (status["code"], status["message"]) == (404, 'namespaces "no-such-namespace" not found')
    assert status["details"] == {"name": "no-such-namespace", "kind": "namespaces"}


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "a" * 254, ""])
def test_a_name_must_be_a_dns_subdomain(custom: Any, namespace: str, name: str) -> None:
    status = refusal(create, custom, namespace, name)
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in status["details"]["causes"]] == ["metadata.name"]


def test_a_label_value_of_64_characters_is_refused_and_of_63_taken(custom: Any, namespace: str) -> None:
    labels = {"kubernaut.io/signal-fingerprint": "f" * 63}
    create(custom, namespace, "a", metadata={"labels": labels})
    too_long = {"labels": {"kubernaut.io/signal-fingerprint": "f" * 64}}
    assert refusal(create, custom, namespace, "b", metadata=too_long)["code"] == 422


def test_generate_name_adds_five_characters(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "", metadata={"name": None, "generateName": "rr-"})
    assert re.fullmatch(r"rr-[a-z0-9]{5}", made["metadata"]["name"])


def test_a_replace_needs_the_current_version(custom: Any, namespace: str) -> None:
    first = create(custom, namespace, "a")
    second = replace(custom, namespace, {**first, "spec": {"n": 1}})
    assert second["metadata"]["generation"] == 2
    assert second["metadata"]["uid"] == first["metadata"]["uid"]

    status = refusal(replace, custom, namespace, {**first, "spec": {"n": 2}})
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert status["message"] == (
        f'Operation cannot be fulfilled on {PLURAL}.{GROUP} "a": the object has been modified; please apply '
        "your changes to the latest version and try again"
    )
    status = refusal(replace, custom, namespace, remediation_request("a"))
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "metadata.resourceVersion"
    assert get(custom, namespace, "a") == second


def test_generation_counts_changes_of_the_spec_alone(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "a")
    labelled = patch(custom, namespace, "a", {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    assert int(labelled["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert patch(custom, namespace, "a", {"spec": {"n": 1}})["metadata"]["generation"] == 2
    assert patch(custom, namespace, "a", {"spec": {"n": True}})["metadata"]["generation"] == 3


def test_a_write_that_changes_nothing_keeps_the_version(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "a")
    assert replace(custom, namespace, made) == made
    assert patch(custom, namespace, "a", {"spec": {"signalName": "KubePodCrashLooping"}}) == made


def test_spec_and_status_are_walled_off_from_each_other(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "a")
    both = {"spec": {"signalName": "other"}, "status": {"overallPhase": "Completed"}}
    by_status = custom.patch_namespaced_custom_object_status(*RESOURCE, namespace, PLURAL, "a", both)
    assert (by_status["spec"], by_status["status"]) == (made["spec"], {"overallPhase": "Completed"})
    assert by_status["metadata"]["generation"] == 1

    by_spec = replace(
        custom, namespace, {**by_status, "spec": {"n": 1}, "status": {"overallPhase": "Failed"}}
    )
    assert (by_spec["spec"], by_spec["status"]) == ({"n": 1}, {"overallPhase": "Completed"})

    put = {
        **by_spec,
        "spec": {},
        "metadata": {**by_spec["metadata"], "labels": {"x": "y"}},
        "status": {"s": 1},
    }
    after = custom.replace_namespaced_custom_object_status(*RESOURCE, namespace, PLURAL, "a", put)
    assert (after["spec"], after["status"]) == ({"n": 1}, {"s": 1})
    assert "labels" not in after["metadata"]
    stale = refusal(custom.replace_namespaced_custom_object_status, *RESOURCE, namespace, PLURAL, "a", put)
    assert stale["reason"] == "Conflict"


def test_the_three_patches(server: RunningServer, custom: Any, namespace: str) -> None:
    create(custom, namespace, "a", spec={"keep": 1, "drop": 2})
    merged = patch(custom, namespace, "a", {"spec": {"drop": None, "list": [1]}})
    assert merged["spec"] == {"keep": 1, "list": [1]}

    operations = [
        {"op": "test", "path": "/spec/keep", "value": 1},
        {"op": "add", "path": "/spec/list/-", "value": 2},
    ]
    json_type = {"_content_type": "application/json-patch+json"}
    assert patch(custom, namespace, "a", operations, **json_type)["spec"]["list"] == [1, 2]
    operations[0]["value"] = 7
    status = refusal(patch, custom, namespace, "a", operations, **json_type)
    assert (status["code"], status["reason"]) == (422, "Invalid")
    code, status = server.call(
        "PATCH", f"{REQUESTS.format(namespace)}/a", {"op": "no"}, json_type["_content_type"]
    )
    assert (code, status["reason"]) == (400, "BadRequest")

    path = f"{REQUESTS.format(namespace)}/b?fieldManager=test"
    applied = f"apiVersion: {GROUP}/{VERSION}\nkind: RemediationRequest\nspec: {{since: 2024-01-02}}\n"
    assert server.call("PATCH", path, applied, "application/apply-patch+yaml")[0] == 201
    code, again = server.call("PATCH", path, applied, "application/apply-patch+yaml")
    assert (code, again["spec"]) == (200, {"since": "2024-01-02"})

    code, status = server.call("PATCH", path, {}, "application/strategic-merge-patch+json")
    assert (code, status["reason"]) == (415, "UnsupportedMediaType")


def test_a_patch_with_an_old_version_conflicts_and_without_one_does_not(custom: Any, namespace: str) -> None:
    made = create(custom, namespace, "a")
    patch(custom, namespace, "a", {"spec": {"n": 1}})
    old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"n": 2}}
    assert refusal(patch, custom, namespace, "a", old)["reason"] == "Conflict"
    assert patch(custom, namespace, "a", {"spec": {"n": 2}})["spec"]["n"] == 2


def test_a_hundred_optimistic_increments_from_ten_threads_count_to_a_hundred(
    server: RunningServer, custom: Any, namespace: str
) -> None:
    create(custom, namespace, "a", spec={"count": 0})
    refusals: list[int] = []
    start = threading.Barrier(10)

    def increment_ten_times() -> None:
        mine, done = server.custom(), 0
        start.wait()
        while done < 10:
            current = get(mine, namespace, "a")
            current["spec"]["count"] += 1
            try:
                replace(mine, namespace, current)
            except ApiException as error:
                refusals.append(error.status)
            else:
                done += 1

    threads = [threading.Thread(target=increment_ten_times) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    last = get(custom, namespace, "a")
    assert last["spec"]["count"] == 100
    assert last["metadata"]["generation"] == 101
    assert set(refusals) == {409}, "ten writers at the same time meet conflicts, and nothing else"
