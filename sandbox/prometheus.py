"""Prometheus: a program on PATH that scrapes the Gateway, so that PromQL is evaluated by the real thing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import processes, readiness
from sandbox.ports import HOST
from sandbox.processes import Launch

OFF = "off"
_MEND = "mend: give --prometheus PATH of a prometheus >= 2, or --prometheus off"
_VERSION_TIMEOUT_S = 10
# A second between two scrapes, and as long a memory as any run needs.
_CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: gateway
    static_configs: [{{targets: ['{gateway}']}}]
  - job_name: redis
    static_configs: [{{targets: ['{control}']}}]
"""


class PrometheusError(Exception):
    """The asked program cannot be used; the message names it, and the mend."""


def refusal(path: str, name: str = "prometheus") -> str | None:
    """Why this program is not the one of the Prometheus project with that name; None when it is."""
    environment = processes.clean_environment(os.environ)
    try:
        answer = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (error.strerror or str(error)) if isinstance(error, OSError) else "does not answer --version"
    said = answer.stdout + answer.stderr  # Older ones say it on standard error.
    return None if said.startswith(f"{name}, version") else f"is no {name}"


def choose(asked: str) -> str | None:
    """The program to run: the asked one and no other, or a usable one on PATH; None: there is none, or 'off'.

    Raises PrometheusError.
    """
    if asked == OFF:
        return None
    if asked:
        why = refusal(asked)
        if why is not None:
            raise PrometheusError(f"{asked}: {why}; {_MEND}")
        return asked
    found = shutil.which("prometheus")
    if found is None:
        return None
    why = refusal(found)
    if why is not None:
        print(f"sandbox: {found}: {why}; going on without", file=sys.stderr)
    return found if why is None else None


@dataclass(frozen=True, slots=True)
class Prometheus:
    """How the one process is started: what it scraped is kept over its lives."""

    program: str
    port: int
    gateway_port: int
    control_port: int
    home: Path
    environment: Mapping[str, str]

    def write_config(self) -> None:
        """What it scrapes. Raises OSError."""
        ports = {"gateway": self.gateway_port, "control": self.control_port}
        config = _CONFIG.format(**{name: f"{HOST}:{port}" for name, port in ports.items()})
        self.home.with_suffix(".yaml").write_text(config, encoding="ascii")

    async def launch(self) -> Launch:
        """The command; the same in every life."""
        argv = (
            self.program,
            f"--config.file={self.home.with_suffix('.yaml')}",
            f"--storage.tsdb.path={self.home}",
            f"--web.listen-address={HOST}:{self.port}",
            "--log.level=warn",
        )
        return Launch(argv, self.environment, self.home.parent)

    async def lacks(self) -> str | None:
        """None when it answers queries; its first scrape comes some seconds later."""
        return await readiness.lacks(self.port, "/-/ready")
