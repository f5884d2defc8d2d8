"""A Chaos Mesh experiment to be created: a manifest with name, labels, namespace and lease of its own."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chaos_hooks import pods
from chaos_hooks.kubernetes_api import MANAGED_BY, OWNER, Place
from shapes.target import Endpoints

GROUP, VERSION = "chaos-mesh.org", "v1alpha1"
RUN_LABEL, FAULT_LABEL = "alertstorm/run", "alertstorm/fault"
PLURALS = {
    "PodChaos": "podchaos",
    "NetworkChaos": "networkchaos",
    "StressChaos": "stresschaos",
    "TimeChaos": "timechaos",
}
FOLDER = Path(__file__).resolve().parent.parent / "manifests" / "chaos-mesh"
_ONE_SHOT = ("pod-kill", "container-kill")
_PREVIEWED = {"namespaces", "labelSelectors", "pods", "podPhaseSelectors"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods that an experiment would select: by labels and phases, or by names."""

    namespace: str
    labels: Mapping[str, str]
    names: tuple[str, ...]
    phases: tuple[str, ...]

    def __str__(self) -> str:
        return f"{','.join(self.names) or pods.selector_of(self.labels)} in {self.namespace}"


@dataclass(frozen=True, slots=True)
class Experiment:
    """The object, where it is to be, and the pods it means."""

    body: Mapping[str, Any]
    place: Place
    selections: tuple[Selection, ...]

    @property
    def name(self) -> str:
        """Return the object's name."""
        return str(self.body["metadata"]["name"])

    @property
    def kind(self) -> str:
        """Return its kind, such as PodChaos."""
        return str(self.body["kind"])

    @property
    def action(self) -> str:
        """Return its action, empty for kinds that have none."""
        return str(self.body["spec"].get("action", ""))

    @property
    def one_shot(self) -> bool:
        """Return whether it happens once, and neither lasts nor recovers."""
        return self.action in _ONE_SHOT


def names() -> list[str]:
    """Return the names of the manifests that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest's object with changes in its spec, field by field; null takes a field away.

    Raises:
        ValueError: if there is none of that name, or nothing can be made of it.
    """
    if name not in names():
        raise ValueError(f"manifest: unknown {name!r}; there are: {', '.join(names())}")
    item: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    if item["kind"] not in PLURALS:
        raise ValueError(f"manifest {name}: kind {item['kind']} is none of {', '.join(PLURALS)}")
    item["spec"] = _merged(item["spec"], changes)
    return item


def build(
    item: Mapping[str, Any], endpoints: Endpoints, fault: str, token: str, lease_s: float
) -> Experiment:
    """Return the experiment of a manifest for a target and a fault; ``lease_s`` ends it if nobody does.

    Raises:
        ValueError: if its selectors cannot be previewed, or would select everything.
    """
    body = copy.deepcopy(dict(item))
    metadata, spec = body["metadata"], body["spec"]
    namespace = endpoints.pods_namespace or metadata.get("namespace", "default")
    labels = {**metadata.get("labels", {}), MANAGED_BY: OWNER, FAULT_LABEL: slug(fault)}
    if endpoints.run_id:
        labels[RUN_LABEL] = slug(endpoints.run_id)
    body["metadata"] = {"name": f"{slug(fault, 40)}-{token}", "namespace": namespace, "labels": labels}
    selections = tuple(_selection(each, endpoints, namespace) for each in _selectors(spec))
    if spec.get("action") in _ONE_SHOT:
        spec.pop("duration", None)
    else:
        spec["duration"] = f"{math.ceil(lease_s)}s"
    return Experiment(body, Place(GROUP, VERSION, namespace, PLURALS[body["kind"]]), selections)


def slug(text: str, most: int = 63) -> str:
    """Return a text as Kubernetes takes it for a name or a label's value."""
    return re.sub(r"[^a-z0-9-]+", "-", text.lower())[:most].strip("-") or "fault"


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, Mapping):
        return new
    merged = {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def _selectors(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield spec["selector"]
    if spec.get("target"):
        yield spec["target"]["selector"]


def _selection(selector: dict[str, Any], endpoints: Endpoints, namespace: str) -> Selection:
    if unknown := set(selector) - _PREVIEWED:
        listed = ", ".join(sorted(unknown))
        raise ValueError(f"selector: {listed} cannot be previewed; use labelSelectors or pods")
    if endpoints.pods_namespace or not selector.get("namespaces"):
        selector["namespaces"] = [namespace]
    if selector.get("pods"):
        ((where, chosen),) = selector["pods"].items()
        return Selection(where, {}, tuple(chosen), ())
    labels = selector.get("labelSelectors") or {}
    if not labels:
        raise ValueError("selector: is empty, which means every pod of the namespace; name labels or pods")
    for component, known in pods.LABELS.items():
        if labels == known:
            labels = selector["labelSelectors"] = pods.component_labels(endpoints.pods, component)
            break
    if len(selector["namespaces"]) != 1:
        raise ValueError("selector.namespaces: wanted one namespace")
    return Selection(selector["namespaces"][0], labels, (), tuple(selector.get("podPhaseSelectors") or ()))


def at_pod(wanted: Experiment, name: str) -> Experiment:
    """Return it, aimed at one pod by its name, in place of its first selector."""
    body: dict[str, Any] = copy.deepcopy(dict(wanted.body))
    namespace = wanted.place.namespace
    body["spec"]["selector"] = {"namespaces": [namespace], "pods": {namespace: [name]}}
    body["spec"]["mode"] = "all"
    chosen = Selection(namespace, {}, (name,), ())
    return Experiment(body, wanted.place, (chosen, *wanted.selections[1:]))
