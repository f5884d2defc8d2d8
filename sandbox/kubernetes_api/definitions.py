"""CustomResourceDefinitions: from the definition to the resources it makes the API serve."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.kubernetes_api.resources import BUILT_IN, DEFINITIONS, Object, Resource
from sandbox.kubernetes_api.status import Cause, invalid

REMEDIATION_REQUESTS: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "remediationrequests.remediation.kubernaut.io"},
    "spec": {
        "group": "remediation.kubernaut.io",
        "scope": "Namespaced",
        "names": {
            "plural": "remediationrequests",
            "singular": "remediationrequest",
            "kind": "RemediationRequest",
            "listKind": "RemediationRequestList",
        },
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "description": "RemediationRequest asks for the remediation of one firing alert.",
                        "properties": {
                            "apiVersion": {"type": "string"},
                            "kind": {"type": "string"},
                            "metadata": {"type": "object"},
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}
"""The definition of the sandbox's own custom resource, served from the start."""

_BUILT_IN_GROUPS = ("authorization.k8s.io", *(resource.group for resource in BUILT_IN))


def resources_of(definition: Object) -> list[Resource]:
    """The resources of the served versions. Raises ApiError 422 for a definition that cannot be served."""
    name = definition["metadata"].get("name") or ""
    spec = definition.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    causes = _causes(name, spec)
    if causes:
        raise invalid(DEFINITIONS, name, causes)
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    return [_resource(spec, version, storage) for version in spec["versions"] if version.get("served")]


def _causes(name: str, spec: Object) -> list[Cause]:
    found = spec.get("names")
    names: Object = found if isinstance(found, dict) else {}
    group, plural = spec.get("group"), names.get("plural")
    causes = [
        Cause(field, "Required value", "FieldValueRequired")
        for field, value in (
            ("spec.group", group),
            ("spec.names.plural", plural),
            ("spec.names.kind", names.get("kind")),
        )
        if not value or not isinstance(value, str)
    ]
    short_names = names.get("shortNames") or []
    if not isinstance(short_names, list) or not all(isinstance(text, str) for text in short_names):
        causes.append(Cause("spec.names.shortNames", "Invalid value: must be a list of strings"))
    if not isinstance(names.get("singular") or "", str):
        causes.append(Cause("spec.names.singular", "Invalid value: must be a string"))
    if not causes and name != f"{plural}.{group}":
        causes.append(Cause("metadata.name", f'Invalid value: "{name}": must be {plural}.{group}'))
    if group in _BUILT_IN_GROUPS:
        causes.append(Cause("spec.group", f'Invalid value: "{group}": this group is built in'))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        text = f'Unsupported value: "{spec.get("scope")}": supported values: "Cluster", "Namespaced"'
        causes.append(Cause("spec.scope", text, "FieldValueNotSupported"))
    versions = spec.get("versions")
    versions = versions if isinstance(versions, list) else []
    named = all(map(_is_version, versions))
    if not named or sum(bool(version.get("storage")) for version in versions) != 1:
        text = f"Invalid value: {versions!r}: must be a list of versions, exactly one of them stored"
        causes.append(Cause("spec.versions", text))
    elif not any(version.get("served") for version in versions):
        causes.append(Cause("spec.versions", "Invalid value: at least one version must be served"))
    return causes


def _is_version(version: Any) -> bool:
    """Whether what is read of a version has the types it must have."""
    if not isinstance(version, dict) or not isinstance(version.get("name"), str):
        return False
    fields = version.get("selectableFields") or []
    schema = version.get("schema") or {}
    return (
        isinstance(version.get("subresources") or {}, dict)
        and isinstance(schema, dict)
        and isinstance(schema.get("openAPIV3Schema") or {}, dict)
        and isinstance(fields, list)
        and all(isinstance(item, dict) and isinstance(item.get("jsonPath"), str) for item in fields)
    )


def _resource(spec: Object, version: Object, storage_version: str) -> Resource:
    names, schema = spec["names"], version.get("schema") or {}
    paths = (item.get("jsonPath", "") for item in version.get("selectableFields") or [])
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        has_status="status" in (version.get("subresources") or {}),
        custom=True,
        counts_generation=True,
        unconditional_update=False,
        selectable_fields=tuple(path.removeprefix(".") for path in paths),
        storage_version=storage_version,
        schema=schema.get("openAPIV3Schema") or {},
    )


def require_same_scope(before: Object, after: Object) -> None:
    """Raise ApiError 422 when a definition in use changes its scope, which its objects could not follow."""
    if before["spec"]["scope"] != after["spec"]["scope"]:
        name = after["metadata"]["name"]
        text = f'Invalid value: "{after["spec"]["scope"]}": field is immutable'
        raise invalid(DEFINITIONS, name, [Cause("spec.scope", text)])


def established_status(definition: Object, now: datetime) -> Object:
    """The status that tells a client that the resource is served, which here it is at once."""
    since = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    spec = definition["spec"]

    def condition(kind: str, reason: str, message: str) -> dict[str, Any]:
        return {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
        }

    return {
        "acceptedNames": spec["names"],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "storedVersions": [version["name"] for version in spec["versions"] if version.get("storage")],
    }
