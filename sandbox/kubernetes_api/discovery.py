"""Discovery: the documents by which clients find out which groups, versions and resources there are."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from sandbox.kubernetes_api.resources import Object, Registry, Resource

ACCESS_REVIEWS = ("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
"""Group, version and plural of the one resource that answers and stores nothing."""

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION: Object = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+alertstorm",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": f"python {platform.python_version()}",
    "platform": f"{platform.system().lower()}/{platform.machine()}",
}


def groups_and_versions(registry: Registry) -> dict[str, list[str]]:
    """The versions of every group that has a path, the core group under the empty name."""
    return registry.versions() | {ACCESS_REVIEWS[0]: [ACCESS_REVIEWS[1]]}


def document(registry: Registry, path: str) -> Object | None:
    """The document at `/version`, `/api`, `/apis` or below; None when there is none at this path."""
    groups = groups_and_versions(registry)
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": groups[""], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            named = [_group(name, versions) for name, versions in groups.items() if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
        case ["apis", name] if name in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, groups[name])}
        case ["api", version] if version in groups[""]:
            return _resource_list(registry, "", version)
        case ["apis", name, version] if version in groups.get(name, []):
            return _resource_list(registry, name, version)
    return None


def root_paths(groups: Mapping[str, list[str]]) -> Object:
    """What `/` answers: the paths worth asking."""
    paths = ["/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v3", "/readyz", "/version"]
    paths += [f"/apis/{name}/{version}" for name, versions in groups.items() if name for version in versions]
    return {"paths": sorted(paths)}


def _group(name: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resource_list(registry: Registry, group: str, version: str) -> Object:
    resources: list[Object] = []
    for resource in registry.in_version(group, version):
        resources += _entries(resource)
    if (group, version) == ACCESS_REVIEWS[:2]:
        kind = "SelfSubjectAccessReview"
        entry = {"name": ACCESS_REVIEWS[2], "singularName": kind.lower(), "kind": kind}
        resources.append({**entry, "namespaced": False, "verbs": ["create"]})
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }


def _entries(resource: Resource) -> list[Object]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if not resource.has_status:
        return [entry]
    status = {"name": f"{resource.plural}/status", "singularName": "", "verbs": ["get", "patch", "update"]}
    return [entry, {**status, "namespaced": resource.namespaced, "kind": resource.kind}]


def access_review(body: Object) -> Object:
    """The answer to a SelfSubjectAccessReview: everything is allowed, because nothing is controlled here."""
    status = {"allowed": True, "reason": "the sandbox has no access control"}
    head = {"apiVersion": "/".join(ACCESS_REVIEWS[:2]), "kind": "SelfSubjectAccessReview"}
    return {**head, "metadata": {}, "spec": body.get("spec") or {}, "status": status}
