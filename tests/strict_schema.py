"""Strict validation of an object against a CustomResourceDefinition's schema: unknown fields are errors.

As a Kubernetes API server does under fieldValidation=Strict, and as it does not under the default, where it
drops them in silence. A keyword that is not understood here is refused, so that no rule is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parent / "data" / "chaos-mesh-v2.8.3"
_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
_SILENT = {
    "description",
    "format",
    "default",
    "properties",
    "required",
    "type",
    "items",
    "additionalProperties",
    "x-kubernetes-list-type",
}
_RULES = {"enum", "pattern", "minimum", "maximum"}
_METADATA = {"name", "generateName", "namespace", "labels", "annotations"}


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """The CustomResourceDefinitions of Chaos Mesh v2.8.3 that this project's manifests use, by kind."""
    found = [yaml.safe_load(path.read_text()) for path in sorted(SCHEMAS.glob("*.yaml"))]
    return {each["spec"]["names"]["kind"]: each for each in found}


def faults_of(item: Mapping[str, Any]) -> list[str]:
    """What a strict API server would refuse an object for; empty when it takes it."""
    definition = definitions().get(str(item.get("kind")))
    if definition is None:
        return [f"kind: unknown {item.get('kind')!r}"]
    (version,) = definition["spec"]["versions"]
    wanted = f"{definition['spec']['group']}/{version['name']}"
    if item.get("apiVersion") != wanted:
        return [f"apiVersion: wanted {wanted}"]
    strange = [f"metadata.{key}: unknown field" for key in item.get("metadata", {}) if key not in _METADATA]
    rest = {key: value for key, value in item.items() if key != "metadata"}
    return strange + list(_check(rest, version["schema"]["openAPIV3Schema"], ""))


def _check(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if unknown := set(schema) - _SILENT - _RULES:
        raise AssertionError(f"{path}: the schema has {sorted(unknown)}, which nobody here understands")
    kind = schema["type"]
    is_bool = isinstance(value, bool) and kind != "boolean"
    if is_bool or not isinstance(value, _TYPES[kind]):  # type: ignore[arg-type]
        yield f"{path}: wanted {kind}, got {value!r}"
        return
    yield from _check_rules(value, schema, path)
    if isinstance(value, dict):
        yield from _check_object(value, schema, path)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _check(each, schema["items"], f"{path}[{index}]")


def _check_rules(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {', '.join(map(str, schema['enum']))}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{path}: {value!r} is below {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{path}: {value!r} is above {schema['maximum']}"


def _check_object(value: dict[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}".lstrip(".") + ": is missing"
    for name, each in value.items():
        place = f"{path}.{name}".lstrip(".")
        if name in known:
            yield from _check(each, known[name], place)
        elif "additionalProperties" in schema:
            yield from _check(each, schema["additionalProperties"], place)
        else:
            yield f"{place}: unknown field"
