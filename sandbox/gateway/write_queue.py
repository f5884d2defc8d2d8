"""The queue: alerts that the Kubernetes API does not take now wait here, in Redis, and are written later.

One worker writes them, one after the other. After a failure it pauses 1, 2, 4, 8, 16, 16, ... seconds, at
least as long as the API asked for (Retry-After). An alert is acknowledged as queued only when it is in Redis;
what the journal says of what may be lost is true of it.
"""

import asyncio
import contextlib
import random
from typing import NoReturn

from sandbox.gateway import defects as planted
from sandbox.gateway import log
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.entry import Entry
from sandbox.gateway.journal import Journal
from sandbox.gateway.kubernetes_client import KubernetesError
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.recorder import Recorder
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.remediation_store import Claim
from sandbox.gateway.result import Result
from sandbox.gateway.settings import QueueSettings

KEY = "gateway:queue"
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 16.0
JITTER = 0.1
MEND_PERIOD_S = 0.25
_WRITE_BUDGET_S = 2.2


class WriteQueue:
    """Each waiting alert is written by itself, as the writer that it had when it was tried first: a try whose
    answer was lost, and which did arrive, is recognised."""

    def __init__(
        self,
        settings: QueueSettings,
        journal: Journal,
        recorder: Recorder,
        metrics: Metrics,
        defects: Defects,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._recorder = recorder
        self._metrics = metrics
        self._defects = defects
        self._recovered = not settings.durable
        self._coming = 0
        self._wake = asyncio.Event()
        self._held: dict[str, asyncio.Future[Claim]] = {}
        metrics.k8s_api_request_queue_depth.set_function(lambda: len(journal.entries))

    @property
    def waits(self) -> bool:
        """Whether anything is in it."""
        return bool(self._journal.entries)

    async def offer(self, entry: Entry, error: KubernetesError) -> Result | None:
        """Take an alert that met this error; None when it cannot be kept, or waiting would not help."""
        if not error.passing:
            return None
        throttled = error.reason in ("429", "breaker_open")
        if throttled and self._defects.bite(planted.QUEUE_DROPS):
            return _queued(entry, repeats=False)
        if len(self._journal.entries) + self._coming >= self._settings.most:
            self._metrics.k8s_api_request_queue_overflow_total.inc()
            message = f"the queue is full; the Kubernetes API: {error}"
            return Result("failed", message, entry.fingerprint, reason="queue_full")
        repeats = any(waiting.fingerprint == entry.fingerprint for waiting in self._journal.entries)
        self._coming += 1
        try:
            if await self._append(entry):
                return _queued(entry, repeats=repeats)
        finally:
            self._coming -= 1
        return await self._hold(entry) if self._settings.hold_s else None

    async def _append(self, entry: Entry) -> bool:
        """Whether the entry is now in the queue, and in Redis."""
        if not self._settings.durable or not self._recovered:
            return False
        try:
            await self._journal.append(entry)
        except RedisAwayError as error:
            log.warning("alert not queued: redis is away", reason=error.reason)
            return False
        self._wake.set()
        return True

    async def _hold(self, entry: Entry) -> Result | None:
        """Keep the request open until its alert is written, or its time is over: then it is not kept."""
        written = self._held[entry.id] = asyncio.get_running_loop().create_future()
        self._journal.keep(entry)
        self._wake.set()
        try:
            claim = await asyncio.wait_for(written, self._settings.hold_s)
        except TimeoutError:
            await self._journal.remove([entry])
            return None
        finally:
            del self._held[entry.id]
        status = "created" if claim.created else "duplicate"
        message = "in its RemediationRequest, after a wait for the Kubernetes API"
        return Result(status, message, entry.fingerprint, claim.name, claim.count)

    async def recover(self) -> None:
        """Take over what a former Gateway left, if Redis is there."""
        if self._recovered:
            return
        try:
            alerts = await self._journal.load()
        except RedisAwayError:
            return  # the next look recovers; until then nothing is called queued
        self._recovered = True
        if alerts:
            self._metrics.k8s_api_request_queue_recovered_total.inc(alerts)
            log.info("queue recovered", alerts=alerts)
            self._wake.set()

    async def watch(self) -> NoReturn:
        """See to it, for ever, that Redis has what it should have."""
        while True:
            await self.recover()
            if self._recovered:
                # Redis is away, and its breaker says so: the next look mends.
                with contextlib.suppress(RedisAwayError):
                    await self._journal.mend()
            await asyncio.sleep(MEND_PERIOD_S)

    async def run(self) -> NoReturn:
        """Write what waits, for ever."""
        backoff_s = 0.0
        while True:
            if not self._journal.entries:
                self._wake.clear()
                await self._wake.wait()
            entry = self._journal.entries[0]
            deadline = Deadline.after(_WRITE_BUDGET_S, patient=True)
            try:
                claim = await self._recorder.record([entry], "queue", deadline)
            except KubernetesError as error:
                backoff_s = step_after(backoff_s, self._defects)
                await self._pause(backoff_s, error)
                if not error.passing:
                    self._put_back(entry)
                continue
            if backoff_s:
                log.info("the kubernetes api takes alerts again", waiting=len(self._journal.entries))
            backoff_s = 0.0
            await self._journal.remove([entry])
            held = self._held.get(entry.id)
            if held is not None and not held.done():
                held.set_result(claim)

    async def _pause(self, backoff_s: float, error: KubernetesError) -> None:
        self._metrics.k8s_api_retry_backoff_seconds.observe(backoff_s)
        pause_s = max(backoff_s * random.uniform(1, 1 + JITTER), error.retry_after_s)
        waiting = len(self._journal.entries)
        log.info(
            "queue pauses", step_s=backoff_s, pause_s=round(pause_s, 3), waiting=waiting, error=str(error)
        )
        await asyncio.sleep(pause_s)

    def _put_back(self, entry: Entry) -> None:
        """What the API refuses for good is acknowledged all the same: it is kept, and lets others pass."""
        others = [waiting for waiting in self._journal.entries if waiting.id != entry.id]
        self._journal.entries = [*others, entry] if len(others) < len(self._journal.entries) else others


def step_after(step_s: float, defects: Defects) -> float:
    """The nominal pause after one of `step_s` (0: there was none): 1, 2, 4, 8, 16, 16, ... seconds."""
    if not step_s:
        return FIRST_BACKOFF_S
    if step_s < LONGEST_BACKOFF_S and defects.bite(planted.BACKOFF_FLAT):
        return step_s
    return min(2 * step_s, LONGEST_BACKOFF_S)


def _queued(entry: Entry, *, repeats: bool) -> Result:
    message = "queued in Redis; it is written when the Kubernetes API takes it"
    return Result("queued", message, entry.fingerprint, repeats=repeats)
