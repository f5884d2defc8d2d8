"""The aggregated CRDs in the Kubernetes API: made when a window opens, added to while it is open."""

from datetime import UTC, datetime
from typing import Any

from sandbox.gateway import log, storm_request
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.crd_updater import CrdUpdater
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.entry import Entry
from sandbox.gateway.kubernetes_client import AlreadyExistsError, KubernetesClient, KubernetesError
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.storm_window import Window


class StormStore:
    """Every method raises KubernetesError when the API, or the deadline, does not let it finish."""

    def __init__(self, client: KubernetesClient, metrics: Metrics, defects: Defects) -> None:
        self._client = client
        self._updater = CrdUpdater(client, metrics, defects)
        self._metrics = metrics

    async def open(self, window: Window, entries: list[Entry], length_s: float, deadline: Deadline) -> None:
        """Create the CRD of a window with these entries.

        If an earlier try, whose answer was lost, has created it with the first of them, the others are added.
        """
        body = storm_request.body_of(window, entries, length_s, self._client.namespace, datetime.now(UTC))
        try:
            await self._client.create(body, deadline)
        except AlreadyExistsError as error:
            existing = await self._client.get(window.crd_name, deadline, reason="storm")
            if existing is None:
                raise KubernetesError("conflict", f"{window.crd_name} exists and does not") from error
            await self._add_the_rest(window, existing, entries, deadline)
        else:
            self._metrics.crds_created_total.labels("storm").inc()

    async def _add_the_rest(
        self, window: Window, existing: dict[str, Any], entries: list[Entry], deadline: Deadline
    ) -> None:
        annotations = existing["metadata"].get("annotations") or {}
        rest = entries[int(annotations.get(storm_request.BUFFERED_ANNOTATION, 0)) :]
        log.info("aggregated crd exists", name=window.crd_name, missing=len(rest))
        if rest and await self.add(window.crd_name, rest, deadline) is None:
            raise KubernetesError("conflict", f"{window.crd_name} was finished meanwhile")

    async def add(self, crd_name: str, entries: list[Entry], deadline: Deadline) -> dict[str, Any] | None:
        """Add entries to an aggregated CRD and return it; None when it is gone or finished."""

        def change(request: dict[str, Any], writer: str) -> dict[str, Any]:
            return storm_request.with_entries(request, entries, datetime.now(UTC), writer)

        return await self._updater.update(crd_name, change, deadline, writer=entries[0].id)

    async def exists(self, window_id: str, deadline: Deadline) -> bool:
        """Whether the window's CRD was made."""
        name = storm_request.name_of(window_id)
        return await self._client.get(name, deadline, reason="recovery") is not None

    async def alive(self, deadline: Deadline) -> list[dict[str, Any]]:
        """All aggregated CRDs that are not finished."""
        found = await self._client.list(f"{storm_request.STORM_LABEL}=true", deadline)
        return [request for request in found if not rr.is_finished(request)]
