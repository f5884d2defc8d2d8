"""The RemediationRequests in the Kubernetes API: one that is alive for each fingerprint, and its count.

Its name follows from the fingerprint, so that the API itself refuses a second one, with or without Redis.
"""

import asyncio
import base64
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.gateway import defects as planted
from sandbox.gateway import log, noise
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.crd_updater import CrdUpdater
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.kubernetes_client import AlreadyExistsError, KubernetesClient, KubernetesError
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.webhook import Alert

_CONTENTS = ("signalLabels", "signalAnnotations", "originalPayload")
_DELETE_S = 2.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The CRD that stands for an alert: made for it (`created`), or an older one, counted up to `count`."""

    name: str
    created: bool
    count: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An alert to be recorded: seen `count` times, and written as `writer`, a name that is used only once."""

    alert: Alert
    source: str
    writer: str
    count: int = 1

    @classmethod
    def once(cls, alert: Alert, source: str) -> "Occurrence":
        """The alert of one webhook."""
        return cls(alert, source, uuid.uuid4().hex)


class RemediationStore:
    """Every method raises KubernetesError when the API, or the deadline, does not let it finish."""

    def __init__(self, client: KubernetesClient, metrics: Metrics, defects: Defects) -> None:
        self._client = client
        self._updater = CrdUpdater(client, metrics, defects)
        self._metrics = metrics
        self._defects = defects
        self._contents_before: dict[str, Any] = {}
        self._deletions: set[asyncio.Task[None]] = set()

    @property
    def namespace(self) -> str:
        """Where the CRDs are."""
        return self._client.namespace

    async def claim(self, alert: Alert, source: str, deadline: Deadline, *, look_first: bool) -> Claim:
        """Create the CRD of `alert`, or count it in the one there is. `look_first` saves a refused create."""
        return await self.record(Occurrence.once(alert, source), deadline, look_first=look_first)

    async def record(self, seen: Occurrence, deadline: Deadline, *, look_first: bool) -> Claim:
        """Create the CRD of an occurrence, or count it in the one there is.

        What the same writer has created is not written again. A CRD in a terminal phase, or being deleted,
        makes way for the next name.
        """
        generation = 1
        while True:
            name = rr.name_of(seen.alert.fingerprint, generation)
            existing = await self._client.get(name, deadline, reason="dedup_fallback") if look_first else None
            if existing is None:
                if await self._create(seen, name, deadline):
                    return Claim(name, created=True, count=seen.count)
                existing = await self._client.get(name, deadline, reason="dedup_check")
            if existing is None:
                continue  # it was deleted between the two questions: its name is free again
            if rr.created_by(existing, seen.writer):
                return Claim(name, created=True, count=seen.count)
            count = await self._count(name, seen, deadline, existing)
            if count is not None:
                return Claim(name, created=False, count=count)
            generation += 1

    async def is_held(self, alert: Alert, deadline: Deadline) -> bool:
        """Whether a CRD of this alert alone is alive."""
        generation = 1
        while True:
            name = rr.name_of(alert.fingerprint, generation)
            found = await self._client.get(name, deadline, reason="dedup_check")
            if found is None or not rr.is_finished(found):
                return found is not None
            generation += 1

    async def create_with_random_name(self, alert: Alert, source: str, deadline: Deadline) -> Claim:
        """Create a CRD that no duplicate can find: what the planted defect two-crds-after-failover does."""
        seen = Occurrence.once(alert, source)
        name = f"rr-{alert.fingerprint[:20]}-{seen.writer[:8]}"
        await self._create(seen, name, deadline)
        return Claim(name, created=True, count=1)

    async def count_in(self, name: str, seen: Occurrence, deadline: Deadline) -> int | None:
        """Count an occurrence in a CRD and return its occurrenceCount; None when it is gone or finished."""
        return await self._count(name, seen, deadline, None)

    async def _count(
        self, name: str, seen: Occurrence, deadline: Deadline, current: dict[str, Any] | None
    ) -> int | None:
        def change(request: dict[str, Any], writer: str) -> dict[str, Any]:
            fingerprint = seen.alert.fingerprint
            return rr.counted(request, datetime.now(UTC), writer, fingerprint=fingerprint, by=seen.count)

        request = await self._updater.update(name, change, deadline, current=current, writer=seen.writer)
        return None if request is None else rr.count_of(request, seen.alert.fingerprint)

    async def _create(self, seen: Occurrence, name: str, deadline: Deadline) -> bool:
        alert = seen.alert
        body = rr.body_of(alert, name, self.namespace, datetime.now(UTC), seen.writer, seen.count)
        if self._defects.bite(planted.LABELS_LOST):
            body["spec"]["signalLabels"] = {}
        if self._defects.bite(planted.PAYLOAD_LOST):
            body["spec"]["originalPayload"] = base64.b64encode(b"{}").decode()
        self._misplaced(body)
        try:
            await self._client.create(body, deadline)
        except AlreadyExistsError:
            return False
        if seen.source and self._defects.bite_every(noise.DELETED):
            task = asyncio.get_running_loop().create_task(self._delete_later(name))
            self._deletions.add(task)
            task.add_done_callback(self._deletions.discard)
        # Without a source it is somebody else's: a noise.
        if seen.source and not self._defects.bite_every(planted.COUNTERS_WRONG, planted.MISCOUNTED_EVERY):
            self._metrics.crds_created_total.labels(seen.source).inc()
        log.info("crd created", name=name, fingerprint=alert.fingerprint, source=seen.source)
        return True

    def _misplaced(self, body: dict[str, Any]) -> None:
        """What the planted defect crd-holds-another-alert does to some, and a noise to all."""
        spec, before = body["spec"], self._contents_before
        self._contents_before = {name: spec[name] for name in _CONTENTS}
        if before and self._defects.bite_every(planted.CONTENTS_SWAPPED, planted.SWAPPED_EVERY):
            spec.update(before)
        if self._defects.bite(noise.UPPER_CASE):
            spec["signalFingerprint"] = spec["signalFingerprint"].upper()

    async def _delete_later(self, name: str) -> None:
        await asyncio.sleep(noise.DELETED_AFTER_S)
        try:
            await self._client.delete(name, Deadline.after(_DELETE_S))
        except KubernetesError as error:
            log.warning("a CRD that a noise is about could not be deleted", name=name, error=str(error))
