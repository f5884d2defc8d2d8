"""Updates of CRDs with optimistic concurrency: read, change, write with the resourceVersion that was read."""

import asyncio
import random
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.gateway import defects as planted
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.kubernetes_client import ConflictError, KubernetesClient, KubernetesError
from sandbox.gateway.metrics import Metrics

UPDATE_TRIES = 8
# Nominal pauses after the first, second, and every later conflict; the real one is drawn from 0 to this (full
# jitter): without it writers that met once keep meeting, and ten of them do not all succeed.
CONFLICT_STEPS_S = (0.1, 0.2, 0.4)

Change = Callable[[dict[str, Any], str], dict[str, Any]]


class CrdUpdater:
    """Raises KubernetesError when the API, the deadline or the conflicts do not let it finish."""

    def __init__(self, client: KubernetesClient, metrics: Metrics, defects: Defects) -> None:
        self._client = client
        self._metrics = metrics
        self._defects = defects

    async def update(
        self,
        name: str,
        change: Change,
        deadline: Deadline,
        *,
        current: dict[str, Any] | None = None,
        writer: str = "",
    ) -> dict[str, Any] | None:
        """The CRD after `change(request, writer)` was written; None when it is gone or finished.

        `current` is the CRD if it was just read. `change` must leave `writer` in the object, so that a write
        whose answer was lost is not made again.
        """
        writer = writer or uuid.uuid4().hex
        for conflicts in range(UPDATE_TRIES):
            if current is None:
                current = await self._client.get(name, deadline, reason="count")
            if current is not None and rr.written_by(current, writer):
                return current  # a write whose answer was lost did arrive
            if current is None or rr.is_finished(current):
                return None
            changed = change(current, writer)
            if conflicts and self._defects.bite(planted.COUNT_TWICE):
                changed = change(changed, writer)
            try:
                await self._client.replace(changed, deadline)
            except ConflictError:
                self._metrics.crd_update_conflicts_total.inc()
                if self._defects.bite(planted.COUNT_LOST):
                    return changed
                current = None
                await self._pause(conflicts, deadline)
                continue
            if conflicts:
                self._metrics.crd_update_retry_success_total.inc()
            return changed
        self._metrics.crd_update_retry_exhausted_total.inc()
        raise KubernetesError("conflict", f"{name}: {UPDATE_TRIES} updates in a row met a conflict")

    async def _pause(self, conflicts: int, deadline: Deadline) -> None:
        step_s = CONFLICT_STEPS_S[min(conflicts, len(CONFLICT_STEPS_S) - 1)]
        if conflicts and self._defects.bite(planted.BACKOFF_FLAT):
            step_s = CONFLICT_STEPS_S[0]
        pause_s = min(random.uniform(0, step_s), max(0.0, deadline.remaining_s()))
        self._metrics.crd_update_backoff_seconds.labels(str(step_s)).observe(pause_s)
        await asyncio.sleep(pause_s)
