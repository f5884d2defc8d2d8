"""The health of the Gateway: loops that ask Redis and the Kubernetes API, and readiness, which follows."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import NoReturn

from sandbox.gateway import log
from sandbox.gateway.kubernetes_client import KubernetesClient, KubernetesError
from sandbox.gateway.redis_calls import RedisAwayError, RedisCalls

REDIS_PERIOD_S = 0.25
KUBERNETES_PERIOD_S = 0.5
KUBERNETES_TIMEOUT_S = 1.0
# Ready while the last answer is no older than this.
KUBERNETES_FRESH_S = 2.0


class Health:
    """Knows whether the Gateway should be sent alerts; without Redis too, for there is a fallback."""

    def __init__(self) -> None:
        self.shutting_down = False
        self.refuses: Callable[[], str] = str  # why every alert is refused, or nothing
        self._kubernetes_answered_s: float | None = None
        self._kubernetes_error = "the Kubernetes API has not been asked yet"

    def unready_reason(self) -> str | None:
        """Why no alert should be sent here, or None when all is well."""
        if self.shutting_down:
            return "shutting down"
        answered_s = self._kubernetes_answered_s
        if answered_s is None or time.monotonic() - answered_s > KUBERNETES_FRESH_S:
            return f"the Kubernetes API is away: {self._kubernetes_error}"
        return self.refuses() or None

    async def watch_kubernetes(self, client: KubernetesClient) -> NoReturn:
        """Ask the Kubernetes API for its version, for ever."""
        while True:
            try:
                await client.check(KUBERNETES_TIMEOUT_S)
            except KubernetesError as error:
                self._kubernetes_error = str(error)
            else:
                if self._kubernetes_answered_s is None:
                    log.info("the kubernetes api answers")
                self._kubernetes_answered_s = time.monotonic()
            await asyncio.sleep(KUBERNETES_PERIOD_S)


async def watch_redis(calls: RedisCalls) -> NoReturn:
    """Ping Redis through the breaker, for ever, so that it opens and closes without traffic too."""
    while True:
        # A failure is counted and logged, and the breaker knows of it: that is the purpose of the ping.
        with contextlib.suppress(RedisAwayError):
            await calls.ping()
        await asyncio.sleep(REDIS_PERIOD_S)
