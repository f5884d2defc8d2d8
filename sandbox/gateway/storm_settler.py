"""The settler: what has to become of a storm's buffer or window now, by its size, its time and its Redis."""

import time

from sandbox.gateway import defects as planted
from sandbox.gateway import log, storm_request
from sandbox.gateway.breaker import CircuitBreaker, State
from sandbox.gateway.clock import Clock
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.entry import by_fingerprint
from sandbox.gateway.kubernetes_client import KubernetesError
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.recorder import Recorder
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.settings import StormSettings
from sandbox.gateway.storm_members import StormMembers
from sandbox.gateway.storm_slots import Slot
from sandbox.gateway.storm_store import StormStore
from sandbox.gateway.storm_window import Window
from sandbox.gateway.storm_writer import MOST_MEMBERS, WindowWriter

RETRY_S = 1.0


class StormSettler:
    """Acts on one slot at a time, whose lock the caller holds."""

    def __init__(
        self,
        settings: StormSettings,
        clock: Clock,
        store: StormStore,
        recorder: Recorder,
        members: StormMembers,
        redis_breaker: CircuitBreaker,
        metrics: Metrics,
        defects: Defects,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._recorder = recorder
        self._members = members
        self._redis_breaker = redis_breaker
        self._metrics = metrics
        self._defects = defects

    async def settle(self, slot: Slot, deadline: Deadline) -> None:
        """Close a window that is over; open one for a full buffer; write out a buffer whose time or Redis is
        gone. What the Kubernetes API does not take now is tried again from RETRY_S later."""
        self._close_window(slot)
        if not slot.buffer.entries or time.monotonic() < slot.retry_at_s:
            return
        try:
            await self._settle_buffer(slot, deadline)
        except KubernetesError as error:
            slot.retry_at_s = time.monotonic() + RETRY_S
            log.warning("storm buffer cannot be written yet", window_id=slot.window_id, error=str(error))

    def _close_window(self, slot: Slot) -> None:
        if slot.open is None:
            return
        full = slot.open.size >= MOST_MEMBERS
        if full or self._clock.now_s() >= slot.open.window.ends_s:
            log.info("storm window closed", window_id=slot.window_id, alerts=slot.open.size, full=full)
            slot.open = None

    async def _settle_buffer(self, slot: Slot, deadline: Deadline) -> None:
        expires_s = slot.buffer.entries[0].received_s + self._settings.buffer_ttl_s
        alerts = len(slot.buffer.entries)
        if slot.closing:
            await self._write_out(slot, deadline)
        elif slot.distinct() >= self._settings.buffer_threshold:
            await self._open_window(slot, deadline)
        elif self._clock.now_s() >= expires_s:
            self._metrics.storm_buffer_expirations_total.inc()
            log.info("storm buffer expired", window_id=slot.window_id, alerts=alerts)
            if self._defects.bite(planted.EXPIRY_DROPS):
                await slot.buffer.remove(slot.buffer.entries)
                return
            slot.closing = "buffer_expiration"
            await self._write_out(slot, deadline)
        elif self._redis_breaker.state is not State.CLOSED:
            self._metrics.storm_buffer_bypass_total.labels("redis_unavailable").inc(alerts)
            log.warning("storm buffer gives up redis", window_id=slot.window_id, alerts=alerts)
            slot.closing = "bypass"
            await self._write_out(slot, deadline)

    async def _write_out(self, slot: Slot, deadline: Deadline) -> None:
        """Give every alert of the buffer a CRD of its own."""
        await self._forget_evicted(slot)
        for group in by_fingerprint(slot.buffer.entries):
            await self._recorder.record(group, slot.closing, deadline)
            await slot.buffer.remove(group)
        slot.closing = ""

    async def _open_window(self, slot: Slot, deadline: Deadline) -> None:
        await self._forget_evicted(slot)
        entries = list(slot.buffer.entries)
        if not entries:
            return
        length_s = self._settings.window_s
        name = storm_request.name_of(slot.window_id)
        window = Window(slot.window_id, slot.key, name, self._clock.now_s() + length_s)
        await self._store.open(window, entries, length_s, deadline)
        fingerprints = [group[0].fingerprint for group in by_fingerprint(entries)]
        slot.open = WindowWriter(window, len(fingerprints), self._store, self._members)
        self._members.add(fingerprints, name)
        self._metrics.storm_windows_opened_total.inc()
        log.info("storm window opened", window_id=window.id, name=name, alerts=len(entries))
        await slot.buffer.remove(entries)
        await self._recorder.remember(fingerprints, name)

    async def _forget_evicted(self, slot: Slot) -> None:
        """What the planted defect eviction-drops-buffer does: believe Redis instead of the own memory."""
        if planted.EVICTION_DROPS not in self._defects.planted:
            return
        try:
            stored = {entry.id for entry in await slot.buffer.stored()}
        except RedisAwayError:
            return
        missing = [entry for entry in slot.buffer.entries if entry.id not in stored]
        if missing and self._defects.bite(planted.EVICTION_DROPS):
            await slot.buffer.remove(missing)
