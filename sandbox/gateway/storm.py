"""The storm desk: decides whether an alert is buffered, joins the CRD of a storm, or needs one of its own."""

from sandbox.gateway import defects as planted
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.entry import Entry
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.recorder import Recorder
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.remediation_store import RemediationStore
from sandbox.gateway.result import Result
from sandbox.gateway.settings import StormMode, StormSettings
from sandbox.gateway.storm_rate import StormRate
from sandbox.gateway.storm_settler import StormSettler
from sandbox.gateway.storm_slots import Slot, StormSlots
from sandbox.gateway.storm_window import StormKey

BYPASS = "bypass"
Taken = tuple[Result | None, str]
"""The result, if the storm has the alert; else the source of its own CRD: BYPASS, or empty for the usual."""


class StormDesk:
    """Raises KubernetesError when the API, or the deadline, does not let it finish."""

    def __init__(
        self,
        settings: StormSettings,
        slots: StormSlots,
        settler: StormSettler,
        store: RemediationStore,
        recorder: Recorder,
        metrics: Metrics,
        defects: Defects,
    ) -> None:
        self._settings = settings
        self._slots = slots
        self._settler = settler
        self._store = store
        self._recorder = recorder
        self._metrics = metrics
        self._defects = defects
        self._rate = StormRate(settings)

    async def take(self, entry: Entry, deadline: Deadline) -> Taken:
        """Take an alert whose fingerprint Redis does not know, if it belongs to a storm."""
        alert = entry.alert
        if self._settings.mode is StormMode.OFF:
            return None, ""
        claim = await self._recorder.count_in_storm([entry], deadline)
        if claim is not None:
            message = "counted in the RemediationRequest of its storm"
            return Result("duplicate", message, alert.fingerprint, claim.name, claim.count), ""
        key = (alert.namespace, alert.name)
        storm = self._rate.is_storm(key, entry.fingerprint, entry.received_s)
        slot = self._slots.find(key)
        if not storm and (slot is None or slot.idle):
            return None, ""
        buffered = slot is not None and slot.buffers(entry.fingerprint)
        if not buffered and await self._store.is_held(alert, deadline):
            return None, ""
        return await self._join(key, entry, deadline)

    async def _join(self, key: StormKey, entry: Entry, deadline: Deadline) -> Taken:
        with self._slots.use(key) as slot:
            async with slot.lock:
                await self._settler.settle(slot, deadline)
                writer = slot.open
                if writer is None:
                    return await self._buffer(slot, entry, deadline)
            added = await writer.add(entry, deadline)
            name, window_id = writer.window.crd_name, writer.window.id
            if not added.joined:
                async with slot.lock:
                    if slot.open is writer:
                        slot.open = None
                return None, ""
        await self._recorder.remember([entry.fingerprint], name)
        return _aggregated(entry, name, window_id, repeats=added.repeats), ""

    async def _buffer(self, slot: Slot, entry: Entry, deadline: Deadline) -> Taken:
        if slot.closing:
            return self._bypass("closing")
        if not self._slots.recovered:
            return self._bypass("redis_unavailable")
        repeats = slot.buffers(entry.fingerprint)
        with self._slots.place(self._settings.buffer_max) as free:
            if not free:
                self._metrics.storm_buffer_overflow_total.inc()
                return self._bypass("overflow")
            try:
                await self._append(slot, entry)
            except RedisAwayError as error:
                return self._bypass("oom" if error.reason == "oom" else "redis_unavailable")
        window_id = slot.window_id
        await self._settler.settle(slot, deadline)
        if slot.open is not None:
            return _aggregated(entry, slot.open.window.crd_name, window_id, repeats=repeats), ""
        message = "buffered; it will be in the RemediationRequest of its storm, or have its own"
        return Result("buffered", message, entry.fingerprint, window_id=window_id, repeats=repeats), ""

    async def _append(self, slot: Slot, entry: Entry) -> None:
        if self._defects.bite(planted.BUFFER_IN_MEMORY_ONLY):
            slot.buffer.keep(entry)
        else:
            await slot.buffer.append(entry)

    def _bypass(self, reason: str) -> Taken:
        self._metrics.storm_buffer_bypass_total.labels(reason).inc()
        return None, BYPASS


def _aggregated(entry: Entry, name: str, window_id: str, *, repeats: bool) -> Result:
    message = "in the RemediationRequest of its storm"
    return Result("aggregated", message, entry.fingerprint, name, window_id=window_id, repeats=repeats)
