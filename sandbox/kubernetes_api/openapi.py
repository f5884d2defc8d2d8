"""OpenAPI v3: an index and one document a group version, as much of them as kubectl reads.

kubectl apply looks for a PATCH operation that knows `fieldValidation`, kubectl explain reads the schemas.
"""

from __future__ import annotations

from typing import Any

from sandbox.kubernetes_api.discovery import VERSION
from sandbox.kubernetes_api.resources import Object, Registry, Resource

_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PREFIX = "/openapi/v3"


def document(registry: Registry, path: str) -> Object | None:
    """The index at `/openapi/v3`, a group version's document below it, or None."""
    places = _places(registry)
    if path.rstrip("/") == _PREFIX:
        return {"paths": {place: {"serverRelativeURL": f"{_PREFIX}/{place}"} for place in places}}
    found = places.get(path.removeprefix(_PREFIX).strip("/"))
    return None if found is None else _group_version(found)


def _places(registry: Registry) -> dict[str, list[Resource]]:
    """The served resources by the place of their group version, such as `apis/coordination.k8s.io/v1`."""
    places: dict[str, list[Resource]] = {}
    for group, versions in registry.versions().items():
        for version in versions:
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            places[place] = registry.in_version(group, version)
    return places


def _group_version(resources: list[Resource]) -> Object:
    paths: Object = {}
    schemas: Object = {
        _METADATA: {"type": "object", "description": "ObjectMeta is the metadata of all objects."}
    }
    for resource in resources:
        paths |= _paths(resource)
        schemas[_schema_name(resource)] = _schema(resource)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schema_name(resource: Resource) -> str:
    reversed_group = ".".join(reversed(resource.group.split("."))) or "io.k8s.api.core"
    return f"{reversed_group}.{resource.version}.{resource.kind}"


def _identity(resource: Resource) -> Object:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _schema(resource: Resource) -> Object:
    schema: dict[str, Any] = {"type": "object", **resource.schema}
    known = schema.get("properties")
    properties: dict[str, Any] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties |= known if isinstance(known, dict) else {}
    properties["metadata"] = {"allOf": [{"$ref": f"#/components/schemas/{_METADATA}"}], "default": {}}
    return {**schema, "properties": properties, "x-kubernetes-group-version-kind": [_identity(resource)]}


def _paths(resource: Resource) -> Object:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    names = ("namespace", "name") if resource.namespaced else ("name",)
    reference = {"$ref": f"#/components/schemas/{_schema_name(resource)}"}
    types = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
    patch = {
        "parameters": [_query(name) for name in ("dryRun", "fieldManager", "fieldValidation", "force")],
        "requestBody": {"content": {name: {"schema": {"type": "object"}} for name in types}},
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _identity(resource),
    }
    parameters = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
    return {f"{collection}/{resource.plural}/{{name}}": {"patch": patch, "parameters": parameters}}


def _query(name: str) -> Object:
    return {"name": name, "in": "query", "schema": {"type": "string"}}
