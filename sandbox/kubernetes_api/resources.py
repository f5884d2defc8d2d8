"""What the API serves: the resources, built in or learned from definitions, and how to find them by path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
"""One API object as decoded JSON. Objects in the store are shared and therefore never changed in place."""

DEFINITIONS_GROUP = "apiextensions.k8s.io"

_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "type",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource in one version, as discovery describes it.

    `group` is empty for the core group. `unconditional_update` tells whether a replace may come without a
    resourceVersion; the real API server allows it for most core resources and never for custom ones.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    has_status: bool = False
    custom: bool = False
    counts_generation: bool = False
    unconditional_update: bool = True
    delete_returns_object: bool = False
    selectable_fields: tuple[str, ...] = ()
    storage_version: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage_api_version(self) -> str:
        """The apiVersion under which objects are kept, the same for all served versions of a resource."""
        version = self.storage_version or self.version
        return f"{self.group}/{version}" if self.group else version

    @property
    def qualified(self) -> str:
        """The resource as error messages name it, for example `leases.coordination.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind as validation messages name it, for example `Lease.coordination.k8s.io`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def presented(self, stored: Object) -> Object:
        """The stored object in this version: without a conversion webhook, only the apiVersion differs."""
        if stored.get("apiVersion") == self.api_version:
            return stored
        return {**stored, "apiVersion": self.api_version}


NAMESPACES = Resource(
    "", "v1", "namespaces", "Namespace", False, "namespace", ("ns",),
    has_status=True, delete_returns_object=True, selectable_fields=("status.phase",),
)  # fmt: skip
DEFINITIONS = Resource(
    DEFINITIONS_GROUP, "v1", "customresourcedefinitions", "CustomResourceDefinition", False,
    "customresourcedefinition", ("crd", "crds"),
    has_status=True, counts_generation=True, unconditional_update=False,
)  # fmt: skip
BUILT_IN = (
    NAMESPACES,
    DEFINITIONS,
    Resource("", "v1", "configmaps", "ConfigMap", True, "configmap", ("cm",)),
    Resource("", "v1", "events", "Event", True, "event", ("ev",), selectable_fields=_EVENT_FIELDS),
    Resource(
        "", "v1", "pods", "Pod", True, "pod", ("po",), has_status=True, delete_returns_object=True,
        selectable_fields=("spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"),
    ),
    Resource(
        "coordination.k8s.io", "v1", "leases", "Lease", True, "lease", unconditional_update=False
    ),
)  # fmt: skip


class Registry:
    """The resources served at this moment."""

    def __init__(self, resources: Iterable[Resource] = BUILT_IN) -> None:
        self._by_path = {(r.group, r.version, r.plural): r for r in resources}

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at `/apis/group/version/plural`, or None when no such resource is served."""
        return self._by_path.get((group, version, plural))

    def serve(self, resources: Iterable[Resource]) -> None:
        """Serve these resources instead of whatever was served under the same group and plural."""
        added = list(resources)
        for resource in added:
            self.withdraw(resource.group, resource.plural)
        self._by_path |= {(r.group, r.version, r.plural): r for r in added}

    def withdraw(self, group: str, plural: str) -> None:
        """Stop serving every version of the resource; nothing happens when it is not served."""
        kept = {path: r for path, r in self._by_path.items() if (r.group, r.plural) != (group, plural)}
        self._by_path = kept

    def any_version(self, group: str, plural: str) -> Resource | None:
        """One served version of the resource, or None."""
        return next((r for r in self._by_path.values() if (r.group, r.plural) == (group, plural)), None)

    def in_version(self, group: str, version: str) -> list[Resource]:
        """The resources served under one group and version, by plural name."""
        found = (r for r in self._by_path.values() if (r.group, r.version) == (group, version))
        return sorted(found, key=lambda r: r.plural)

    def versions(self) -> dict[str, list[str]]:
        """The served versions of each group, the core group under the empty name."""
        groups: dict[str, list[str]] = {}
        for resource in self._by_path.values():
            versions = groups.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return groups
