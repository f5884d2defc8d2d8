"""The connection to Redis: to the primary that the Sentinels name, or to the one address there is."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from sandbox.gateway.settings import Address, Settings

POOL_SIZE = 20
SOCKET_TIMEOUT_S = 0.25

_UntypedSentinel: Any = Sentinel  # the library gives it no types


class MappedSentinel(_UntypedSentinel):
    """Sentinels whose announced addresses are replaced: a proxy in front of Redis is not gone around."""

    def __init__(self, addresses: Mapping[Address, Address], *sentinels: Any, **options: Any) -> None:
        super().__init__(*sentinels, **options)
        self._addresses = addresses

    async def discover_master(self, service_name: str) -> Address:
        """Where to find the primary."""
        host, port = await super().discover_master(service_name)
        return self._addresses.get((host, int(port)), (host, int(port)))


def connect(settings: Settings) -> Redis:
    """A client of Redis; nothing is sent yet."""
    options: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),  # the breaker and the fallback are the retry
        "protocol": 2,
        "driver_info": None,
        "decode_responses": True,
    }
    # One more connection than calls at a time: a cancelled call may still hold its own for a moment.
    if settings.sentinels:
        sentinel = MappedSentinel(
            settings.redis_address_map, settings.sentinels, sentinel_kwargs=options, **options
        )
        primary: Redis = sentinel.master_for(settings.redis_master, max_connections=POOL_SIZE + 1)
        return primary
    assert settings.redis_address is not None  # from_environment demands one of the two
    host, port = settings.redis_address
    return Redis(host=host, port=port, max_connections=POOL_SIZE + 1, **options)
