"""Strict validation of Kubernetes' own kinds against the official client's models: unknown fields are errors.

The models are generated from Kubernetes' OpenAPI: field names, nesting, required fields and plain types. What
an API server checks beyond them (that a selector matches its template, that names are names) is not in them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes.client import models

_PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}
KNOWN = {
    "ServiceAccount": "V1ServiceAccount",
    "ConfigMap": "V1ConfigMap",
    "Service": "V1Service",
    "NetworkPolicy": "V1NetworkPolicy",
    "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "Deployment": "V1Deployment",
    "StatefulSet": "V1StatefulSet",
    "Job": "V1Job",
    "Role": "V1Role",
    "RoleBinding": "V1RoleBinding",
    "ValidatingWebhookConfiguration": "V1ValidatingWebhookConfiguration",
    "PriorityLevelConfiguration": "V1PriorityLevelConfiguration",
    "FlowSchema": "V1FlowSchema",
    "CustomResourceDefinition": "V1CustomResourceDefinition",
}


def faults_of(item: Mapping[str, Any]) -> list[str]:
    """What in an object its kind does not know, or has another type, or lacks."""
    if item["kind"] not in KNOWN:
        return [f"kind: {item['kind']!r} is none that this test knows"]
    return list(_check(item, KNOWN[item["kind"]], ""))


def _check(value: Any, kind: str, path: str) -> Iterator[str]:
    if kind == "object":
        return
    if match := re.fullmatch(r"(List|Dict)\[(?:str, )?(.+)\]", kind):
        yield from _check_many(value, match[1], match[2], path)
    elif kind == "bytes":
        try:
            base64.b64decode(value, validate=True)
        except (TypeError, ValueError):
            yield f"{path}: is no base64"
    elif kind in _PLAIN:
        # A bool is an int to Python, and none to Kubernetes.
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "bool"):  # type: ignore[arg-type]
            yield f"{path}: wanted {kind}, got {value!r}"
    else:
        yield from _check_model(value, getattr(models, kind), path)


def _check_many(value: Any, what: str, inner: str, path: str) -> Iterator[str]:
    if not isinstance(value, list if what == "List" else dict):
        yield f"{path}: wanted {what}, got {value!r}"
        return
    pairs = enumerate(value) if what == "List" else value.items()
    for key, each in pairs:
        yield from _check(each, inner, f"{path}[{key}]")


def _check_model(value: Any, model: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: wanted fields, got {value!r}"
        return
    fields = {shown: name for name, shown in model.attribute_map.items()}
    for key, each in value.items():
        place = f"{path}.{key}".lstrip(".")
        if key not in fields:
            yield f"{place}: unknown field"
        elif each is not None:
            yield from _check(each, model.openapi_types[fields[key]], place)
    for key, name in fields.items():
        field = model.model_fields.get(
            name
        )  # None for a word of Python, such as exec: none of those is required
        if field is not None and field.is_required() and key not in value:
            yield f"{path}.{key}: is missing".lstrip(".")
