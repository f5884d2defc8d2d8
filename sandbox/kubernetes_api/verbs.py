"""The verbs on objects: from a request and its body to an answer, without any knowledge of HTTP transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes_api import bodies, writes
from sandbox.kubernetes_api.cluster import Cluster
from sandbox.kubernetes_api.deletion import delete, read_options
from sandbox.kubernetes_api.listing import Page, read_page
from sandbox.kubernetes_api.metadata import require_known
from sandbox.kubernetes_api.patch import MalformedPatch, PatchFailed, json_patch, merge_patch
from sandbox.kubernetes_api.request import RequestInfo
from sandbox.kubernetes_api.resources import Object, Resource
from sandbox.kubernetes_api.status import (
    Cause,
    bad_request,
    invalid,
    method_not_allowed,
    no_such_path,
    not_found,
    rejected_patch,
    unsupported_media_type,
)

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: the HTTP status and the object that is its body."""

    code: int
    body: Object


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one resource, with its whole body."""

    info: RequestInfo
    resource: Resource
    content: bytes
    content_type: str

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name of the object that is meant."""
        return self.info.namespace, self.info.name

    @property
    def namespace(self) -> str | None:
        """The namespace of a list or watch, None for all."""
        return self.info.namespace or None


def require_shape(info: RequestInfo, resource: Resource) -> None:
    """Raise ApiError 404 or 405 when the resource has no such path or the path no such verb."""
    has_subresource = info.subresource == "status" and resource.has_status
    if info.subresource and not has_subresource and resource.custom:
        raise not_found(resource, info.name)
    if (info.subresource and not has_subresource) or (info.namespace and not resource.namespaced):
        raise no_such_path()
    if resource.namespaced and not info.namespace and info.verb not in ("list", "watch"):
        raise method_not_allowed()
    if info.verb not in _VERBS and info.verb != "watch":
        raise method_not_allowed()
    if info.subresource and info.verb not in ("get", "update", "patch"):
        raise method_not_allowed()
    if bool(info.name) != (info.verb in ("get", "update", "patch", "delete")):
        raise method_not_allowed()


def perform(cluster: Cluster, call: Call) -> Answer:
    """Do what the request asks, atomically. Raises ApiError for every refusal."""
    return _VERBS[call.info.verb](cluster, call)


def _get(cluster: Cluster, call: Call) -> Answer:
    found = cluster.store.get(call.resource, call.key)
    if found is None:
        raise not_found(call.resource, call.info.name)
    return Answer(200, call.resource.presented(found))


def _list(cluster: Cluster, call: Call) -> Answer:
    request = call.info.query.list_request(call.resource, call.namespace)
    page = read_page(cluster.store.collection(call.resource), request, cluster.store.version)
    return Answer(200, _list_body(call.resource, page))


def _list_body(resource: Resource, page: Page) -> Object:
    metadata: dict[str, Any] = {"resourceVersion": str(page.version)}
    if page.token:
        metadata["continue"] = page.token
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": [resource.presented(item) for item in page.items],
    }


def _create(cluster: Cluster, call: Call) -> Answer:
    call.info.query.require_known_field_validation()
    body = bodies.require_object(bodies.decode(call.content, call.content_type))
    if call.info.query.text("fieldValidation") == "Strict":
        require_known(call.resource, body)
    dry_run = call.info.query.dry_run()
    return Answer(201, writes.create(cluster, call.resource, call.info.namespace, body, dry_run))


def _update(cluster: Cluster, call: Call) -> Answer:
    call.info.query.require_known_field_validation()
    body = bodies.require_object(bodies.decode(call.content, call.content_type))
    if call.info.query.text("fieldValidation") == "Strict":
        require_known(call.resource, body)
    if cluster.store.get(call.resource, call.key) is None:
        raise not_found(call.resource, call.info.name)
    writes.require_version(call.resource, call.info.name, body)
    return Answer(200, _changed(cluster, call, body))


def _changed(cluster: Cluster, call: Call, body: Object) -> Object:
    to_status, dry_run = call.info.subresource == "status", call.info.query.dry_run()
    return writes.change(cluster, call.resource, call.key, body, to_status=to_status, dry_run=dry_run)


def _patch(cluster: Cluster, call: Call) -> Answer:
    call.info.query.require_known_field_validation()
    kind = bodies.media_type(call.content_type)
    spoken = (JSON_PATCH, MERGE, APPLY) if call.resource.custom else (JSON_PATCH, MERGE, STRATEGIC, APPLY)
    if kind not in spoken:
        raise unsupported_media_type(spoken)
    decoder = bodies.decode_yaml if kind == APPLY and call.content[:1] != b"{" else bodies.decode_json
    patch = decoder(call.content)
    if kind == APPLY:
        _require_field_manager(call)
    old = cluster.store.get(call.resource, call.key)
    if old is None and kind == APPLY and not call.info.subresource:
        return _create_by_apply(cluster, call, bodies.require_object(patch))
    if old is None:
        raise not_found(call.resource, call.info.name)
    new = bodies.require_object(_patched(call.resource.presented(old), patch, kind))
    return Answer(200, _changed(cluster, call, new))


def _require_field_manager(call: Call) -> None:
    if not call.info.query.text("fieldManager"):
        text = "Required value: is required for apply patch"
        raise invalid(call.resource, call.info.name, [Cause("fieldManager", text, "FieldValueRequired")])


def _create_by_apply(cluster: Cluster, call: Call, body: Object) -> Answer:
    """Apply creates what is not there, under the name in the path."""
    metadata = bodies.require_object(body.get("metadata") or {})
    if (metadata.get("name") or call.info.name) != call.info.name:
        raise bad_request("the name of the object does not match the name on the URL")
    named = {**body, "metadata": {**metadata, "name": call.info.name}}
    dry_run = call.info.query.dry_run()
    return Answer(201, writes.create(cluster, call.resource, call.info.namespace, named, dry_run))


def _patched(old: Object, patch: Any, kind: str) -> Any:
    """The patched object.

    An apply patch is merged without field ownership. A strategic patch is merged too, which is right as long
    as it holds no directive and no list with a merge key; directives are refused, not misunderstood.
    """
    if kind == JSON_PATCH:
        try:
            return json_patch(old, patch)
        except MalformedPatch as error:
            raise bad_request(str(error)) from error
        except PatchFailed as error:
            raise rejected_patch() from error
    bodies.require_object(patch)
    if kind == STRATEGIC and _has_directive(patch):
        raise unsupported_media_type((JSON_PATCH, MERGE, f"{STRATEGIC} without directives ($...)"))
    return merge_patch(old, patch)


def _has_directive(patch: Any) -> bool:
    if isinstance(patch, dict):
        return any(key.startswith("$") or _has_directive(value) for key, value in patch.items())
    return isinstance(patch, list) and any(_has_directive(item) for item in patch)


def _delete(cluster: Cluster, call: Call) -> Answer:
    options = read_options(_delete_body(call), call.info.query)
    return Answer(200, delete(cluster, call.resource, call.key, options))


def _delete_collection(cluster: Cluster, call: Call) -> Answer:
    options = read_options(_delete_body(call), call.info.query)
    request = call.info.query.list_request(call.resource, call.namespace)
    page = read_page(cluster.store.collection(call.resource), request, cluster.store.version)
    for item in page.items:
        key = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        # A removed container may have taken objects of the same list with it.
        if cluster.store.get(call.resource, key) is not None:
            delete(cluster, call.resource, key, options)
    return Answer(200, _list_body(call.resource, page))


def _delete_body(call: Call) -> Any:
    return bodies.decode(call.content, call.content_type) if call.content.strip() else None


_VERBS = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
