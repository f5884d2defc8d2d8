"""The RemediationRequests in the Kubernetes API: one that is alive for each fingerprint, and its count.

Its name follows from the fingerprint, so that the API itself refuses a second one, with or without Redis.
"""

import asyncio
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.gateway import defects as planted
from sandbox.gateway import log
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.kubernetes_client import (
    AlreadyExistsError,
    ConflictError,
    KubernetesClient,
    KubernetesError,
)
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.webhook import Alert

COUNT_TRIES = 8
_FIRST_CONFLICT_BACKOFF_S = 0.1
_LONGEST_CONFLICT_BACKOFF_S = 0.4


@dataclass(frozen=True, slots=True)
class Claim:
    """The CRD that stands for an alert: made for it (`created`), or an older one, counted up to `count`."""

    name: str
    created: bool
    count: int


class RemediationStore:
    """Every method raises KubernetesError when the API, or the deadline, does not let it finish."""

    def __init__(self, client: KubernetesClient, metrics: Metrics, defects: Defects) -> None:
        self._client = client
        self._metrics = metrics
        self._defects = defects

    @property
    def namespace(self) -> str:
        """Where the CRDs are."""
        return self._client.namespace

    async def claim(self, alert: Alert, source: str, deadline: Deadline, *, look_first: bool) -> Claim:
        """Create the CRD of `alert`, or count it in the one there is. `look_first` saves a refused create.

        A CRD in a terminal phase, or being deleted, makes way for the next name.
        """
        writer = uuid.uuid4().hex
        generation = 1
        while True:
            name = rr.name_of(alert.fingerprint, generation)
            existing = await self._client.get(name, deadline) if look_first else None
            if existing is None:
                if await self._create(alert, name, writer, source, deadline):
                    return Claim(name, created=True, count=1)
                existing = await self._client.get(name, deadline)
            if existing is None:
                continue  # it was deleted between the two questions: its name is free again
            if rr.created_by(existing, writer):
                return Claim(name, created=True, count=1)
            count = await self.count_once_more(name, deadline, existing)
            if count is not None:
                return Claim(name, created=False, count=count)
            generation += 1

    async def create_with_random_name(self, alert: Alert, source: str, deadline: Deadline) -> Claim:
        """Create a CRD that no duplicate can find: what the planted defect two-crds-after-failover does."""
        writer = uuid.uuid4().hex
        name = f"rr-{alert.fingerprint[:20]}-{writer[:8]}"
        await self._create(alert, name, writer, source, deadline)
        return Claim(name, created=True, count=1)

    async def count_once_more(
        self, name: str, deadline: Deadline, current: dict[str, Any] | None = None
    ) -> int | None:
        """Raise the occurrenceCount of a CRD by one and return it; None when the CRD is gone or finished.

        Optimistic concurrency: read, write with the resourceVersion read, and again after a conflict, with
        full jitter (a pause drawn from 0 to the backoff), without which writers keep colliding.
        """
        writer = uuid.uuid4().hex
        backoff_s = _FIRST_CONFLICT_BACKOFF_S
        for conflicts in range(COUNT_TRIES):
            if current is None:
                current = await self._client.get(name, deadline)
            if current is not None and rr.written_by(current, writer):
                return rr.count_of(current)  # a write whose answer was lost did arrive
            if current is None or rr.is_finished(current):
                return None
            counted = rr.counted_once_more(current, datetime.now(UTC), writer)
            try:
                await self._client.replace(counted, deadline)
            except ConflictError:
                self._metrics.crd_update_conflicts_total.inc()
                if self._defects.bite(planted.COUNT_LOST):
                    return rr.count_of(counted)
                current = None
                await asyncio.sleep(min(random.uniform(0, backoff_s), max(0.0, deadline.remaining_s())))
                backoff_s = min(2 * backoff_s, _LONGEST_CONFLICT_BACKOFF_S)
                continue
            if conflicts:
                self._metrics.crd_update_retry_success_total.inc()
            return rr.count_of(counted)
        raise KubernetesError("conflict", f"{name}: {COUNT_TRIES} updates in a row met a conflict")

    async def _create(self, alert: Alert, name: str, writer: str, source: str, deadline: Deadline) -> bool:
        body = rr.body_of(alert, name, self.namespace, datetime.now(UTC), writer)
        try:
            await self._client.create(body, deadline)
        except AlreadyExistsError:
            return False
        self._metrics.crds_created_total.labels(source).inc()
        log.info("crd created", name=name, fingerprint=alert.fingerprint, source=source)
        return True
