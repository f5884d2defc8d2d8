"""`python -m sandbox.toxiproxy --host 127.0.0.1 --port 8474 [--config FILE]`: serve until a signal."""

import argparse
import asyncio
import logging
import random
import signal
import socket
import sys
from pathlib import Path

import uvloop

from sandbox.toxiproxy.api import VERSION, Api
from sandbox.toxiproxy.http_server import HttpConnection
from sandbox.toxiproxy.proxies import Proxies

log = logging.getLogger("toxiproxy")


class StartError(Exception):
    """The server cannot be started; the message says why, and the mend."""


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.toxiproxy", description=__doc__)
    parser.add_argument("--host", default="localhost", help="of the HTTP API")
    parser.add_argument("--port", type=int, default=8474, help="of the HTTP API; 0: any")
    parser.add_argument("--config", type=Path, help="JSON file with the proxies to begin with")
    parser.add_argument("--seed", type=int, help="for toxicity, jitter and slicer")
    parser.add_argument("--version", action="version", version=f"toxiproxy-server version {VERSION}")
    return parser.parse_args(argv)


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what is accepted: a small answer must not wait for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {error}; give another --port") from error
    return listener


async def _populate(proxies: Proxies, config: Path) -> None:
    """The proxies of the file. Raises StartError: a proxy without them would be a hole in the world."""
    try:
        body = config.read_bytes()
    except OSError as error:
        raise StartError(f"--config {config}: {error.strerror}") from error
    done, failure = await proxies.populate(body)
    if failure is not None:
        raise StartError(f"--config {config}: proxy {len(done) + 1}: {failure.message}")
    log.info("proxies: %s", ", ".join(f"{p.name} {p.listen} -> {p.upstream}" for p in done))


async def serve(asked: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM. Raises StartError."""
    loop = asyncio.get_running_loop()
    listener = _listener(asked.host, asked.port)
    proxies = Proxies(random.Random(asked.seed))
    if asked.config is not None:
        await _populate(proxies, asked.config)
    api = Api(proxies)
    server = await loop.create_server(lambda: HttpConnection(api.answer), sock=listener)
    host, port = listener.getsockname()
    print(f"toxiproxy: serving on http://{host}:{port}", file=sys.stderr, flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    server.close()
    for proxy in proxies.all():
        await proxy.stop()


def main(argv: list[str]) -> int:
    """The exit status: 0, or 1 when it could not be started."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asked = _arguments(argv)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(asked))
    except StartError as error:
        print(f"toxiproxy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
