"""The assembly: every part of the Gateway, made once and given to those who need it."""

from collections.abc import Callable, Coroutine
from typing import Any

from sandbox.gateway import log, redis_connection, write_queue
from sandbox.gateway.app import GatewayApp
from sandbox.gateway.bites import BiteFile
from sandbox.gateway.breaker import CircuitBreaker, Policy, State
from sandbox.gateway.clock import Clock
from sandbox.gateway.defective_breaker import DefectiveBreaker
from sandbox.gateway.defects import Defects
from sandbox.gateway.health import Health, watch_redis
from sandbox.gateway.journal import Journal, JournalKeeper
from sandbox.gateway.kubeconfig import Cluster
from sandbox.gateway.kubernetes_client import BREAKER_POLICY, KubernetesClient
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.pipeline import Pipeline
from sandbox.gateway.recorder import Recorder
from sandbox.gateway.redis_cache import RedisCache
from sandbox.gateway.redis_calls import RedisCalls
from sandbox.gateway.remediation_store import RemediationStore
from sandbox.gateway.settings import Settings
from sandbox.gateway.storm import StormDesk
from sandbox.gateway.storm_members import StormMembers
from sandbox.gateway.storm_settler import StormSettler
from sandbox.gateway.storm_slots import StormSlots
from sandbox.gateway.storm_store import StormStore
from sandbox.gateway.storm_watch import StormWatch
from sandbox.gateway.write_queue import WriteQueue


class Gateway:
    """One Gateway; made within a running event loop, and ended by `close`."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings = settings
        metrics = self._metrics = Metrics(settings.defects)
        bites = BiteFile(settings.bites_file)

        def bit(name: str) -> None:
            metrics.defect_triggered_total.labels(name).inc()
            bites.note(name)

        defects = self._defects = Defects(dict(settings.defects), bit)
        self.health = Health()
        self._clock = Clock(settings.clock_file)
        metrics.clock_offset_seconds.set_function(self._clock.offset_s)
        self._redis_breaker = DefectiveBreaker(Policy(), _breaker_watcher(metrics, "redis"), defects)
        self._calls = RedisCalls(redis_connection.connect(settings), self._redis_breaker, metrics, defects)
        self._cache = RedisCache(self._calls, metrics)
        self._keeper = JournalKeeper(self._calls, metrics)
        self._client = KubernetesClient(
            cluster,
            settings.namespace,
            metrics,
            CircuitBreaker(BREAKER_POLICY, _breaker_watcher(metrics, "kubernetes")),
        )
        self._store = RemediationStore(self._client, metrics, defects)
        self._members = StormMembers()
        self._storms = StormStore(self._client, metrics, defects)
        self._recorder = Recorder(self._store, self._storms, self._cache, self._members)
        self._queue = self._make_queue()
        self.health.refuses = self._why_refused
        self._client.patient_are_waiting = lambda: self._queue.waits
        storm, self._storm_watch = self._make_storm()
        pipeline = Pipeline(self._cache, self._store, storm, self._queue, self._clock, metrics, defects)
        self.app = GatewayApp(
            pipeline, self.health, self._redis_breaker, metrics, defects, settings.namespace
        )

    def _why_refused(self) -> str:
        """Without a queue, nobody's alert is taken while the Kubernetes API is not asked."""
        if self._queues() or self._client.breaker.state is State.CLOSED:
            return ""
        return "the Kubernetes API is away: its breaker is open, and no alert is queued"

    def _queues(self) -> bool:
        return self._settings.queue.durable or bool(self._settings.queue.hold_s)

    def _make_queue(self) -> WriteQueue:
        settings = self._settings.queue
        journal = Journal(write_queue.KEY, self._keeper if settings.durable else None)
        return WriteQueue(settings, journal, self._recorder, self._metrics, self._defects)

    def _make_storm(self) -> tuple[StormDesk, StormWatch]:
        settings, clock, metrics, defects = (
            self._settings.storm,
            self._clock,
            self._metrics,
            self._defects,
        )
        store = self._storms
        slots = StormSlots(self._keeper)
        settler = StormSettler(
            settings, clock, store, self._recorder, self._members, self._redis_breaker, metrics, defects
        )
        desk = StormDesk(settings, slots, settler, self._store, self._recorder, metrics, defects)
        watch = StormWatch(
            settings, clock, slots, settler, store, self._members, self._keeper, metrics, defects
        )
        return desk, watch

    async def recover(self) -> None:
        """Take over, as far as it is possible now, what a former Gateway left."""
        await self._storm_watch.recover()
        await self._queue.recover()

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the server, for ever."""
        return [
            self.health.watch_kubernetes(self._client),
            watch_redis(self._calls),
            self._storm_watch.run(),
            self._queue.watch(),
            self._queue.run(),
        ]

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
        await self._client.close()


def _breaker_watcher(metrics: Metrics, component: str) -> Callable[[State, State], None]:
    def changed(old: State, new: State) -> None:
        metrics.breaker_state.labels(component).set(new)
        metrics.breaker_state_changes_total.labels(component, new.name.lower()).inc()
        log.info("breaker changed", component=component, old=old.name.lower(), new=new.name.lower())

    return changed
