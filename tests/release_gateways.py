"""Two small Gateways that answer as kubernaut's of November 2025 and of August 2026 do, as far as a generator
can tell: paths, answers, identity of an alert, storms, authentication, and what is kept where."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from kubernetes_api_server import RunningServer
from small_server import Request, serving

_PATH = "/api/v1/signals/prometheus"
_BUFFER, _PATTERN = 5, 5
TOKEN = "a-token"


def _sha(*parts: str) -> str:
    return hashlib.sha256(":".join(parts).encode()).hexdigest()


def _say(request: Request, status: int, body: Any) -> None:
    request.reply(status, json.dumps(body), Content_Type="application/json")


def _problem(request: Request, status: int, detail: str) -> None:
    request.reply(status, json.dumps({"status": status, "detail": detail}))


class _Store:
    """The RemediationRequests of a release, made and counted through the Kubernetes API."""

    def __init__(self, server: RunningServer, group: str) -> None:
        self._server, self._group = server, group
        self.known: dict[str, tuple[str, str]] = {}

    def create(self, namespace: str, name: str, spec: dict[str, Any]) -> None:
        head = {"apiVersion": f"{self._group}/v1alpha1", "kind": "RemediationRequest"}
        status, body = self._server.call(
            "POST", self._path(namespace), head | {"metadata": {"name": name}, "spec": spec}
        )
        assert status == 201, body

    def count(self, fingerprint: str, part: str) -> int:
        """Raise the occurrence count below spec or status; return it."""
        namespace, name = self.known[fingerprint]
        path = f"{self._path(namespace)}/{name}"
        _, item = self._server.call("GET", path)
        count = item.setdefault(part, {}).setdefault("deduplication", {"occurrenceCount": 1})
        count["occurrenceCount"] += 1
        status, body = self._server.call("PUT", path + ("/status" if part == "status" else ""), item)
        assert status == 200, body
        return int(count["occurrenceCount"])

    def _path(self, namespace: str) -> str:
        return f"/apis/{self._group}/v1alpha1/namespaces/{namespace}/remediationrequests"


class November2025:
    """One listener for everything; the first alert of a POST only; storms that end nowhere."""

    def __init__(self, server: RunningServer) -> None:
        self._store = _Store(server, "remediation.kubernaut.io")
        self._objects: dict[str, set[str]] = defaultdict(set)
        self._buffer: dict[str, list[str]] = defaultdict(list)
        self._window: set[str] = set()
        self._made = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> None:
        if request.command == "GET":
            text = 'gateway_signals_received_total{severity="critical"} 1\nprocess_start_time_seconds 1\n'
            return request.reply(
                *{"/ready": (200, "{}"), "/metrics": (200, text)}.get(request.path, (404, ""))
            )
        body = request.content()
        if request.path != _PATH:
            return _problem(request, 404, "no such path")
        if request.headers.get("Content-Type", "application/json") != "application/json":
            return _problem(request, 415, "unsupported media type")
        if len(body) > 102400:
            return _problem(request, 400, "too large")
        with self._lock:
            return _say(request, *self._take(json.loads(body)["alerts"][0]))

    def _take(self, alert: dict[str, Any]) -> tuple[int, Any]:
        labels = alert["labels"]
        name, namespace = labels["alertname"], labels.get("namespace", "default")
        member = f"{namespace}:Pod:{labels['pod']}" if "pod" in labels else f"{namespace}:Unknown:unknown"
        mark = _sha(name, *member.split(":"))
        if mark in self._store.known:
            count = self._store.count(mark, "spec")
            metadata = {"Fingerprint": mark, "Count": count}
            return 202, {"status": "duplicate", "duplicate": True, "fingerprint": mark, "metadata": metadata}
        self._objects[name].add(member)
        if len(self._objects[name]) > _PATTERN:
            return self._storm(name, namespace, member, mark)
        spec = {
            "signalFingerprint": mark,
            "signalLabels": labels,
            "signalAnnotations": alert["annotations"],
            "deduplication": {"occurrenceCount": 1},
        }
        return self._created(mark, namespace, spec) | {"remediationRequestNamespace": namespace}

    def _created(self, mark: str, namespace: str, spec: dict[str, Any]) -> Any:
        self._made += 1
        name = f"rr-{mark[:12]}-{int(time.time())}"
        self._store.create(namespace, name, spec)
        self._store.known[mark] = (namespace, name)
        return _Answer(201, {"status": "created", "fingerprint": mark, "remediationRequestName": name})

    def _storm(self, name: str, namespace: str, member: str, mark: str) -> tuple[int, Any]:
        if name in self._window:  # Written to Redis, and to nothing else.
            return 202, {"status": "accepted", "isStorm": True, "fingerprint": mark, "windowID": name}
        self._buffer[name].append(member)
        if len(self._buffer[name]) < _BUFFER:
            return 202, {"status": "accepted", "message": "Alert buffered", "fingerprint": mark}
        self._window.add(name)
        members = self._buffer.pop(name)
        spec = {"isStorm": True, "stormAlertCount": len(members), "affectedResources": members}
        return self._created(_sha(name, "storm"), namespace, spec)


class _Answer(tuple[int, Any]):
    """A status and a body; more of the body is added with ``|``."""

    __slots__ = ()

    def __new__(cls, status: int, body: Any) -> _Answer:
        return super().__new__(cls, (status, body))

    def __or__(self, more: dict[str, Any]) -> _Answer:
        return _Answer(self[0], {**self[1], **more})


class August2026:
    """Three listeners, a bearer token, and the identity of an alert in its object."""

    def __init__(self, server: RunningServer, namespace: str, managed: set[str]) -> None:
        self._store = _Store(server, "kubernaut.ai")
        self._namespace, self._managed = namespace, managed
        self._lock = threading.Lock()

    def api(self, request: Request) -> None:
        body = request.content()
        if request.path != _PATH or request.command != "POST":
            return _problem(request, 404, "no such path")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _problem(request, 401, "no valid token")
        alerts = json.loads(body)["alerts"]
        if any(not alert.get("startsAt") for alert in alerts):
            return _problem(request, 400, "no startsAt")
        with self._lock:
            told = [self._take(alert) for alert in alerts]
        if len(told) == 1:
            return _say(request, *told[0])
        # As it may: in another order than they were sent.
        results = [{"status": b["status"], "fingerprint": b["fingerprint"]} for _, b in reversed(told)]
        return _say(request, 207, {"results": results, "summary": {"total": len(results)}})

    def health(self, request: Request) -> None:
        request.reply(200 if request.path in ("/healthz", "/readyz") else 404)

    def metrics(self, request: Request) -> None:
        request.reply(200 if request.path == "/metrics" else 404, "process_start_time_seconds 1\n")

    def _take(self, alert: dict[str, Any]) -> tuple[int, Any]:
        labels = alert["labels"]
        namespace = labels["namespace"]
        kind = next((k for k in ("lease", "pod") if k in labels), "unknown")
        mark = _sha(namespace, kind.capitalize(), labels.get(kind, "unknown"))
        if namespace not in self._managed:
            return 200, {
                "status": "rejected",
                "fingerprint": mark,
                "rejection": {"reason": "unmanaged_resource"},
            }
        if mark in self._store.known:
            count = {"count": self._store.count(mark, "status")}
            return 202, {"status": "duplicate", "duplicate": True, "fingerprint": mark, "metadata": count}
        name = f"rr-{mark[:12]}-{uuid.uuid4().hex[:8]}"
        annotations = alert["annotations"]
        spec = {"signalFingerprint": mark, "signalLabels": labels, "signalAnnotations": annotations}
        self._store.create(self._namespace, name, spec)
        self._store.known[mark] = (self._namespace, name)
        return 201, {"status": "created", "fingerprint": mark, "remediationRequestName": name}


@contextmanager
def november_2025(server: RunningServer) -> Iterator[dict[str, str]]:
    """Serve it; the value are its endpoints."""
    with serving(November2025(server)) as url:
        yield {"gateway_url": url, "metrics_url": f"{url}/metrics", "ready_url": f"{url}/ready"}


@contextmanager
def august_2026(server: RunningServer, namespace: str, managed: set[str]) -> Iterator[dict[str, str]]:
    """Serve it; the value are its endpoints."""
    gateway = August2026(server, namespace, managed)
    with ExitStack() as stack:
        api, health, metrics = (
            stack.enter_context(serving(each)) for each in (gateway.api, gateway.health, gateway.metrics)
        )
        yield {"gateway_url": api, "metrics_url": f"{metrics}/metrics", "ready_url": f"{health}/readyz"}
