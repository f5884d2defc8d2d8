"""A real server process for the tests of the Kubernetes-compatible API, and the clients that speak to it."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

GROUP, VERSION, PLURAL = "remediation.kubernaut.io", "v1alpha1", "remediationrequests"
RESOURCE = (GROUP, VERSION)
REQUESTS = f"/apis/{GROUP}/{VERSION}/namespaces/{{}}/{PLURAL}"
CHECKOUT = Path(__file__).parent.parent
_READY_WITHIN_S = 20.0


def free_port() -> int:
    """A loopback port below the ephemeral range that can be bound now."""
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000")


@dataclass(frozen=True, slots=True)
class RunningServer:
    """One server process: its address, its kubeconfig and its log."""

    process: subprocess.Popen[bytes]
    port: int
    kubeconfig: Path
    log: Path

    def api_client(self) -> client.ApiClient:
        """A new official client, which raises at once instead of repeating requests in silence."""
        settings = client.Configuration()
        config.load_kube_config(str(self.kubeconfig), client_configuration=settings)
        settings.retries = False
        return client.ApiClient(settings)

    def custom(self) -> client.CustomObjectsApi:
        """The official client's view on custom resources."""
        return client.CustomObjectsApi(self.api_client())

    def core(self) -> client.CoreV1Api:
        """The official client's view on the core group."""
        return client.CoreV1Api(self.api_client())

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """One plain request: the status and the body, decoded when it is JSON. Text goes out as it is."""
        content = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, {"Content-Type": content_type})
            answer = connection.getresponse()
            raw = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(raw) if is_json else raw.decode()
        finally:
            connection.close()

    def new_namespace(self) -> str:
        """A namespace of the caller's own."""
        name = f"test-{random.getrandbits(40):010x}"
        status, body = self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status == 201, body
        return name


def remediation_request(name: str, **members: Any) -> dict[str, Any]:
    """A RemediationRequest; `metadata` is merged, other members are set."""
    metadata = {"name": name, **members.pop("metadata", {})}
    head = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "RemediationRequest", "metadata": metadata}
    return {**head, "spec": {"signalName": "KubePodCrashLooping"}, **members}


def create(custom: Any, namespace: str, name: str, **members: Any) -> dict[str, Any]:
    body = remediation_request(name, **members)
    return custom.create_namespaced_custom_object(*RESOURCE, namespace, PLURAL, body)


def get(custom: Any, namespace: str, name: str) -> dict[str, Any]:
    return custom.get_namespaced_custom_object(*RESOURCE, namespace, PLURAL, name)


def replace(custom: Any, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
    name = body["metadata"]["name"]
    return custom.replace_namespaced_custom_object(*RESOURCE, namespace, PLURAL, name, body)


def patch(custom: Any, namespace: str, name: str, body: Any, **options: Any) -> dict[str, Any]:
    return custom.patch_namespaced_custom_object(*RESOURCE, namespace, PLURAL, name, body, **options)


def refusal(call: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
    """The Status body with which the API refuses the call."""
    with pytest.raises(ApiException) as caught:
        call(*arguments, **options)
    status = json.loads(caught.value.body or "")
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert status["code"] == caught.value.status
    return status


@contextmanager
def running_server(directory: Path, *options: str) -> Iterator[RunningServer]:
    """Start `python -m sandbox.kubernetes_api`, wait until it answers, and end it by its pid afterwards."""
    port, log, kubeconfig = free_port(), directory / "server.log", directory / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "sandbox", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "sandbox", "user": {"token": "any"}}],
                "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
                "current-context": "sandbox",
            }
        )
    )
    command = [sys.executable, "-m", "sandbox.kubernetes_api", "--listen", f"127.0.0.1:{port}", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=dict(os.environ), stdout=output, stderr=output)
    server = RunningServer(process, port, kubeconfig, log)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: RunningServer) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            if server.call("GET", "/readyz") == (200, "ok"):
                return
        except OSError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start: {server.log.read_text()}") from error
        time.sleep(0.02)
