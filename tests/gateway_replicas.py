"""Several reference Gateways behind one address, as pods behind a Service: connections go to them in turn.

Runs as the sandbox's Gateway: ``python tests/gateway_replicas.py FILE DEFECTS DEFECTS ...`` starts one for
each list of defects (``-``: none), with the environment that the sandbox gives, and writes their base URLs
and pids into FILE as JSON.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from gateway_processes import ROOT, free_port


def die_with_parent() -> None:
    """Let SIGKILL end this process when its parent is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # One of the two ends has enough.
    finally:
        writer.close()


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        line = await reader.readline()
        writer.close()
    except OSError:
        return False
    return b" 200 " in line


async def main(file: Path, defects: list[str]) -> None:
    """Start them, and balance until the end."""
    ports, pids = [free_port() for _ in defects], []
    for port, planted in zip(ports, defects, strict=True):
        own = {"GATEWAY_LISTEN_ADDR": f"127.0.0.1:{port}", "GATEWAY_DEFECTS": planted.strip("-")}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox.gateway",
            cwd=ROOT,
            env=os.environ | own,
            preexec_fn=die_with_parent,
        )
        pids.append(child.pid)
    for port in ports:
        while not await _is_ready(port):
            await asyncio.sleep(0.05)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    file.write_text(json.dumps({"urls": urls, "pids": pids}))
    turn = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        for _ in ports:  # Who does not listen any more is left out, as a Service leaves out who is not ready.
            turn += 1
            try:
                back, forth = await asyncio.open_connection("127.0.0.1", ports[turn % len(ports)])
            except OSError:
                continue
            await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))
            return
        writer.close()

    host, _, port = os.environ["GATEWAY_LISTEN_ADDR"].rpartition(":")
    async with await asyncio.start_server(connected, host, int(port)) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
