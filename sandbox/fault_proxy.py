"""Fault proxy: the Toxiproxy, the real one or ours, in front of both Redis servers and the Kubernetes API."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import processes, wire
from sandbox.ports import HOST
from sandbox.processes import Launch
from sandbox.wire import WireError

CHECKOUT = Path(__file__).resolve().parent.parent
OURS = "sandbox.toxiproxy 2.12.0"
_MEND = (
    "mend: give --toxiproxy-server PATH of a toxiproxy-server >= 2.5, or leave it out to use the sandbox's"
)


class FaultProxyError(Exception):
    """The asked program cannot be used; the message names it, and the mend."""


def _refusal(path: str) -> str | None:
    """Why this program is no toxiproxy-server; None when it is one."""
    environment = processes.clean_environment(os.environ)
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=5, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (error.strerror or str(error)) if isinstance(error, OSError) else "does not answer --version"
    return None if answer.stdout.startswith("toxiproxy-server version") else "is no toxiproxy-server"


def choose(asked: str | None) -> str | None:
    """The real server to run: the asked one and no other, or a usable one on PATH; None: ours.

    Raises FaultProxyError.
    """
    if asked is not None:
        refusal = _refusal(asked)
        if refusal is not None:
            raise FaultProxyError(f"{asked}: {refusal}; {_MEND}")
        return asked
    found = shutil.which("toxiproxy-server")
    return found if found is not None and _refusal(found) is None else None


@dataclass(frozen=True, slots=True)
class Front:
    """One proxy: clients connect to `port` and reach `upstream`, both on loopback."""

    name: str
    port: int
    upstream: int


@dataclass(frozen=True, slots=True)
class FaultProxy:
    """How the one process is started: each life begins with all proxies and no toxic."""

    program: str | None  # None: ours
    port: int
    fronts: tuple[Front, ...]
    config: Path
    environment: Mapping[str, str]

    def write_config(self) -> None:
        """The proxies that every life begins with. Raises OSError."""
        proxies = [
            {
                "name": front.name,
                "listen": f"{HOST}:{front.port}",
                "upstream": f"{HOST}:{front.upstream}",
                "enabled": True,
            }
            for front in self.fronts
        ]
        self.config.write_text(json.dumps(proxies, indent=1), encoding="ascii")

    async def launch(self) -> Launch:
        """The command; the same in every life."""
        program = (self.program,) if self.program else (sys.executable, "-m", "sandbox.toxiproxy")
        argv = (*program, "--host", HOST, "--port", str(self.port), "--config", str(self.config))
        return Launch(argv, self.environment, CHECKOUT)

    async def lacks(self) -> str | None:
        """None when the API answers and has every proxy: the real one also starts without its proxies."""
        for front in self.fronts:
            try:
                status = await wire.http_status(self.port, f"/proxies/{front.name}")
            except WireError as error:
                return str(error)
            if status != 200:
                return f"GET /proxies/{front.name} answers {status}"
        return None
