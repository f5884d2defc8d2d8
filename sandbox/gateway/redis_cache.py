"""The deduplication cache: fingerprint to CRD name in Redis. A key is written only when the CRD exists."""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from sandbox.gateway.metrics import Metrics
from sandbox.gateway.redis_calls import RedisCalls

KEY_PREFIX = "gateway:dedup:fingerprint:"
TTL_S = 300


class RedisCache:
    """Every method raises RedisAwayError when Redis cannot be used."""

    def __init__(self, calls: RedisCalls, metrics: Metrics) -> None:
        self._calls = calls
        self._metrics = metrics
        self.breaker = calls.breaker

    async def lookup(self, fingerprint: str) -> str | None:
        """The name of the CRD that holds this fingerprint, if it is known."""
        name: str | None = await self._calls.call(lambda client: client.get(KEY_PREFIX + fingerprint))
        if name is None:
            self._metrics.dedup_cache_misses_total.inc()
        else:
            self._metrics.dedup_cache_hits_total.inc()
        return name

    async def remember(self, fingerprints: Iterable[str], name: str) -> None:
        """Note the CRD that holds these fingerprints, for TTL_S seconds."""

        async def write(client: Redis) -> Any:
            async with client.pipeline(transaction=False) as pipe:
                for fingerprint in fingerprints:
                    pipe.set(KEY_PREFIX + fingerprint, name, ex=TTL_S)
                return await pipe.execute()

        await self._calls.call(write)
