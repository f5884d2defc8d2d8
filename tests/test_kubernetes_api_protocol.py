"""The protocol around objects: discovery, core kinds, refusals, metrics, speed and start."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes_api_server import (
    CHECKOUT,
    GROUP,
    PLURAL,
    REQUESTS,
    RunningServer,
    remediation_request,
    running_server,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("api"), "--namespace", "another") as running:
        yield running


@pytest.fixture
def namespace(server: RunningServer) -> str:
    return server.new_namespace()


def test_discovery_describes_what_is_served(server: RunningServer) -> None:
    assert server.call("GET", "/version")[1]["major"] == "1"
    assert server.call("GET", "/api")[1]["versions"] == ["v1"]
    groups = {group["name"]: group for group in server.call("GET", "/apis")[1]["groups"]}
    assert groups[GROUP]["preferredVersion"] == {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}
    assert {"apiextensions.k8s.io", "coordination.k8s.io", "authorization.k8s.io"} < set(groups)
    assert server.call("GET", f"/apis/{GROUP}")[1]["kind"] == "APIGroup"

    core = {item["name"]: item for item in server.call("GET", "/api/v1")[1]["resources"]}
    assert {"namespaces", "events", "configmaps", "pods"} <= set(core)
    assert (core["pods"]["shortNames"], core["pods"]["singularName"]) == (["po"], "pod")
    resources = server.call("GET", f"/apis/{GROUP}/v1alpha1")[1]["resources"]
    assert [item["name"] for item in resources] == [PLURAL, f"{PLURAL}/status"]
    assert {"create", "deletecollection", "watch"} < set(resources[0]["verbs"])


def test_openapi_says_that_a_patch_takes_field_validation(server: RunningServer) -> None:
    places = server.call("GET", "/openapi/v3")[1]["paths"]
    document = server.call("GET", places[f"apis/{GROUP}/v1alpha1"]["serverRelativeURL"])[1]
    operation = document["paths"][f"{REQUESTS.format('{namespace}')}/{{name}}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in operation["parameters"]]
    kind = {"group": GROUP, "kind": "RemediationRequest", "version": "v1alpha1"}
    assert operation["x-kubernetes-group-version-kind"] == kind


def test_everything_is_allowed(server: RunningServer) -> None:
    attributes = client.V1ResourceAttributes(verb="create", resource=PLURAL, group=GROUP)
    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
    )
    api: Any = client.AuthorizationV1Api(server.api_client())
    assert api.create_self_subject_access_review(review).status.allowed is True


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez", "/readyz?verbose", "/livez/ping"])
def test_health_is_ok(server: RunningServer, path: str) -> None:
    assert server.call("GET", path) == (200, "ok")


def test_the_namespaces_of_the_sandbox_are_there_from_the_start(server: RunningServer) -> None:
    core: Any = server.core()
    found = {item.metadata.name for item in core.list_namespace().items}
    assert {"default", "kube-system", "alertstorm", "another"} <= found


def test_core_objects_are_stored_as_the_official_client_writes_them(
    server: RunningServer, namespace: str
) -> None:
    core: Any = server.core()
    metadata = client.V1ObjectMeta(name="a")
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=metadata, data={"k": "v"}))
    assert core.patch_namespaced_config_map("a", namespace, {"data": {"k": "w"}}).data == {"k": "w"}

    container = client.V1Container(name="c", image="i")
    pod = client.V1Pod(metadata=metadata, spec=client.V1PodSpec(containers=[container]))
    core.create_namespaced_pod(namespace, pod)
    assert core.delete_namespaced_pod("a", namespace).metadata.name == "a"

    about = client.V1ObjectReference(kind="Pod", name="a", namespace=namespace)
    core.create_namespaced_event(namespace, client.CoreV1Event(metadata=metadata, involved_object=about))
    found = core.list_namespaced_event(namespace, field_selector="involvedObject.name=a").items
    assert [event.involved_object.kind for event in found] == ["Pod"]

    leases: Any = client.CoordinationV1Api(server.api_client())
    spec = client.V1LeaseSpec(holder_identity="me", lease_duration_seconds=30)
    lease = leases.create_namespaced_lease(namespace, client.V1Lease(metadata=metadata, spec=spec))
    lease.spec.holder_identity = "you"
    assert leases.replace_namespaced_lease("a", namespace, lease).spec.holder_identity == "you"
    with pytest.raises(client.ApiException) as caught:
        leases.replace_namespaced_lease("a", namespace, lease)
    assert caught.value.status == 409


@pytest.mark.parametrize(
    ("body", "content_type", "code", "reason"),
    [
        ("{no json", "application/json", 400, "BadRequest"),
        ("[1]", "application/json", 400, "BadRequest"),
        ('{"spec": NaN}', "application/json", 400, "BadRequest"),
        ("[" * 100_000, "application/json", 400, "BadRequest"),
        (remediation_request("a", kind="Other"), "application/json", 422, "Invalid"),
        (remediation_request("a", apiVersion="v9"), "application/json", 400, "BadRequest"),
        (remediation_request("a", metadata={"namespace": "x"}), "application/json", 400, "BadRequest"),
        (remediation_request("a", metadata={"labels": {"a": 1}}), "application/json", 400, "BadRequest"),
        (remediation_request("a", metadata={"resourceVersion": "5"}), "application/json", 400, "BadRequest"),
        ("a: 1", "application/vnd.kubernetes.protobuf", 415, "UnsupportedMediaType"),
        ('"' + "x" * (3 * 1024 * 1024) + '"', "application/json", 413, "RequestEntityTooLarge"),
    ],
)
def test_a_body_that_means_nothing_is_refused_with_a_reason(
    server: RunningServer, namespace: str, body: Any, content_type: str, code: int, reason: str
) -> None:
    got, status = server.call("POST", REQUESTS.format(namespace), body, content_type)
    assert (got, status["kind"], status["reason"], status["code"]) == (code, "Status", reason, code)
    assert server.call("GET", REQUESTS.format(namespace))[1]["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", f"{REQUESTS.format('default')}/a", 405),
        ("PUT", REQUESTS.format("default"), 405),
        ("PATCH", REQUESTS.format("default"), 405),
        ("POST", f"/apis/{GROUP}/v1alpha1/{PLURAL}", 405),
        ("DELETE", f"{REQUESTS.format('default')}/a/status", 405),
        ("OPTIONS", REQUESTS.format("default"), 405),
        ("POST", "/version", 405),
        ("GET", f"{REQUESTS.format('default')}/a/scale", 404),
        ("GET", f"/apis/{GROUP}/v9/namespaces/default/{PLURAL}", 404),
        ("GET", "/apis/no.such.group/v1", 404),
        ("GET", "/nowhere", 404),
    ],
)
def test_a_path_or_method_that_is_not_served(
    server: RunningServer, method: str, path: str, code: int
) -> None:
    got, status = server.call(method, path)
    assert (got, status["reason"]) == (code, {404: "NotFound", 405: "MethodNotAllowed"}[code])


def test_metrics_count_requests_by_verb_and_code(server: RunningServer, namespace: str) -> None:
    def counted(verb: str, code: int) -> float:
        lines = [line for line in server.call("GET", "/metrics")[1].splitlines() if "_request_total{" in line]
        labels = (f'verb="{verb}"', f'code="{code}"', f'resource="{PLURAL}"')
        return sum(float(line.split()[-1]) for line in lines if all(label in line for label in labels))

    before = counted("POST", 201), counted("POST", 409), counted("LIST", 200)
    for _ in range(2):
        server.call("POST", REQUESTS.format(namespace), remediation_request("a"))
    server.call("GET", REQUESTS.format(namespace))
    after = counted("POST", 201), counted("POST", 409), counted("LIST", 200)
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1, 1]


def test_thousands_of_creates_take_seconds(server: RunningServer, namespace: str) -> None:
    """The server is there for more than 1000 creates a second; the bound leaves room for a busy machine."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    began = time.monotonic()
    for number in range(2000):
        body = json.dumps(remediation_request(f"a-{number}"))
        connection.request("POST", REQUESTS.format(namespace), body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201
    took_s = time.monotonic() - began
    connection.close()
    assert took_s < 15, f"{2000 / took_s:.0f} creates/s"
    assert len(server.call("GET", REQUESTS.format(namespace))[1]["items"]) == 2000


def test_the_log_of_a_start_is_one_line(server: RunningServer) -> None:
    expected = rf"kubernetes_api: serving on http://127\.0\.0\.1:{server.port}\n"
    assert re.fullmatch(expected, server.log.read_text())


def test_a_taken_address_is_named(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    command = [sys.executable, "-m", "sandbox.kubernetes_api", "--listen", f"127.0.0.1:{server.port}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.port}" in done.stderr
    assert "Traceback" not in done.stderr
