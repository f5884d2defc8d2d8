"""What happens to one alert: Redis is asked whether it is known, and the Kubernetes API makes it durable."""

import asyncio
from collections.abc import Callable

from sandbox.gateway import defects as planted
from sandbox.gateway import log, noise
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.breaker import State
from sandbox.gateway.clock import Clock
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.entry import Entry
from sandbox.gateway.kubernetes_client import KubernetesError
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.redis_cache import RedisCache
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.remediation_store import Claim, Occurrence, RemediationStore
from sandbox.gateway.result import Result
from sandbox.gateway.storm import StormDesk
from sandbox.gateway.unsent import foreign, unsent
from sandbox.gateway.webhook import Alert, WebhookError
from sandbox.gateway.write_queue import WriteQueue

# Who has no successor by then was the last one.
LAST_AFTER_S = 1.0


class _RefusedError(Exception):
    """A planted defect refuses the alert because Redis is away."""


class Pipeline:
    """Processes alerts, any number at a time."""

    def __init__(
        self,
        cache: RedisCache,
        store: RemediationStore,
        storm: StormDesk,
        queue: WriteQueue,
        clock: Clock,
        metrics: Metrics,
        defects: Defects,
    ) -> None:
        self._cache = cache
        self._store = store
        self._storm = storm
        self._queue = queue
        self._clock = clock
        self._metrics = metrics
        self._defects = defects
        self._in_fallback = self._was_sick = False
        self._unsent = 0
        self._held: Entry | None = None
        self.unanswered: set[str] = set()  # of the planted defect two-crds-on-retry
        self._alert_before: Alert | None = None

    async def process(self, alert: Alert | WebhookError, deadline: Deadline) -> Result:
        """What became of `alert`. Never raises.

        Created, duplicate and aggregated mean that the Kubernetes API has it, buffered and queued that Redis
        has.
        """
        self._metrics.alerts_received_total.inc()
        result = await self._outcome(alert, deadline)
        self._metrics.alerts_processed_total.labels(result.status).inc()
        if result.duplicate:
            self._metrics.alerts_deduplicated_total.inc()
        if result.accepted:
            log.info("alert acknowledged", status=result.status, fingerprint=result.fingerprint)
        else:
            self._metrics.alerts_rejected_total.labels(result.reason).inc()
            log.warning("alert refused", status=result.status, reason=result.reason, error=result.message)
        return result

    async def _outcome(self, alert: Alert | WebhookError, deadline: Deadline) -> Result:
        if isinstance(alert, WebhookError):
            return Result("rejected", str(alert), reason=alert.reason)
        if alert.resolved:
            return Result("resolved", "resolved alerts are accepted and not recorded", alert.fingerprint)
        if self._defects.bite_every(planted.DROP_ONE_IN):
            return _acknowledged_without_record(alert)
        if self._defects.bite_every(planted.COUNTED_THEN_DROPPED):
            self._metrics.crds_created_total.labels("webhook").inc()
            return _acknowledged_without_record(alert)
        entry = Entry.of(self._merged(alert), self._clock.now_s())
        try:
            if planted.LAST_LOST in self._defects.planted:
                return await self._one_behind(entry, deadline)
            return await self._record(entry, deadline)
        except KubernetesError as error:
            redis_is_sick = self._cache.breaker.state is not State.CLOSED
            if redis_is_sick and self._defects.bite(planted.OVERLAP_DROPS):
                return _acknowledged_without_record(alert)
            waiting = await self._queue.offer(entry, error)
            if waiting is not None:
                return waiting
            message, reason = str(error), f"kubernetes_{error.reason}"
        except _RefusedError as error:
            message, reason = str(error), "redis_away"
        return Result("failed", message, alert.fingerprint, reason=reason)

    async def _record(self, entry: Entry, deadline: Deadline) -> Result:
        alert = entry.alert
        name, away = await self._lookup(alert)
        redis_is_sick = away is not None or self._cache.breaker.state is not State.CLOSED
        came_back, self._was_sick = self._was_sick and not redis_is_sick, redis_is_sick
        if redis_is_sick and self._defects.bite(planted.ACK_THEN_DROP):
            return _acknowledged_without_record(alert)
        if came_back and self._defects.bite(planted.LOST_AT_RECOVERY):
            return _acknowledged_without_record(alert)
        if redis_is_sick and (
            defect := self._defects.planted_of(planted.REJECT_WITH_429, planted.REJECT_WITH_500)
        ):
            raise _RefusedError(f"Redis is away and the defect {defect} is planted")
        retried = alert.fingerprint in self.unanswered and planted.TWO_CRDS_ON_RETRY in self._defects.planted
        if name is not None and not retried:
            count = await self._store.count_in(name, Occurrence(alert, "", entry.id), deadline)
            if count is not None:
                return self._result(alert, Claim(name, created=False, count=count))
        taken, source = await self._storm.take(entry, deadline)
        if taken is not None:
            return taken
        claim = await self._claim(entry, source, away, deadline)
        if away is None:
            await self._remember(alert, claim.name)
        if claim.created and self._defects.bite_every(planted.UNSENT_CRD, planted.UNSENT_CRD_EVERY):
            self._unsent += 1
            await self._record_other(unsent(alert, self._unsent - 1), "webhook", deadline)
        if claim.created and self._defects.bite_every(noise.FOREIGN_CRD, noise.FOREIGN_EVERY):
            await self._record_other(foreign(alert), "", deadline)
        return self._result(alert, claim)

    async def _one_behind(self, entry: Entry, deadline: Deadline) -> Result:
        """What the planted defect last-alert-lost does: acknowledge this one, and write the one before."""
        before, self._held = self._held, entry
        asyncio.get_running_loop().call_later(LAST_AFTER_S, self._forget, entry)
        if before is not None:
            await self._record(before, deadline)
        return _acknowledged_without_record(entry.alert)

    def _forget(self, entry: Entry) -> None:
        if self._held is entry and self._defects.bite(planted.LAST_LOST):
            self._held = None

    async def _claim(self, entry: Entry, source: str, away: str | None, deadline: Deadline) -> Claim:
        source = source or ("webhook" if away is None else "fallback")
        again = entry.fingerprint in self.unanswered and self._defects.bite(planted.TWO_CRDS_ON_RETRY)
        if again or (away is not None and self._defects.bite(planted.TWO_CRDS)):
            return await self._store.create_with_random_name(entry.alert, source, deadline)
        seen = Occurrence(entry.alert, source, entry.id)
        return await self._store.record(seen, deadline, look_first=away is not None)

    async def _lookup(self, alert: Alert) -> tuple[str | None, str | None]:
        """The name that Redis knows, if any, and why Redis could not be asked, if so."""
        try:
            name = await self._cache.lookup(alert.fingerprint)
        except RedisAwayError as error:
            self._metrics.dedup_fallback_total.labels(error.reason).inc()
            self._note_fallback(True, reason=error.reason)
            return None, error.reason
        self._note_fallback(False)
        return name, None

    async def _remember(self, alert: Alert, name: str) -> None:
        try:
            await self._cache.remember([alert.fingerprint], name)
        except RedisAwayError as error:
            # The CRD is the record; without the key the next duplicate only takes the longer way to it.
            self._note_fallback(True, reason=error.reason)

    async def _record_other(self, other: Alert, source: str, deadline: Deadline) -> None:
        try:
            await self._store.claim(other, source, deadline, look_first=False)
        except KubernetesError as error:
            log.warning("a planted CRD could not be made", error=str(error))

    def _merged(self, alert: Alert) -> Alert:
        before, self._alert_before = self._alert_before, alert
        if before is None or before.fingerprint == alert.fingerprint:
            return alert
        merge = self._defects.bite_every(planted.FINGERPRINTS_MERGED, planted.MERGED_EVERY)
        return before if merge else alert

    def _note_fallback(self, now: bool, **fields: str) -> None:
        if now != self._in_fallback:
            self._in_fallback = now
            say: Callable[..., None] = log.warning if now else log.info
            say("fallback to the Kubernetes API " + ("started" if now else "ended"), **fields)

    def _result(self, alert: Alert, claim: Claim) -> Result:
        status = "created" if claim.created else "duplicate"
        message = "a RemediationRequest was created" if claim.created else "counted in its RemediationRequest"
        return Result(status, message, alert.fingerprint, claim.name, claim.count)


def _acknowledged_without_record(alert: Alert) -> Result:
    """The lie of a planted defect: it looks exactly like the truth."""
    name = rr.name_of(alert.fingerprint, 1)
    return Result("created", "a RemediationRequest was created", alert.fingerprint, name, 1)
