"""The recorder: writes what waited, in a buffer or the queue, into a CRD of its own or one that has it."""

from sandbox.gateway import log
from sandbox.gateway import remediation_request as rr
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.entry import Entry
from sandbox.gateway.redis_cache import RedisCache
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.remediation_store import Claim, Occurrence, RemediationStore
from sandbox.gateway.storm_members import StormMembers
from sandbox.gateway.storm_store import StormStore


class Recorder:
    """Raises KubernetesError when the API, or the deadline, does not let it finish."""

    def __init__(
        self, store: RemediationStore, storms: StormStore, cache: RedisCache, members: StormMembers
    ) -> None:
        self._store = store
        self._storms = storms
        self._cache = cache
        self._members = members

    async def record(self, group: list[Entry], source: str, deadline: Deadline) -> Claim:
        """Record the occurrences of one fingerprint, as the writer that is the first one's id.

        No other group may have been recorded as that writer: it would be taken for this one.
        """
        claim = await self.count_in_storm(group, deadline)
        if claim is None:
            seen = Occurrence(group[0].alert, source, group[0].id, len(group))
            claim = await self._store.record(seen, deadline, look_first=False)
        await self.remember([group[0].fingerprint], claim.name)
        return claim

    async def count_in_storm(self, group: list[Entry], deadline: Deadline) -> Claim | None:
        """Count occurrences in the storm whose member they are; None when it is in none that is alive."""
        fingerprint = group[0].fingerprint
        name = self._members.crd_of(fingerprint)
        if name is None:
            return None
        request = await self._storms.add(name, group, deadline)
        if request is None:
            self._members.forget(fingerprint)
            return None
        return Claim(name, created=False, count=rr.count_of(request, fingerprint))

    async def remember(self, fingerprints: list[str], name: str) -> None:
        """Note in Redis which CRD has them; without that, the next duplicate takes the longer way to it."""
        try:
            await self._cache.remember(fingerprints, name)
        except RedisAwayError as error:
            log.info("crd not noted in redis", name=name, reason=error.reason)
