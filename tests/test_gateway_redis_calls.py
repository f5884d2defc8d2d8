"""The Gateway's calls to Redis: every way in which one fails is a failure of Redis, never of the Gateway."""

import asyncio
from typing import Any

import pytest
from redis import exceptions

from sandbox.gateway.breaker import CircuitBreaker, Policy
from sandbox.gateway.defects import Defects
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.redis_calls import RedisAwayError, RedisCalls

FAILURES: dict[str, tuple[Exception, str]] = {
    "a reset": (ConnectionResetError(), "connection"),
    "a timeout": (TimeoutError(), "timeout"),
    "the library's own": (exceptions.ConnectionError(), "connection"),
    "a full Redis": (exceptions.OutOfMemoryError(), "oom"),
    # As uvloop words it, of a write after a reset that came in the same turn of the loop.
    "a closed transport": (
        RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
        "connection",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_call_that_fails_says_that_redis_is_away(name: str) -> None:
    """It is counted by its reason, and the caller can fall back."""
    error, reason = FAILURES[name]
    metrics = Metrics()
    calls = RedisCalls(None, CircuitBreaker(Policy()), metrics, Defects({}))  # type: ignore[arg-type]

    async def operation(_: Any) -> None:
        raise error

    with pytest.raises(RedisAwayError) as caught:
        asyncio.run(calls.call(operation))

    assert caught.value.reason == reason
    assert metrics.redis_operation_errors_total.labels(reason)._value.get() == 1


def test_a_bug_is_not_taken_for_a_failure_of_redis() -> None:
    """Any other RuntimeError passes through; nothing is counted, and the breaker goes on."""
    metrics = Metrics()
    calls = RedisCalls(None, CircuitBreaker(Policy()), metrics, Defects({}))  # type: ignore[arg-type]

    async def operation(_: Any) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    with pytest.raises(RuntimeError, match="dictionary"):
        asyncio.run(calls.call(operation))

    assert metrics.redis_operation_errors_total.labels("connection")._value.get() == 0
