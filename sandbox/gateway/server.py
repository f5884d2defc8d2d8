"""The running Gateway: one uvicorn server and the loops beside it, until a signal ends them."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from sandbox.gateway import kubeconfig, log
from sandbox.gateway.app import GatewayApp
from sandbox.gateway.assembly import Gateway
from sandbox.gateway.health import Health
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
    gateway = Gateway(settings, cluster)
    server = _server(settings, gateway.app)
    _end_on_signals(server, gateway.health)
    log.info("gateway starts", listen=":".join(map(str, settings.listen)), defects=sorted(settings.defects))
    try:
        await gateway.recover()
        # A loop that ends by an error ends the group, and with it the process: nothing dies in silence.
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(loop) for loop in gateway.loops()]
            await server.serve()
            for loop in loops:
                loop.cancel()
    finally:
        await gateway.close()
    log.info("gateway ends")
    return 0


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
