"""Pods as a fault sees them: which ones a selector means, who they are, and whether they are well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The labels by which this project's manifests select, by component. A target whose pods have others says so.
LABELS: Mapping[str, Mapping[str, str]] = {
    "gateway": {"app": "gateway"},
    "redis": {"app": "redis"},
    "redis-primary": {"app": "redis", "role": "master"},
}


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod as it was read. ``restarts`` and ``images`` are of its containers, in their order."""

    name: str
    uid: str
    phase: str
    ready: bool
    leaving: bool
    owner: str
    ip: str
    restarts: tuple[int, ...]
    images: tuple[str, ...]


def read(item: Mapping[str, Any]) -> Pod:
    """Return what a pod's JSON says."""
    metadata, status = item["metadata"], item.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    owners = [o for o in metadata.get("ownerReferences") or () if o.get("controller")]
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=status.get("phase", ""),
        ready=conditions.get("Ready") == "True",
        leaving="deletionTimestamp" in metadata,
        owner=f"{owners[0]['kind']}/{owners[0]['name']}" if owners else "",
        ip=status.get("podIP", ""),
        restarts=tuple(c.get("restartCount", 0) for c in status.get("containerStatuses") or ()),
        images=tuple(c.get("image", "") for c in (item.get("spec") or {}).get("containers") or ()),
    )


def labels_of(selector: str) -> dict[str, str]:
    """Return the labels of a selector such as ``app=redis,role=master``.

    Raises:
        ValueError: if it has anything but equalities, or nothing at all.
    """
    found = {}
    for part in selector.split(","):
        key, equals, value = (text.strip() for text in part.replace("==", "=").partition("="))
        if not key or not equals or key.endswith("!"):
            raise ValueError(f"{selector!r} is no list of labels; write it like app=redis,role=master")
        found[key] = value
    return found


def selector_of(labels: Mapping[str, str]) -> str:
    """Return labels as an API's query takes them."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def component_labels(named: Mapping[str, str], component: str) -> dict[str, str]:
    """Return a component's labels: the target's, or else the manifests'.

    Raises:
        ValueError: if there is none of that name, or its selector cannot be read.
    """
    if component in named:
        try:
            return labels_of(named[component])
        except ValueError as problem:
            raise ValueError(f"endpoints.pods.{component}: {problem}") from None
    if component in LABELS:
        return dict(LABELS[component])
    known = ", ".join(sorted({*named, *LABELS}))
    raise ValueError(f"component: unknown {component!r}; there are: {known}")


def listed(found: Sequence[Pod]) -> str:
    """Return pods by name, for a sentence."""
    return ", ".join(pod.name for pod in found) or "none"
