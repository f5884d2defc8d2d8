"""Creating and changing objects: identity, versions, generation and the wall between spec and status."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.kubernetes_api.cluster import Cluster, timestamp
from sandbox.kubernetes_api.definitions import established_status, require_same_scope, resources_of
from sandbox.kubernetes_api.metadata import generated_name, metadata_of, require_valid
from sandbox.kubernetes_api.patch import json_equal
from sandbox.kubernetes_api.resources import DEFINITIONS, NAMESPACES, Object, Resource
from sandbox.kubernetes_api.status import (
    Cause,
    already_exists,
    another_kind,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    without_version,
)
from sandbox.kubernetes_api.store import Key

_GENERATE_TRIES = 8
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)


def create(cluster: Cluster, resource: Resource, namespace: str, body: Object, dry_run: bool) -> Object:
    """Store a new object and return it. Raises ApiError 400, 403, 404 (no such namespace), 409 or 422."""
    _require_type(resource, body)
    metadata = metadata_of(body)
    if metadata.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    _require_namespace(metadata, namespace)
    key = _free_key(cluster, resource, namespace, metadata)
    metadata["name"] = key[1]
    for member in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        metadata.pop(member, None)
    if namespace:
        metadata["namespace"] = namespace
        _require_open(cluster, resource, key)
    require_valid(resource, metadata)
    if key in cluster.store.collection(resource).objects:
        raise already_exists(resource, key[1])
    metadata["uid"] = str(uuid.UUID(int=cluster.source.getrandbits(128), version=4))
    metadata["creationTimestamp"] = timestamp(cluster.now())
    if resource.counts_generation:
        metadata["generation"] = 1
    subject = _with_defaults(cluster, resource, _assembled(resource, body, metadata))
    return resource.presented(subject if dry_run else cluster.put(resource, key, subject))


def _require_type(resource: Resource, body: Object) -> None:
    """Custom objects have to say what they are; core ones may leave it out, but not say something else."""
    for member, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        given = body.get(member)
        if not given and not resource.custom:
            continue
        if given != expected:
            if member == "kind" and given and resource.custom:
                raise another_kind(resource, str((body.get("metadata") or {}).get("name") or ""), str(given))
            what = "API version" if member == "apiVersion" else "kind"
            raise bad_request(
                f"the {what} in the data ({given}) does not match the expected {what} ({expected})"
            )


def _require_namespace(metadata: Object, namespace: str) -> None:
    if (metadata.get("namespace") or namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _free_key(cluster: Cluster, resource: Resource, namespace: str, metadata: Object) -> Key:
    name, base = metadata.get("name") or "", metadata.get("generateName") or ""
    if name or not base:
        return namespace, name
    taken = cluster.store.collection(resource).objects
    for _ in range(_GENERATE_TRIES):
        key = namespace, generated_name(base, cluster.source)
        if key not in taken:
            return key
    raise already_exists(resource, key[1])


def _require_open(cluster: Cluster, resource: Resource, key: Key) -> None:
    namespace = cluster.store.get(NAMESPACES, ("", key[0]))
    if namespace is None:
        raise not_found(NAMESPACES, key[0])
    if "deletionTimestamp" in namespace["metadata"]:
        why = f"unable to create new content in namespace {key[0]} because it is being terminated"
        raise forbidden(resource, key[1], why)


def _assembled(resource: Resource, body: Object, metadata: Object) -> Object:
    head = {"apiVersion": resource.storage_api_version, "kind": resource.kind, "metadata": metadata}
    dropped = {*head, "status"} if resource.has_status else set(head)
    return head | {member: value for member, value in body.items() if member not in dropped}


def _with_defaults(cluster: Cluster, resource: Resource, subject: Object) -> Object:
    if resource == NAMESPACES:
        metadata = subject["metadata"]
        labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
        return {**subject, "metadata": {**metadata, "labels": labels}, "status": {"phase": "Active"}}
    if resource == DEFINITIONS:
        # Checked here, so that a dry run and the status refuse what could not be served.
        resources_of(subject)
        return {**subject, "status": established_status(subject, cluster.now())}
    return subject


def change(
    cluster: Cluster, resource: Resource, key: Key, body: Object, *, to_status: bool, dry_run: bool
) -> Object:
    """Store `body` as the next state of an existing object and return the result.

    A write to the status changes nothing else, any other write leaves the status alone. A write that changes
    nothing keeps the resourceVersion. Raises ApiError 400, 404, 409 (Conflict) or 422.
    """
    old = cluster.store.get(resource, key)
    if old is None:
        raise not_found(resource, key[1])
    _require_type(resource, body)
    metadata = metadata_of(body)
    _require_identity(resource, key, old["metadata"], metadata)
    if to_status:
        new = {**old, "status": body["status"]} if "status" in body else _without_status(old)
    else:
        new = _next_state(cluster, resource, old, body, metadata)
    if json_equal(new, old):
        return resource.presented(old)
    if dry_run:
        return resource.presented(new)
    removed = "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers")
    if removed and not cluster.contents(resource, key):
        cluster.remove(resource, key, new)
        return resource.presented(new)  # With the version it had: what is removed gets no answer of its own.
    return resource.presented(cluster.put(resource, key, new))


def _require_identity(resource: Resource, key: Key, old: Object, new: Object) -> None:
    if (new.get("name") or key[1]) != key[1]:
        why = f"the name of the object ({new['name']}) does not match the name on the URL ({key[1]})"
        raise bad_request(why)
    _require_namespace(new, key[0])
    if (new.get("uid") or old["uid"]) != old["uid"]:
        why = f"Precondition failed: UID in precondition: {new['uid']}, UID in object meta: {old['uid']}"
        raise conflict(resource, key[1], why)
    version = new.get("resourceVersion") or ""
    if version and not (version.isascii() and version.isdecimal()):
        cause = Cause("metadata.resourceVersion", f'Invalid value: "{version}": must be a number')
        raise invalid(resource, key[1], [cause])
    if version and version != old["resourceVersion"]:
        raise conflict(resource, key[1])


def require_version(resource: Resource, name: str, body: Object) -> None:
    """Raise ApiError 422 for a replace without resourceVersion of a resource that insists on one."""
    if not resource.unconditional_update and not metadata_of(body).get("resourceVersion"):
        raise without_version(resource, name)


def _without_status(subject: Object) -> Object:
    return {member: value for member, value in subject.items() if member != "status"}


def _next_state(cluster: Cluster, resource: Resource, old: Object, body: Object, metadata: Object) -> Object:
    before = old["metadata"]
    metadata |= {"name": before["name"], "resourceVersion": before["resourceVersion"]}
    if "namespace" in before:
        metadata["namespace"] = before["namespace"]
    for member in _SERVER_OWNED:
        if member in before:
            metadata[member] = before[member]
        else:
            metadata.pop(member, None)
    _require_no_new_finalizers(resource, before, metadata)
    require_valid(resource, metadata)
    new = _assembled(resource, body, metadata)
    if resource.has_status and "status" in old:
        new["status"] = old["status"]
    if not json_equal(_counted(resource, new), _counted(resource, old)):
        if resource.counts_generation:
            metadata["generation"] = before["generation"] + 1
        if resource == DEFINITIONS:
            resources_of(new)
            require_same_scope(old, new)
            new["status"] = established_status(new, cluster.now())
    return new


def _counted(resource: Resource, subject: Object) -> dict[str, Any]:
    """The part of an object whose changes count as a new generation."""
    left_out = ("metadata", "status") if resource.has_status else ("metadata",)
    return {member: value for member, value in subject.items() if member not in left_out}


def _require_no_new_finalizers(resource: Resource, before: Object, after: Object) -> None:
    added = set(after.get("finalizers") or []) - set(before.get("finalizers") or [])
    if added and "deletionTimestamp" in before:
        text = (
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
            f"{sorted(added)}"
        )
        cause = Cause("metadata.finalizers", text, "FieldValueForbidden")
        raise invalid(resource, before["name"], [cause])
