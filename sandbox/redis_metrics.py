"""Redis metrics: what INFO says of each Redis's memory, by the names that a redis_exporter gives it."""

import asyncio

from sandbox import wire
from sandbox.redis_servers import RedisServers
from sandbox.wire import WireError

_FIELDS = {"redis_memory_used_bytes": "used_memory", "redis_memory_max_bytes": "maxmemory"}


async def text(redis: RedisServers) -> str:
    """The Prometheus text format; of a Redis that does not answer there is only that it is down."""
    answers = await asyncio.gather(*(_memory(port) for port in redis.redis_ports))
    lines = ["# TYPE redis_up gauge"]
    lines += [f'redis_up{{server="redis-{i}"}} {int(bool(said))}' for i, said in enumerate(answers)]
    for name, field in _FIELDS.items():
        lines.append(f"# TYPE {name} gauge")
        lines += [
            f'{name}{{server="redis-{i}"}} {said[field]}' for i, said in enumerate(answers) if field in said
        ]
    return "\n".join(lines) + "\n"


async def _memory(port: int) -> dict[str, str]:
    try:
        return await wire.redis_info(port, "memory")
    except WireError:
        return {}
