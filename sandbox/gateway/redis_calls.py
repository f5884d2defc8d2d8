"""Calls of Redis: each with a place in the pool, through the circuit breaker, and within a time limit."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError

from sandbox.gateway import defects as planted
from sandbox.gateway import log
from sandbox.gateway.breaker import CircuitBreaker
from sandbox.gateway.defects import Defects
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.redis_connection import POOL_SIZE

# A call may ask several Sentinels and then connect; together they get this long.
CALL_TIMEOUT_S = 0.5
POOL_TIMEOUT_S = 0.25


class RedisAwayError(Exception):
    """Redis could not be asked, or did not answer; `reason` is one word for metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Redis is away: {reason}")
        self.reason = reason


class RedisCalls:
    """Every method raises RedisAwayError when Redis cannot be used; none waits longer than about 0.75 s."""

    def __init__(self, client: Redis, breaker: CircuitBreaker, metrics: Metrics, defects: Defects) -> None:
        self._client = client
        self.breaker = breaker
        self._metrics = metrics
        self._defects = defects
        self._slots = asyncio.Semaphore(POOL_SIZE)
        self._last_call_failed = False
        metrics.redis_pool_max_size.set(POOL_SIZE)

    async def call(self, operation: Callable[[Redis], Awaitable[Any]]) -> Any:
        """The answer to an operation."""
        try:
            async with asyncio.timeout(POOL_TIMEOUT_S):
                await self._slots.acquire()
        except TimeoutError as error:
            raise RedisAwayError("pool_exhausted") from error
        self._metrics.redis_pool_active_connections.inc()
        try:
            return await self._call_through_breaker(operation)
        finally:
            if not self._defects.bite(planted.POOL_EXHAUSTED):
                self._metrics.redis_pool_active_connections.dec()
                self._slots.release()

    async def ping(self) -> None:
        """Ask for a sign of life: a small write, as a full Redis answers PING and yet takes nothing."""
        await self.call(lambda client: client.set("gateway:alive", "1", px=5000))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call_through_breaker(self, operation: Callable[[Redis], Awaitable[Any]]) -> Any:
        permit = self.breaker.acquire(time.monotonic())
        if permit is None:
            raise RedisAwayError("breaker_open")
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await operation(self._client)
        # OSError covers the built-in TimeoutError; RuntimeError is what uvloop raises of a write on a
        # connection that a reset has closed in the same turn of the loop: seen when packets are lost.
        except (exceptions.RedisError, OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "closed" not in str(error):
                self.breaker.cancel(permit)
                raise  # A bug of ours, and nothing that Redis did.
            self._note_failure(error)
            self.breaker.fail(permit, time.monotonic())
            raise RedisAwayError(_reason(error)) from error
        except BaseException:
            # Cancelled, most likely. A permit that is kept would block a half-open breaker for ever.
            self.breaker.cancel(permit)
            raise
        if self._last_call_failed:
            self._last_call_failed = False
            self._metrics.redis_reconnect_success_total.inc()
            log.info("redis answers again")
        self.breaker.succeed(permit, time.monotonic())
        return answer

    def _note_failure(self, error: Exception) -> None:
        reason = _reason(error)
        self._metrics.redis_operation_errors_total.labels(reason).inc()
        if not self._last_call_failed:
            self._last_call_failed = True
            log.warning("redis call failed", reason=reason, error=str(error))
        if self._defects.bite(planted.CRASH):
            log.warning("planted defect: exit at a Redis error", defect=planted.CRASH)
            os._exit(1)


def _reason(error: Exception) -> str:
    if isinstance(error, MasterNotFoundError):
        return "master_not_found"
    # Behind Sentinels the library hides a ReadOnlyError in a ConnectionError with this text.
    if isinstance(error, exceptions.ReadOnlyError) or "previous master" in str(error):
        return "readonly"
    if isinstance(error, exceptions.OutOfMemoryError):
        return "oom"
    if isinstance(error, exceptions.BusyLoadingError):
        return "loading"
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return "timeout"
    if isinstance(error, exceptions.ConnectionError | OSError | RuntimeError):
        return "connection"
    return "other"
