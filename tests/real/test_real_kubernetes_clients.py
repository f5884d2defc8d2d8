"""Watches, conflicts, kubectl and manifests: on Kubernetes' own machinery, and alike on the sandbox's API."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import real_api
import real_tools
import yaml
from kubernetes import watch
from kubernetes.client.exceptions import ApiException
from kubernetes_api_server import (
    PLURAL,
    RESOURCE,
    RunningServer,
    create,
    get,
    remediation_request,
    replace,
    running_server,
)

from sandbox.kubernetes_api.definitions import REMEDIATION_REQUESTS

pytestmark = real_tools.needs(*real_api.PROGRAMS)

CHECKOUT = real_tools.CHECKOUT
CHAOS_MESH = CHECKOUT / "tests/data/chaos-mesh-v2.8.3"
NAMESPACE = "default"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with real_api.running(tmp_path_factory.mktemp("real")) as server:
        real_api.define(server, REMEDIATION_REQUESTS)
        yield server


@pytest.fixture(scope="module", params=["real", "ours"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """Each of the two in turn."""
    if request.param == "real":
        yield request.getfixturevalue("real")
        return
    with running_server(tmp_path_factory.mktemp("ours")) as ours:
        yield ours


def test_a_watch_tells_every_change_once_and_in_order(server: RunningServer) -> None:
    """From the version of a list on: what was created, changed, relabelled and deleted since."""
    custom = server.custom()
    list_all = custom.list_namespaced_custom_object
    since = list_all(*RESOURCE, NAMESPACE, PLURAL)["metadata"]["resourceVersion"]
    create(custom, NAMESPACE, "w", metadata={"labels": {"seen": "yes"}})
    replace(custom, NAMESPACE, {**get(custom, NAMESPACE, "w"), "spec": {"n": 1}})
    body = get(custom, NAMESPACE, "w")
    replace(custom, NAMESPACE, {**body, "metadata": {**body["metadata"], "labels": {"seen": "no"}}})
    custom.delete_namespaced_custom_object(*RESOURCE, NAMESPACE, PLURAL, "w")

    def events(**selected: str) -> list[tuple[str, str]]:
        found = watch.Watch().stream(
            list_all, *RESOURCE, NAMESPACE, PLURAL, resource_version=since, timeout_seconds=2, **selected
        )
        return [(event["type"], event["object"]["metadata"]["name"]) for event in found]

    changes = ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert events() == [(change, "w") for change in changes]
    assert events(label_selector="seen=yes") == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]


def test_concurrent_increments_conflict_and_none_is_lost(server: RunningServer) -> None:
    """Ten writers that read, add one and write what they read: with retries on 409 the sum is exact."""
    create(server.custom(), NAMESPACE, "counted", spec={"count": 0})
    conflicts: Counter[int] = Counter()
    together = threading.Barrier(10)

    def add_one(seed: int) -> None:
        custom, chance = server.custom(), random.Random(seed)
        together.wait()
        while True:
            body = get(custom, NAMESPACE, "counted")
            body["spec"]["count"] += 1
            try:
                replace(custom, NAMESPACE, body)
            except ApiException as problem:
                if problem.status != 409:
                    raise
                conflicts[seed] += 1
                time.sleep(chance.uniform(0, 0.02))  # The jitter without which they meet again.
                continue
            return

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(add_one, range(10)))

    assert get(server.custom(), NAMESPACE, "counted")["spec"]["count"] == 10
    assert sum(conflicts.values()) > 0


def kubectl(server: RunningServer, folder: Path, *arguments: str, given: Any = None) -> str:
    options = [
        "--kubeconfig",
        str(server.kubeconfig),
        "--cache-dir",
        str(folder / server.kubeconfig.parent.name),
    ]
    done = subprocess.run(
        [real_tools.find("kubectl"), *options, "--namespace", NAMESPACE, *arguments],
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else done.stdout


@real_tools.needs("kubectl")
def test_kubectl_says_the_same(server: RunningServer, tmp_path: Path) -> None:
    """Apply, get, patch, label, wait and delete, to the letter. Validation is left to the server: this part
    of a cluster, alone, publishes no schema of custom resources for kubectl to read."""
    first, second = remediation_request("k", spec={"n": 1}), remediation_request("k", spec={"n": 2})
    name, whole = f"{PLURAL}/k", f"remediationrequest.{RESOURCE[0]}/k"

    def said(*arguments: str, given: Any = None) -> str:
        return kubectl(server, tmp_path, *arguments, given=given)

    apply = ["apply", "--validate=ignore", "-f", "-"]
    assert said(*apply, given=first) == f"{whole} created\n"
    assert said(*apply, given=first) == f"{whole} unchanged\n"
    assert said(*apply, given=second) == f"{whole} configured\n"
    assert said("get", name, "-o", "jsonpath={.spec}") == '{"n":2}'
    assert said("patch", name, "--type=merge", "-p", '{"spec":{"n":3}}') == f"{whole} patched\n"
    done = ["patch", name, "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Done"}}']
    assert said(*done) == f"{whole} patched\n"
    assert (
        said("wait", name, "--for=jsonpath={.status.phase}=Done", "--timeout=5s")
        == f"{whole} condition met\n"
    )
    assert said("label", name, "x=y") == f"{whole} labeled\n"
    assert said("delete", name).startswith(f'remediationrequest.{RESOURCE[0]} "k" deleted')
    assert said("get", name).endswith(f'{PLURAL}.{RESOURCE[0]} "k" not found\n')


def experiments() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((CHECKOUT / "manifests/chaos-mesh").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            found[path.stem] = document
    return {name: document for name, document in found.items() if document["kind"].endswith("Chaos")}


@pytest.fixture(scope="module")
def chaos_mesh(real: RunningServer) -> RunningServer:
    """The real machinery with Chaos Mesh's definitions installed."""
    for path in sorted(CHAOS_MESH.glob("*.yaml")):
        real_api.define(real, yaml.safe_load(path.read_text()))
    return real


@pytest.mark.parametrize("name", experiments())
def test_an_experiment_is_created_with_strict_validation(name: str, chaos_mesh: RunningServer) -> None:
    """No unknown field, every value of its type; the same with one field more is refused."""
    document = experiments()[name]
    version = document["apiVersion"]
    plural = document["kind"].lower()
    space = document["metadata"].get("namespace", NAMESPACE)
    path = f"/apis/{version}/namespaces/{space}/{plural}?fieldValidation=Strict"
    wrong = {**document, "spec": {**document["spec"], "nonsense": 1}}

    status, body = chaos_mesh.call("POST", path, wrong)
    assert (status, "unknown field" in str(body)) == (400, True), body
    status, body = chaos_mesh.call("POST", path, document)
    assert status == 201, body
