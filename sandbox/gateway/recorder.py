"""The recorder: writes what waited, in a buffer or the queue, into a CRD of its own or one that has it."""

from sandbox.gateway import log
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.entry import Entry
from sandbox.gateway.redis_cache import RedisCache
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.remediation_store import Claim, Occurrence, RemediationStore
from sandbox.gateway.storm_members import StormMembers


class Recorder:
    """Raises KubernetesError when the API, or the deadline, does not let it finish."""

    def __init__(self, store: RemediationStore, cache: RedisCache, members: StormMembers) -> None:
        self._store = store
        self._cache = cache
        self._members = members

    async def record(self, group: list[Entry], source: str, deadline: Deadline) -> Claim:
        """Record the occurrences of one fingerprint, as the writer that is the first one's id."""
        seen = Occurrence(group[0].alert, source, group[0].id, len(group))
        claim = await self.count_in_storm(seen, deadline)
        if claim is None:
            claim = await self._store.record(seen, deadline, look_first=False)
        await self.remember([seen.alert.fingerprint], claim.name)
        return claim

    async def count_in_storm(self, seen: Occurrence, deadline: Deadline) -> Claim | None:
        """Count an occurrence in the storm whose member it is; None when it is in none that is alive."""
        fingerprint = seen.alert.fingerprint
        name = self._members.crd_of(fingerprint)
        if name is None:
            return None
        count = await self._store.count_in(name, seen, deadline)
        if count is None:
            self._members.forget(fingerprint)
            return None
        return Claim(name, created=False, count=count)

    async def remember(self, fingerprints: list[str], name: str) -> None:
        """Note in Redis which CRD has them; without that, the next duplicate takes the longer way to it."""
        try:
            await self._cache.remember(fingerprints, name)
        except RedisAwayError as error:
            log.info("crd not noted in redis", name=name, reason=error.reason)
