"""Deleting objects: preconditions, finalizers, and containers that take their contents with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes_api.cluster import Cluster, timestamp
from sandbox.kubernetes_api.request import Query, asks_dry_run
from sandbox.kubernetes_api.resources import NAMESPACES, Object, Resource
from sandbox.kubernetes_api.status import bad_request, conflict, not_found, other_uid, success
from sandbox.kubernetes_api.store import Key


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a delete asks for. Empty preconditions hold always. Grace and propagation have no meaning here."""

    uid: str = ""
    version: str = ""
    dry_run: bool = False


def read_options(body: Any, query: Query) -> DeleteOptions:
    """The options of a DELETE from its decoded body (None: empty) and query. Raises ApiError 400 or 422."""
    if body is None:
        return DeleteOptions(dry_run=query.dry_run())
    if not isinstance(body, dict):
        raise bad_request("the body of a delete must be a DeleteOptions object")
    preconditions = body.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise bad_request("preconditions must be an object")
    return DeleteOptions(
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
        dry_run=query.dry_run() or asks_dry_run(body.get("dryRun") or []),
    )


def delete(cluster: Cluster, resource: Resource, key: Key, options: DeleteOptions) -> Object:
    """Delete one object, or mark it when finalizers hold it, and return the body of the answer.

    Raises ApiError 404, or 409 when a precondition does not hold.
    """
    old = cluster.store.get(resource, key)
    if old is None:
        raise not_found(resource, key[1])
    _require_preconditions(resource, key, old["metadata"], options)
    last = old if options.dry_run else _take_away(cluster, resource, key, old)
    held = bool(old["metadata"].get("finalizers"))
    if held or resource.delete_returns_object:
        return resource.presented(last)
    return success(resource, key[1], old["metadata"]["uid"])


def _require_preconditions(resource: Resource, key: Key, metadata: Object, options: DeleteOptions) -> None:
    if options.uid and options.uid != metadata["uid"]:
        raise other_uid(resource, key[1], options.uid, metadata["uid"])
    if options.version and options.version != metadata["resourceVersion"]:
        raise conflict(
            resource,
            key[1],
            f"Precondition failed: the ResourceVersion in the precondition ({options.version}) does not "
            f"match the ResourceVersion in record ({metadata['resourceVersion']}). The object might have "
            "been modified",
        )


def _take_away(cluster: Cluster, resource: Resource, key: Key, old: Object) -> Object:
    contents = cluster.contents(resource, key)
    if not contents and not old["metadata"].get("finalizers"):
        return cluster.remove(resource, key, old)
    marked = old
    if "deletionTimestamp" not in old["metadata"]:
        marked = cluster.put(resource, key, _marked(cluster, resource, old))
    # The container is marked first: it is removed together with the last of its contents.
    for inner, inner_key in contents:
        subject = cluster.store.get(inner, inner_key)
        if subject is not None:
            _take_away(cluster, inner, inner_key, subject)
    return marked


def _marked(cluster: Cluster, resource: Resource, old: Object) -> Object:
    metadata = {
        **old["metadata"],
        "deletionTimestamp": timestamp(cluster.now()),
        "deletionGracePeriodSeconds": 0,
    }
    if resource.counts_generation:
        metadata["generation"] += 1
    marked = {**old, "metadata": metadata}
    if resource == NAMESPACES:
        marked["status"] = {"phase": "Terminating"}
    return marked
