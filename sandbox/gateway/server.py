"""The running Gateway: everything put together on one uvicorn server, until a signal ends it."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from sandbox.gateway import kubeconfig, log, redis_cache
from sandbox.gateway.app import GatewayApp
from sandbox.gateway.breaker import CircuitBreaker, Policy, State
from sandbox.gateway.defective_breaker import DefectiveBreaker
from sandbox.gateway.defects import Defects
from sandbox.gateway.health import Health, watch_redis
from sandbox.gateway.kubernetes_client import KubernetesClient
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.pipeline import Pipeline
from sandbox.gateway.redis_cache import RedisCache
from sandbox.gateway.remediation_store import RemediationStore
from sandbox.gateway.settings import Settings

# After a signal: how long readiness says 503 with the listener still open, then how long requests may go on.
DRAIN_S = 0.5
FINISH_S = 5
KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to `run`: its own way ends the process by the signal, not by 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises SettingsError for an unusable kubeconfig."""
    cluster = kubeconfig.read(settings.kubeconfig)
    metrics = Metrics(settings.defects)
    defects = Defects(dict(settings.defects), lambda name: metrics.defect_triggered_total.labels(name).inc())
    breaker = DefectiveBreaker(Policy(), _breaker_watcher(metrics), defects)
    cache = RedisCache(redis_cache.connect(settings), breaker, metrics, defects)
    client = KubernetesClient(cluster, settings.namespace, metrics)
    health = Health()
    server = _server(settings, _app(cache, client, breaker, health, metrics, defects))
    _end_on_signals(server, health)
    log.info("gateway starts", listen=":".join(map(str, settings.listen)), defects=sorted(settings.defects))
    try:
        # A loop that ends by an error ends the group, and with it the process: nothing dies in silence.
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(health.watch_kubernetes(client)),
                group.create_task(watch_redis(cache)),
            ]
            await server.serve()
            for loop in loops:
                loop.cancel()
    finally:
        await cache.close()
        await client.close()
    log.info("gateway ends")
    return 0


def _app(
    cache: RedisCache,
    client: KubernetesClient,
    breaker: CircuitBreaker,
    health: Health,
    metrics: Metrics,
    defects: Defects,
) -> GatewayApp:
    pipeline = Pipeline(cache, RemediationStore(client, metrics, defects), metrics, defects)
    return GatewayApp(pipeline, health, breaker, metrics, defects, client.namespace)


def _server(settings: Settings, app: GatewayApp) -> _Server:
    host, port = settings.listen
    config = uvicorn.Config(
        app.asgi,
        host=host,
        port=port,
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_S,
    )
    return _Server(config)


def _breaker_watcher(metrics: Metrics) -> Callable[[State, State], None]:
    def changed(old: State, new: State) -> None:
        metrics.breaker_state.labels("redis").set(new)
        metrics.breaker_state_changes_total.labels("redis", new.name.lower()).inc()
        log.info("breaker changed", component="redis", old=old.name.lower(), new=new.name.lower())

    return changed


def _end_on_signals(server: uvicorn.Server, health: Health) -> None:
    loop = asyncio.get_running_loop()

    def end(signal_name: str) -> None:
        if health.shutting_down:
            return
        health.shutting_down = True
        log.info("shutting down", signal=signal_name)
        loop.call_later(DRAIN_S, setattr, server, "should_exit", True)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number.name)
