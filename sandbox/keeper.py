"""Keeper: the parent of all the sandbox's processes, who starts them, says one line, and ends them.

Its time comes when stdin ends (whoever started it is gone, in whatever way), or with SIGINT, SIGTERM or
SIGHUP. Should the keeper itself be killed, its children die with it, and the next keeper sweeps its files.
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from sandbox import (
    control,
    fault_proxy,
    http_server,
    log_file,
    ports,
    processes,
    programs,
    redis_binary,
    run_directory,
)
from sandbox.alertmanager import AlertmanagerError
from sandbox.component import NotReady
from sandbox.fault_proxy import FaultProxyError
from sandbox.namespace import Doors
from sandbox.options import Options
from sandbox.ports import HOST, PortError, Ports
from sandbox.programs import Programs
from sandbox.prometheus import PrometheusError
from sandbox.redis_binary import RedisBinary, RedisBinaryError
from sandbox.redis_servers import MASTER
from sandbox.run_directory import DirectoryError, RunDirectory
from sandbox.world import World

_TRIES = 3
_END_TIMEOUT_S = 5.0
_IN_USE = re.compile(r"address (already )?in use|EADDRINUSE", re.IGNORECASE)

log = logging.getLogger("sandbox")


class Failed(Exception):
    """The sandbox cannot be had; the message is the one sentence for the caller."""


def say(event: dict[str, Any]) -> None:
    """One JSON line on stdout. When nobody reads any more, stdin will say so."""
    try:
        print(json.dumps(event), flush=True)
    except BrokenPipeError:
        log.warning("nobody reads stdout")
        # Else the interpreter tries once more when it exits, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Keeper:
    """One run of the sandbox."""

    def __init__(self, options: Options, began_at_s: float, doors: Doors | None) -> None:
        self._options = options
        self._began_at_s = began_at_s
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._doors = doors
        self._ports = Ports(numbers=doors.numbers) if doors else Ports()
        self._home: RunDirectory | None = None
        self._world: World | None = None
        self._control: asyncio.Server | None = None

    async def run(self) -> int:
        """Start, say ready, wait for the end, end all. The exit status: 0, or 1 when it never was ready."""
        processes.become_subreaper()
        self._listen_for_the_end()
        starting = asyncio.ensure_future(self._start())
        try:
            await asyncio.wait((starting, self._end), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                raise Failed(f"ended before it was ready: {self._end.result()}")
            say(starting.result())
            log.info("the end: %s", await self._end)
            return 0
        except (
            Failed, NotReady, RedisBinaryError, FaultProxyError, PrometheusError, AlertmanagerError,
            DirectoryError, PortError, OSError,
        ) as error:  # fmt: skip
            say({"event": "failed", "error": f"sandbox: {error}"})
            return 1
        finally:
            starting.cancel()
            await asyncio.wait((starting,))
            self._end_all()

    def _listen_for_the_end(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._hear, number)
        if self._options.die_with_parent:
            # Not SIGKILL: the kernel's word is the parent's death, and we have files to remove.
            processes.die_with_parent(signal.SIGTERM)
        if os.isatty(0):
            return  # To read would stop us when in the background; Ctrl-C and the hang-up come as signals.
        try:
            loop.add_reader(0, self._read_stdin)
        except (
            PermissionError
        ):  # A file, or /dev/null: these cannot be waited for, they are at their end at once.
            self._ends("stdin is a file or /dev/null; mend: start it with a pipe that stays open")

    def _hear(self, number: signal.Signals) -> None:
        if number != signal.SIGINT or not self._options.ignore_sigint:
            self._ends(number.name)

    def _read_stdin(self) -> None:
        if not os.read(0, 65536):
            asyncio.get_running_loop().remove_reader(0)
            self._ends("stdin is at its end")

    def _ends(self, why: str) -> None:
        if not self._end.done():
            self._end.set_result(why)

    async def _start(self) -> dict[str, Any]:
        """Everything up and ready; the event to say. Raises what `run` catches."""
        options = self._options
        binary = redis_binary.choose(options.redis_server)
        chosen = programs.choose(options)
        if options.gateway_port is not None:
            try:
                ports.require_free(options.gateway_port)
            except PortError as error:
                raise Failed(
                    f"gateway: --gateway-port: {error}; mend: end what uses it, or leave the option out"
                ) from error
        swept = run_directory.sweep()
        self._home = run_directory.create(options.directory)
        logs = (options.logs or self._home.path / "logs").resolve()
        logs.mkdir(parents=True, exist_ok=True)
        log_file.take(log, logs / "keeper.log")
        log.info(
            "keeper %d in %s with %s (%s) and %s; swept: %s",
            os.getpid(),
            self._home.path,
            binary.path,
            binary.version,
            chosen.toxiproxy or fault_proxy.OURS,
            swept,
        )
        if self._doors:
            await self._doors.open()
        world = await self._start_world(binary, chosen, self._home.path, logs)
        control_url = await self._start_control(world)
        return {
            "event": "ready",
            "gateway_url": f"http://{HOST}:{world.gateway_port}",
            "control_url": control_url,
            "kubeconfig": str(world.kubeconfig),
            "gateway_kubeconfig": str(world.gateway_kubeconfig),
            "faults_url": world.faults_url,
            "namespace": options.namespace,
            "sentinels": [f"{HOST}:{port}" for port in world.redis.sentinel_ports],
            "sentinel_master": MASTER,
            "redis_binary": binary.path,
            "redis_version": binary.version,
            "redis_layout": options.redis_layout,
            "proxy_url": f"http://{HOST}:{world.proxy.port}",
            "proxy_server": chosen.toxiproxy or fault_proxy.OURS,
            **programs.endpoints(world.extras),
            "network_pid": str(os.getpid()) if self._doors else "",
            "clock_file": str(world.clock_file),
            "logs_dir": str(logs),
            "ready_after_s": round(time.monotonic() - self._began_at_s, 3),
        }

    async def _start_world(self, binary: RedisBinary, chosen: Programs, home: Path, logs: Path) -> World:
        """A world that is ready; with other ports when somebody was faster to take one."""
        for attempt in range(1, _TRIES + 1):
            self._world = World(self._options, binary, chosen, home, logs, self._ports)
            try:
                await self._world.start()
                return self._world
            except NotReady as error:
                self._world.supervisor.close()
                processes.end_descendants(_END_TIMEOUT_S)
                in_use = _IN_USE.search(str(error)) is not None
                fixed = str(error).startswith("gateway:") and self._options.gateway_port is not None
                if not in_use or fixed or attempt == _TRIES:
                    raise Failed(f"{error}; mend: {_mend(str(error), in_use)}") from error
                log.warning("try %d: a port was taken: %s", attempt, error)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _start_control(self, world: World) -> str:
        port = world.control_port
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        self._control = await http_server.serve(
            control.Control(world.supervisor, world.redis).answer, listener
        )
        return f"http://{HOST}:{port}"

    def _end_all(self) -> None:
        """Kill and reap every descendant, remove our files. What could not be done is said on stderr."""
        if self._control is not None:
            self._control.close()
        if self._world is not None:
            self._world.supervisor.close()
        left = processes.end_descendants(_END_TIMEOUT_S)
        if left:
            print(f"sandbox: could not end processes {[p.pid for p in left]}", file=sys.stderr)
        self._ports.close()
        logging.shutdown()
        if self._home is not None:
            try:
                self._home.remove(keep=self._options.logs)
            except OSError as error:
                print(f"sandbox: could not remove {self._home.path}: {error}", file=sys.stderr)


def _mend(failure: str, in_use: bool) -> str:
    if failure.startswith("prometheus:"):
        return "leave it out with --prometheus off"
    if in_use:
        return "end the program that uses the address, or let the Gateway listen on GATEWAY_LISTEN_ADDR"
    if failure.startswith("gateway:"):
        return (
            "make it answer GET /readyz or /ready with 200 on GATEWAY_LISTEN_ADDR; --logs DIR keeps its log"
        )
    return "read its log, kept by --logs DIR; on a busy machine give a longer --ready-timeout"


def main(options: Options, began_at_s: float, doors: Doors | None = None) -> int:
    """Run a keeper to its end, in the network behind the doors if there are any; the exit status."""

    async def run() -> int:
        return await Keeper(options, began_at_s, doors).run()

    with contextlib.suppress(asyncio.CancelledError):
        return asyncio.run(run())
    return 1
