"""The watch over the storms: takes over what a former Gateway left, and settles every slot all the time."""

import asyncio
import contextlib
from typing import NoReturn

from sandbox.gateway import defects as planted
from sandbox.gateway import log, storm_request
from sandbox.gateway.clock import Clock
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.journal import Journal, JournalKeeper
from sandbox.gateway.kubernetes_client import KubernetesError
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.redis_calls import RedisAwayError
from sandbox.gateway.settings import StormMode, StormSettings
from sandbox.gateway.storm_members import StormMembers
from sandbox.gateway.storm_settler import StormSettler
from sandbox.gateway.storm_slots import BUFFER_PREFIX, StormSlots
from sandbox.gateway.storm_store import StormStore
from sandbox.gateway.storm_window import Window, id_of
from sandbox.gateway.storm_writer import WindowWriter

PERIOD_S = 0.2
BUDGET_S = 2.2


class StormWatch:
    """The buffers come back from Redis, and the windows with their members from the aggregated CRDs."""

    def __init__(
        self,
        settings: StormSettings,
        clock: Clock,
        slots: StormSlots,
        settler: StormSettler,
        store: StormStore,
        members: StormMembers,
        keeper: JournalKeeper,
        metrics: Metrics,
        defects: Defects,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._slots = slots
        self._settler = settler
        self._store = store
        self._members = members
        self._keeper = keeper
        self._metrics = metrics
        self._defects = defects
        self._told = False
        self._windows_known = settings.mode is StormMode.OFF
        metrics.storm_buffer_size.set_function(slots.buffered)

    async def run(self) -> NoReturn:
        """Watch, for ever."""
        while True:
            await self.recover()
            for key in self._slots.all_keys():
                await self._look_after(key)
            self._slots.drop_idle()
            await asyncio.sleep(PERIOD_S)

    async def _look_after(self, key: tuple[str, str]) -> None:
        with self._slots.use(key) as slot:
            async with slot.lock:
                await self._settler.settle(slot, Deadline.after(BUDGET_S))
                if self._defects.planted_of(planted.BUFFER_IN_MEMORY_ONLY, planted.EVICTION_DROPS):
                    return
                # Redis is away: the next look mends, or writes the buffer out once the breaker has opened.
                with contextlib.suppress(RedisAwayError):
                    if await slot.buffer.mend():
                        self._metrics.storm_buffer_mended_total.inc()

    async def recover(self) -> None:
        """Take over what a former Gateway left, as far as Redis and the Kubernetes API allow it now."""
        if self._windows_known and self._slots.recovered:
            return
        try:
            if not self._windows_known:
                await self._recover_windows()
            await self._recover_buffers()
        except (RedisAwayError, KubernetesError) as error:
            if not self._told:
                log.warning("storms not recovered yet", error=str(error))
            self._told = True

    async def _recover_windows(self) -> None:
        for request in await self._store.alive(Deadline.after(BUDGET_S)):
            name = request["metadata"]["name"]
            fingerprints = storm_request.fingerprints_of(request)
            self._members.add(fingerprints, name)
            window = storm_request.window_of(request)
            if window is None or self._clock.now_s() >= window.ends_s:
                continue
            with self._slots.use(window.key) as slot:
                slot.open = WindowWriter(window, len(fingerprints), self._store, self._members)
            self._metrics.storm_buffer_recovered_total.inc()
            log.info("storm window recovered", window_id=window.id, name=name, alerts=len(fingerprints))
        self._windows_known = True

    async def _recover_buffers(self) -> None:
        for key in await self._keeper.keys(BUFFER_PREFIX):
            journal = Journal(key, self._keeper)
            if await journal.load():
                await self._recover_buffer(journal)
        self._slots.recovered = True

    async def _recover_buffer(self, journal: Journal) -> None:
        first = journal.entries[0]
        key = (first.alert.namespace, first.alert.name)
        window_id = id_of(key, first)
        deadline = Deadline.after(BUDGET_S)
        if await self._store.exists(window_id, deadline):
            # It was killed between making the aggregated CRD and emptying the buffer.
            window = Window(window_id, key, storm_request.name_of(window_id), 0.0)
            await self._store.open(window, journal.entries, self._settings.window_s, deadline)
            await journal.remove(journal.entries)
            return
        with self._slots.use(key) as slot:
            if slot.buffer.entries:
                return  # taken over by an earlier look, which could not finish
            slot.buffer = journal
        self._metrics.storm_buffer_recovered_total.inc()
        alerts = len(journal.entries)
        log.info("buffer recovered", window_id=window_id, alerts=alerts)
