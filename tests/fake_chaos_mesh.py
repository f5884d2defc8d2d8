"""A small stand-in for Chaos Mesh v2.8.3: its admission and its controllers, one reconcile for each reading.

From the reference facts of its source: strict schemas, webhook denials, a spec that cannot be changed, a
finalizer that stays until every record has recovered, conditions that lag a reconcile behind the records, no
status subresource, a duration that counts from the creation, one-shots that never recover.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import chaos_mesh_rules
import strict_schema

_FINALIZER = "chaos-mesh/records"
_ONE_SHOT = ("pod-kill", "container-kill")
PAUSE = "gcr.io/google-containers/pause:latest"


class FakeChaosMesh:
    """The objects, and how the controllers misbehave:

    ``installed``; ``alive``: whether they work at all; ``looks``: whether they look targets up; ``slow``: so
    many reconciles do nothing; ``apply_error``, ``recover_error``: what a daemon answers each time;
    ``spares``: so many targets never get the fault; ``without_effect``: records say injected and nothing
    happens; ``over_after``: so many reconciles after the injection all targets recover by themselves, as
    when their pods went.
    """

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.installed = True
        self.alive = True
        self.looks = True
        self.slow = 0
        self.apply_error = ""
        self.recover_error = ""
        self.spares = 0
        self.without_effect = False
        self.over_after: int | None = None
        # What really happens to what a pod stands for.
        self.on_strike: Callable[[str, str], None] = lambda *_: None
        self.on_end: Callable[[str], None] = lambda *_: None

    def answer(
        self, method: str, namespace: str, plural: str, name: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        """Status and JSON of a request for experiments."""
        kinds = {d["spec"]["names"]["plural"]: kind for kind, d in strict_schema.definitions().items()}
        if not self.installed or plural not in kinds:
            return self._status(404, "NotFound", "the server could not find the requested resource")
        match method, bool(name):
            case "POST", False:
                return self._create(kinds[plural], plural, namespace, query, body)
            case "GET", False:
                return 200, self._list(plural, namespace, query.get("labelSelector", ""))
            case "GET", True:
                return self._get(plural, namespace, name)
            case "DELETE", True:
                return self._delete(plural, namespace, name)
            case "PUT" | "PATCH", True:
                denied = "Cannot update chaos spec"
                return self._status(
                    403,
                    "Forbidden",
                    f'admission webhook "v{plural}.kb.io" denied the request: {denied}',
                )
        return self._status(405, "MethodNotAllowed", "the server does not allow this method")

    def _create(
        self, kind: str, plural: str, namespace: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        wrong = strict_schema.faults_of(body) if body["kind"] == kind else [f"kind: wanted {kind}"]
        unknown = [each.split(":")[0] for each in wrong if each.endswith("unknown field")]
        if unknown and query.get("fieldValidation") == "Strict":
            listed = ", ".join(f'unknown field "{field}"' for field in unknown)
            return self._status(400, "BadRequest", f"strict decoding error: {listed}")
        if invalid := [each for each in wrong if not each.endswith("unknown field")]:
            name = body["metadata"]["name"]
            return self._status(422, "Invalid", f'{kind}.chaos-mesh.org "{name}" is invalid: {invalid[0]}')
        if denied := chaos_mesh_rules.denials(body):
            hook = f'admission webhook "v{plural}.kb.io" denied the request'
            return self._status(403, "Forbidden", f"{hook}: {denied[0]}")
        key = (plural, namespace, body["metadata"]["name"])
        if key in self.objects:
            told = f'{plural}.chaos-mesh.org "{key[2]}" already exists'
            return self._status(409, "AlreadyExists", told)
        made = {
            **body,
            "metadata": {**body["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": _now()},
        }
        if query.get("dryRun") != "All":
            self.objects[key] = made
            made["reconciles"] = 0
        return 201, _shown(made)

    def _list(self, plural: str, namespace: str, selector: str) -> dict[str, Any]:
        labels = dict(part.split("=") for part in selector.split(",") if part)
        items = [
            _shown(item)
            for (kind, where, _), item in self.objects.items()
            if (kind, where) == (plural, namespace)
            and labels.items() <= item["metadata"].get("labels", {}).items()
        ]
        return {"kind": "List", "apiVersion": "chaos-mesh.org/v1alpha1", "metadata": {}, "items": items}

    def _get(self, plural: str, namespace: str, name: str) -> tuple[int, Any]:
        key = (plural, namespace, name)
        if key in self.objects and self.alive:
            self._reconcile(key)
        if key not in self.objects:
            return self._status(404, "NotFound", f'{plural}.chaos-mesh.org "{name}" not found')
        return 200, _shown(self.objects[key])

    def _delete(self, plural: str, namespace: str, name: str) -> tuple[int, Any]:
        found = self.objects.get((plural, namespace, name))
        if found is None:
            return self._status(404, "NotFound", f'{plural}.chaos-mesh.org "{name}" not found')
        found["metadata"].setdefault("deletionTimestamp", _now())
        if not found["metadata"].get("finalizers"):
            del self.objects[(plural, namespace, name)]
        return 200, _shown(found)

    def _reconcile(self, key: tuple[str, str, str]) -> None:
        item = self.objects[key]
        metadata, spec = item["metadata"], item["spec"]
        item["reconciles"] += 1
        metadata.setdefault("finalizers", [_FINALIZER])
        status = item.setdefault("status", {"experiment": {}})
        stop = "deletionTimestamp" in metadata or _is_over(item)
        status["experiment"]["desiredPhase"] = "Stop" if stop else "Run"
        records = status["experiment"].get("containerRecords")
        status["conditions"] = _conditions(records)
        one_shot = spec.get("action") in _ONE_SHOT
        left = [] if one_shot else [r for r in records or () if r["phase"] != "Not Injected"]
        if records is None:
            # What is seen of the first reconcile is what it wrote before it looked the targets up.
            if item["reconciles"] > 1 and self.looks:
                self._select(item)
        elif stop:
            self._recover(item, records)
        elif item["reconciles"] > self.slow + 2:
            self._apply(item, records)
        if "deletionTimestamp" in metadata and not left:
            del self.objects[key]

    def _select(self, item: dict[str, Any]) -> None:
        selector = item["spec"]["selector"]
        namespace = selector["namespaces"][0]
        found = self._cluster.matching(namespace, selector.get("labelSelectors", {}))
        if "pods" in selector:
            found = [p for p in found if p["metadata"]["name"] in selector["pods"].get(namespace, [])]
        found = [p for p in found if p["status"]["phase"] in selector.get("podPhaseSelectors", ["Running"])]
        if item["spec"]["mode"] == "one":
            found = found[:1]
        if not found:
            item["status"]["conditions"] = _conditions(None)
            self._cluster.warn(item, "Failed to select targets: no pod is selected")
            return
        item["status"]["experiment"]["containerRecords"] = [
            {
                "id": f"{namespace}/{pod['metadata']['name']}",
                "selectorKey": ".",
                "phase": "Not Injected",
                "injectedCount": 0,
                "recoveredCount": 0,
                "events": [],
            }
            for pod in found
        ]

    def _apply(self, item: dict[str, Any], records: list[dict[str, Any]]) -> None:
        for index, record in enumerate(records):
            if record["injectedCount"]:
                self._maybe_over(item, record)
            elif self.apply_error:
                _note(record, "Failed", "Apply", self.apply_error)
            elif index >= self.spares:
                if not self.without_effect:
                    self.on_strike(item["spec"].get("action", ""), record["id"].split("/")[1])
                    self._strike(item["spec"].get("action", ""), record["id"])
                record["phase"] = "Injected"
                record["injectedCount"] += 1
                item["injected_at"] = item["reconciles"]
                _note(record, "Succeeded", "Apply")

    def _maybe_over(self, item: dict[str, Any], record: dict[str, Any]) -> None:
        due = self.over_after is not None and item["reconciles"] > item["injected_at"] + self.over_after
        if due and record["phase"] == "Injected":
            self._end(record)

    def _recover(self, item: dict[str, Any], records: list[dict[str, Any]]) -> None:
        for record in records:
            if record["phase"] == "Injected" and item["spec"].get("action") not in _ONE_SHOT:
                if self.recover_error:
                    _note(record, "Failed", "Recover", self.recover_error)
                else:
                    self._end(record)

    def _end(self, record: dict[str, Any]) -> None:
        self.on_end(record["id"].split("/")[1])
        record["phase"] = "Not Injected"
        record["recoveredCount"] += 1
        _note(record, "Succeeded", "Recover")
        for pod in self._pods(record["id"]):
            for container in pod["spec"]["containers"]:
                container["image"] = container.pop("was", container["image"])
            pod["status"]["conditions"][0]["status"] = "True"

    def _strike(self, action: str, target: str) -> None:
        for pod in self._pods(target):
            if action == "pod-kill":
                self._cluster.end_pod(pod)
            elif action == "container-kill":
                pod["status"]["containerStatuses"][0]["restartCount"] += 1
            elif action == "pod-failure":
                for container in pod["spec"]["containers"]:
                    container.update({"was": container["image"], "image": PAUSE})
                pod["status"]["conditions"][0]["status"] = "False"

    def _pods(self, target: str) -> list[dict[str, Any]]:
        namespace, name = target.split("/")[:2]
        return [p for p in self._cluster.matching(namespace, {}) if p["metadata"]["name"] == name]

    def _status(self, code: int, reason: str, message: str) -> tuple[int, Any]:
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return code, {**body, "message": message, "reason": reason, "code": code}


def _conditions(records: list[dict[str, Any]] | None) -> list[dict[str, str]]:
    on = bool(records) and all(r["phase"] == "Injected" for r in records or ())
    # True also of one that never was on, which is why no client may believe it.
    off = all(r["phase"] == "Not Injected" for r in records or ())
    known = {"Selected": records is not None, "AllInjected": on, "AllRecovered": off, "Paused": False}
    return [{"type": name, "status": str(value), "reason": ""} for name, value in known.items()]


def _note(record: dict[str, Any], kind: str, operation: str, message: str = "") -> None:
    event = {"type": kind, "operation": operation, "timestamp": _now(), "message": message}
    record["events"] = [*record["events"], event][-100:]


def _is_over(item: dict[str, Any]) -> bool:
    if item["spec"].get("action") in _ONE_SHOT or "duration" not in item["spec"]:
        return False
    lasts = timedelta(seconds=float(item["spec"]["duration"].removesuffix("s")))
    began = datetime.fromisoformat(item["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
    return datetime.now(UTC) >= began + lasts


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("reconciles", "injected_at")}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
