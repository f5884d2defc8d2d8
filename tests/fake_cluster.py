"""A small stand-in for a cluster's API server: pods that are replaced, Chaos Mesh's objects, events.

Served over HTTP to the official client. It answers as the original does where fault backends look: status
codes, Status bodies, strict field validation, dry runs, preconditions, finalizers, whole-second stamps. Time
in it goes on when it is read, so that no test sleeps.
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import yaml
from fake_chaos_mesh import FakeChaosMesh
from kubernetes_api_server import free_port

EXAMPLE = Path(__file__).resolve().parent.parent / "manifests" / "example"
Answer = tuple[int, Any]


class Refusal(Exception):
    """What the API answers in place of doing it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.answer: Answer = (code, status(code, reason, message))


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A Status body."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def now() -> str:
    """The time as Kubernetes stamps it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeCluster:
    """The state of it. Tests change it directly, or say with `refuse` what is to be refused."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.pods: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        self.refuse: Callable[[str, str, dict[str, str]], Answer | None] = lambda *_: None
        self.replaces = True
        self.ready_after_reads = 2
        self.chaos = FakeChaosMesh(self)
        self.hands_on: Callable[[str, str, dict[str, str], Any], Answer] | None = None
        self.watched_at = ""  # Where watches of RemediationRequests are handed on to.
        self.listening: dict[str, str] = {}  # Where a pod's port really is, by NAME:PORT: for the pod proxy.
        self.url = ""

    def run_example(self) -> None:
        """Run a pod for each of the example's controllers, ready."""
        for path in sorted(EXAMPLE.glob("*.yaml")):
            for item in yaml.safe_load_all(path.read_text()):
                if item["kind"] in ("Deployment", "StatefulSet"):
                    name = item["metadata"]["name"]
                    stable = item["kind"] == "StatefulSet"
                    owner = f"StatefulSet/{name}" if stable else f"ReplicaSet/{name}-7d4b"
                    template = item["spec"]["template"]
                    images = {c["name"]: c["image"] for c in template["spec"]["containers"]}
                    for number in range(item["spec"]["replicas"]):
                        self.add_pod(f"{name}-{number}", template["metadata"]["labels"], images, owner)

    def add_pod(
        self, name: str, labels: dict[str, str], images: dict[str, str], owner: str = "", ready: bool = True
    ) -> dict[str, Any]:
        """Run one pod."""
        kind, _, of = owner.partition("/")
        controller = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": of,
            "uid": f"of-{of}",
            "controller": True,
        }
        pod: dict[str, Any] = {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": str(uuid.uuid4()),
                "labels": dict(labels),
                "creationTimestamp": now(),
                **({"ownerReferences": [controller]} if owner else {}),
            },
            "spec": {"containers": [{"name": each, "image": image} for each, image in images.items()]},
            "status": {
                "phase": "Running",
                "podIP": f"10.244.0.{len(self.pods) + 5}",
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                "containerStatuses": [
                    {
                        "name": each,
                        "image": image,
                        "imageID": "",
                        "ready": ready,
                        "restartCount": 0,
                    }
                    for each, image in images.items()
                ],
            },
        }
        self.pods.append(pod)
        return pod

    def end_pod(self, pod: dict[str, Any]) -> None:
        """Let a pod vanish; its controller makes another, which is ready after some reads."""
        self.pods.remove(pod)
        owners = pod["metadata"].get("ownerReferences")
        if not owners or not self.replaces:
            return
        stable = owners[0]["kind"] == "StatefulSet"
        name = pod["metadata"]["name"] if stable else f"{pod['metadata']['name']}x"
        images = {c["name"]: c["image"] for c in pod["spec"]["containers"]}
        owner = f"{owners[0]['kind']}/{owners[0]['name']}"
        heir = self.add_pod(name, pod["metadata"]["labels"], images, owner, ready=False)
        heir["reads"] = 0

    def warn(self, about: dict[str, Any], message: str) -> None:
        """Write a warning about an object."""
        metadata = about["metadata"]
        involved = {"kind": about["kind"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
        self.events.append(
            {
                "metadata": {"name": f"event-{len(self.events)}", "namespace": metadata["namespace"]},
                "involvedObject": involved,
                "type": "Warning",
                "reason": "Failed",
                "message": message,
            }
        )

    def matching(self, namespace: str, labels: dict[str, str]) -> list[dict[str, Any]]:
        """The pods of a namespace that have these labels."""
        return [
            pod
            for pod in self.pods
            if pod["metadata"]["namespace"] == namespace
            and labels.items() <= pod["metadata"]["labels"].items()
        ]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Status and JSON of a request."""
        with self.lock:
            self.calls.append((method, path, query))
            refused = self.refuse(method, path, query)
            if refused is not None:
                return refused
        if self.hands_on and "/remediationrequests" in path:
            return self.hands_on(method, path, query, body)
        with self.lock:
            try:
                return self._answer(method, path.strip("/").split("/"), query, body)
            except Refusal as refusal:
                return refusal.answer

    def _answer(self, method: str, parts: list[str], query: dict[str, str], body: Any) -> Answer:
        match method, parts:
            case "GET", ["api", "v1", "namespaces", namespace, "pods"]:
                return 200, self._list_pods(namespace, query.get("labelSelector", ""))
            case "DELETE", ["api", "v1", "namespaces", namespace, "pods", name]:
                return 200, self._delete_pod(namespace, name, body or {})
            case "GET", ["api", "v1", "namespaces", _, "events"]:
                uid = query.get("fieldSelector", "").removeprefix("involvedObject.uid=")
                found = [e for e in self.events if not uid or e["involvedObject"]["uid"] == uid]
                return 200, {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": found}
            case _, ["apis", "chaos-mesh.org", "v1alpha1", "namespaces", namespace, plural, *rest]:
                return self.chaos.answer(method, namespace, plural, rest[0] if rest else "", query, body)
        raise Refusal(404, "NotFound", "the server could not find the requested resource")

    def _list_pods(self, namespace: str, selector: str) -> dict[str, Any]:
        labels = dict(part.split("=") for part in selector.split(",") if part)
        for pod in [pod for pod in self.pods if "reads" in pod or "leaves" in pod]:
            self._age(pod)
        items = [
            {key: value for key, value in pod.items() if key in ("metadata", "spec", "status")}
            for pod in self.matching(namespace, labels)
        ]
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}

    def _age(self, pod: dict[str, Any]) -> None:
        if "leaves" in pod:
            pod["leaves"] -= 1
            if pod["leaves"] < 0:
                self.end_pod(pod)
            return
        pod["reads"] += 1
        if pod["reads"] > self.ready_after_reads:
            pod["status"]["conditions"][0]["status"] = "True"

    def _delete_pod(self, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        found = [p for p in self.matching(namespace, {}) if p["metadata"]["name"] == name]
        if not found:
            raise Refusal(404, "NotFound", f'pods "{name}" not found')
        pod, wanted = found[0], (body.get("preconditions") or {}).get("uid")
        if wanted not in (None, pod["metadata"]["uid"]):
            told = f"the UID in the precondition ({wanted}) does not match the UID in record"
            raise Refusal(409, "Conflict", f'Operation cannot be fulfilled on pods "{name}": {told}')
        if body.get("gracePeriodSeconds") == 0:
            self.end_pod(pod)
        else:
            pod["metadata"]["deletionTimestamp"] = now()
            pod["leaves"] = 2
        return {"kind": "Pod", "apiVersion": "v1", "metadata": pod["metadata"], "spec": pod["spec"]}


@contextlib.contextmanager
def serving(cluster: FakeCluster) -> Iterator[FakeCluster]:
    """Serve it on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "/proxy/" in parts.path and self._hand_to_a_pod(unquote(parts.path)):
                return
            if cluster.watched_at and "/remediationrequests" in parts.path and "watch=" in parts.query:
                self._hand_a_watch_on(cluster.watched_at + self.path)
                return
            body = json.loads(content) if content else None
            code, value = cluster.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
            if code == 0:
                self.close_connection = True  # As of an API server that dies over it.
                return
            data = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _hand_to_a_pod(self, path: str) -> bool:
            """Answer as the API server's pod proxy does; False: as it refuses, or knows no such pod."""
            head, _, rest = path.partition("/proxy/")
            name = head.rsplit("/", 1)[1]
            cluster.calls.append((self.command, path, {}))
            known = any(pod["metadata"]["name"] == name.partition(":")[0] for pod in cluster.pods)
            if not known or cluster.refuse(self.command, path, {}):
                return False
            try:
                answer = requests.get(f"{cluster.listening[name]}/{rest}", timeout=30)
                code, kind, data = (
                    answer.status_code,
                    answer.headers.get("Content-Type", "text/plain"),
                    answer.content,
                )
            except (requests.RequestException, KeyError) as problem:
                told = f"error trying to reach service: dial tcp: connect: connection refused ({problem!r})"
                code, kind = 503, "application/json"
                data = json.dumps(status(503, "ServiceUnavailable", told)).encode()
            with contextlib.suppress(OSError):  # Who asked has given up.
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            return True

        do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _do

        def _hand_a_watch_on(self, url: str) -> None:
            """Pass each event on as it comes, until one of the two ends has enough."""
            self.close_connection = True
            try:
                with requests.get(url, stream=True, timeout=60) as answer:
                    self.send_response(answer.status_code)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Connection", "close")
                    self.end_headers()
                    for piece in answer.iter_content(chunk_size=None):
                        self.wfile.write(piece)
                        self.wfile.flush()
            except (requests.RequestException, OSError):
                return  # As of a connection that breaks.

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def kubeconfig(folder: Path, url: str, current: str = "nowhere") -> str:
    """Write a kubeconfig of two contexts, `kind-test` and one that leads nowhere, and return its path."""
    path = folder / "kubeconfig"
    clusters = {"kind-test": url, "nowhere": "http://127.0.0.1:9"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in clusters.items()],
        "users": [{"name": "tester", "user": {"token": "any"}}],
        "contexts": [{"name": n, "context": {"cluster": n, "user": "tester"}} for n in clusters],
        "current-context": current,
    }
    path.write_text(json.dumps(document))
    return str(path)
