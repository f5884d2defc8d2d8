"""A cluster's API before the sandbox's real parts: what is broken through Kubernetes is broken for real.

The stand-in of the API server knows pods and Chaos Mesh's objects; RemediationRequests it hands on to the
sandbox's own API. A pod that is struck takes the sandbox's process along that it stands for, so that a run
against this target loads, breaks and reads as it would in a cluster, with no control API to help it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fake_cluster
import requests
import yaml
from fake_cluster import FakeCluster
from locust_process import HOME

# The sandbox's component that a pod stands for.
_STANDS_FOR = {"redis-master-0": "redis-0", "redis-replica-0": "redis-1"}
_READY_WITHIN_S = 60.0


class World:
    """The stand-in in front, the sandbox behind, and the target file that leads to both."""

    def __init__(self, cluster: FakeCluster, announced: dict[str, Any], folder: Path) -> None:
        self.cluster = cluster
        self._control = announced["control_url"]
        self._kubernetes = yaml.safe_load(Path(announced["kubeconfig"]).read_text())["clusters"][0]["cluster"]
        cluster.hands_on = self._hand_on
        cluster.watched_at = self._kubernetes["server"]
        cluster.chaos.on_strike = self._strike
        cluster.chaos.on_end = self._end
        self.target = folder / "cluster.yaml"
        document = yaml.safe_load((HOME / "scenarios/targets/sandbox.yaml").read_text())
        del document["start"]
        gateway = self.gateway_url = announced["gateway_url"]
        document |= {
            "title": "The sandbox's parts behind a cluster's API",
            "faults_in": "cluster",
            "endpoints": {
                "gateway_url": gateway,
                "kubeconfig": fake_cluster.kubeconfig(folder, cluster.url, "kind-test"),
                "context": "kind-test",
                "namespace": announced["namespace"],
                "pods_namespace": "default",
                "sentinels": announced["sentinels"],
                "sentinel_master": announced["sentinel_master"],
            },
        }
        self.target.write_text(yaml.safe_dump(document))

    def _hand_on(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        url = self._kubernetes["server"] + path
        answer = requests.request(method, url, params=query, json=body, timeout=30)
        return answer.status_code, answer.json()

    def _strike(self, action: str, pod: str) -> None:
        lasts = {"for_s": 120.0} if action == "pod-failure" else {"restart_after_s": 1.0}
        self._ask(pod, "kill", {"signal": "KILL", **lasts})

    def _end(self, pod: str) -> None:
        self._ask(pod, "start", {})

    def _ask(self, pod: str, verb: str, body: dict[str, Any]) -> None:
        name = _STANDS_FOR.get(pod, "gateway")
        answer = requests.post(f"{self._control}/components/{name}/{verb}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text

    def as_release(self, name: str, **endpoints: str) -> Path:
        """Return a shipped target's own file, whose endpoints lead here."""
        document = yaml.safe_load((HOME / f"scenarios/targets/{name}.yaml").read_text())
        document["endpoints"] = yaml.safe_load(self.target.read_text())["endpoints"] | endpoints
        document["endpoints"]["pods"] = {"gateway": "app=gateway", "redis-primary": "app=redis,role=master"}
        document["allow"]["namespaces"].append(document["endpoints"]["namespace"])
        path = self.target.with_name(f"{name}.yaml")
        path.write_text(yaml.safe_dump(document))
        return path

    def with_replicas(self, urls: list[str], by: str = "api-proxy") -> None:
        """Let the Gateway be so many pods, each of which listens where its URL says."""
        (first,) = self.cluster.matching("default", {"app": "gateway"})
        metadata, containers = first["metadata"], first["spec"]["containers"]
        images = {each["name"]: each["image"] for each in containers}
        for number in range(1, len(urls)):
            self.cluster.add_pod(f"gateway-{number}", metadata["labels"], images, "ReplicaSet/gateway-7d4b")
        self.cluster.listening = {f"gateway-{number}:8080": url for number, url in enumerate(urls)}
        document = yaml.safe_load(self.target.read_text())
        document["endpoints"]["replicas"] = {"by": by, "port": 8080}
        self.target.write_text(yaml.safe_dump(document))


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[World]:
    """Start both; the sandbox goes when its standard input ends."""
    with fake_cluster.serving(FakeCluster()) as cluster:
        cluster.run_example()
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", *arguments],
            cwd=HOME,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield World(cluster, json.loads(process.stdout.readline()), folder)
        finally:
            process.stdin.close()
            process.wait(_READY_WITHIN_S)
            process.stdout.close()
