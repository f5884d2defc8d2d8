"""`python -m sandbox.kubernetes_api --listen 127.0.0.1:PORT`: one server, one process, until a signal.

With `--faulty-listen` and `--faults-listen` it serves two ports more over the same objects: one on which
requests can be disturbed, and one where that is asked for.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import sys
import time
from datetime import UTC, datetime
from types import FrameType
from typing import NoReturn

import uvicorn

from sandbox.kubernetes_api import doors
from sandbox.kubernetes_api.cluster import Cluster
from sandbox.kubernetes_api.connections import Protocol
from sandbox.kubernetes_api.definitions import REMEDIATION_REQUESTS
from sandbox.kubernetes_api.resources import DEFINITIONS, NAMESPACES
from sandbox.kubernetes_api.store import Store
from sandbox.kubernetes_api.writes import create

_NAMESPACES = ("default", "kube-system", "alertstorm")
# Far above the pauses of any client: a connection closed under a request on its way would look like a fault.
_KEEP_ALIVE_S = 180


class CannotListen(Exception):
    """An address that cannot be had; the message names it."""


class Server(uvicorn.Server):
    """A server that ends its watches before it waits for its connections to end."""

    def __init__(self, config: uvicorn.Config, store: Store) -> None:
        super().__init__(config)
        self._store = store

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End every watch, then stop as uvicorn does."""
        self._store.close()
        await super().shutdown(sockets)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write host:port, such as 127.0.0.1:20443")
    return host, int(port)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubernetes_api", description=__doc__)
    parser.add_argument(
        "--listen", type=_address, required=True, metavar="HOST:PORT", help="plain http; port 0: any"
    )
    for name, what in (
        ("--faulty-listen", "the same API, with faults"),
        ("--faults-listen", "where faults are asked for"),
    ):
        parser.add_argument(name, type=_address, metavar="HOST:PORT", help=f"{what}; both or none")
    parser.add_argument(
        "--namespace", action="append", default=[], help="a namespace to have from the start; may be repeated"
    )
    parser.add_argument(
        "--watch-history",
        type=int,
        default=20_000,
        help="changes kept of each resource for watches that resume",
    )
    parser.add_argument("--bookmark-every-s", type=float, default=30.0, help="seconds between bookmarks")
    asked = parser.parse_args(argv)
    if (asked.faulty_listen is None) != (asked.faults_listen is None):
        parser.error("--faulty-listen and --faults-listen need each other; give both or none")
    return asked


def new_cluster(namespaces: tuple[str, ...], watch_history: int) -> Cluster:
    """A cluster with these namespaces and the sandbox's own custom resource.

    Versions begin at the microseconds of the clock: a server started again on the same address never gives
    out a version for the second time.
    """
    store = Store(time.time_ns() // 1000, watch_history)
    cluster = Cluster(store, lambda: datetime.now(UTC), random.Random())
    for name in dict.fromkeys(namespaces):
        create(cluster, NAMESPACES, "", {"metadata": {"name": name}}, dry_run=False)
    create(cluster, DEFINITIONS, "", REMEDIATION_REQUESTS, dry_run=False)
    return cluster


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error}; give another address") from error
    return listener


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Exit cleanly: uvicorn hands the signal that ended it on to the handler that was there before."""
    sys.exit(0)


def main(argv: list[str]) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code, 1 when an address cannot be had."""
    asked = _arguments(argv)
    # The API's own port opens last: who finds it open finds all of them open.
    addresses = [a for a in (asked.faults_listen, asked.faulty_listen, asked.listen) if a is not None]
    try:
        listeners = [_listener(*address) for address in addresses]
    except CannotListen as error:
        print(f"kubernetes_api: {error}", file=sys.stderr)
        return 1
    cluster = new_cluster((*_NAMESPACES, *asked.namespace), asked.watch_history)
    *extra, port = (listener.getsockname()[1] for listener in listeners)
    if extra:
        faults_port, faulty_port = extra
        app = doors.with_faults(cluster, asked.bookmark_every_s, port, faulty_port, faults_port)
    else:
        app = doors.clean(cluster, asked.bookmark_every_s, port)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    print(f"kubernetes_api: serving on http://{asked.listen[0]}:{port}", file=sys.stderr, flush=True)
    Server(config, cluster.store).run(sockets=listeners)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
