"""The watch of the RemediationRequests from the start: what a controller deletes in mid-run was there."""

from __future__ import annotations

import gevent
import kubernetes.client
import urllib3.exceptions

from chaos_hooks.truth import Truth, TruthError
from reports.history import Resource
from shapes.alerts import Naming

_AGAIN_S = 0.5
_GONE = 410


class RequestWatch:
    """Follows the changes from a version on, and begins anew where that is too old.

    ``gaps`` counts how often it had to: what was both created and deleted meanwhile was not seen. ``error``
    is the last one; a watch that never worked adds nothing to what is read at the end, and takes nothing.
    """

    def __init__(self, truth: Truth, naming: Naming) -> None:
        self._truth = truth
        self._naming = naming
        self._seen: dict[str, Resource] = {}
        self._deleted: dict[str, Resource] = {}
        self._greenlet: gevent.Greenlet | None = None
        self.gaps = 0
        self.error = ""

    @property
    def seen(self) -> int:
        """Return how many it has seen so far, whether they are still there or not."""
        return len(self._seen)

    def start(self) -> None:
        """Begin to watch."""
        self._greenlet = gevent.spawn(self._follow)

    def stop(self) -> None:
        """Watch no more."""
        if self._greenlet:
            self._greenlet.kill()

    def with_deleted(self, found: list[Resource]) -> tuple[list[Resource], list[str]]:
        """Return what was read, with what was deleted before; and the names of the latter."""
        there = {resource.uid for resource in found}
        gone = [r for uid, r in sorted(self._deleted.items()) if uid not in there]
        return sorted([*found, *gone], key=lambda r: (r.name, r.uid)), [r.name for r in gone]

    def _follow(self) -> None:
        version = ""
        while True:
            try:
                if not version:
                    version = self._begin()
                for kind, item in self._truth.changes(version):
                    version = item["metadata"].get("resourceVersion", version)
                    if kind != "BOOKMARK":
                        self._note(kind == "DELETED", self._truth.resource_of(item, self._naming))
            except kubernetes.client.ApiException as problem:
                self.error = f"{problem.status} {problem.reason}"
                if problem.status == _GONE:
                    self.gaps += 1
                    version = ""
            except (TruthError, urllib3.exceptions.HTTPError, OSError, ValueError, LookupError) as problem:
                self.error = f"{type(problem).__name__}: {problem}"[:200]
            gevent.sleep(_AGAIN_S)

    def _begin(self) -> str:
        """List what there is; what was seen before and is not there any more was deleted meanwhile."""
        now: list[Resource] = []
        version = self._truth.list_resources(self._naming, now)
        there = {resource.uid for resource in now}
        for uid, resource in list(self._seen.items()):
            if uid not in there:
                self._note(True, resource)
        for resource in now:
            self._note(False, resource)
        return version

    def _note(self, deleted: bool, resource: Resource | None) -> None:
        if resource is None:
            return
        self._seen[resource.uid] = resource
        if deleted:
            self._deleted[resource.uid] = resource
