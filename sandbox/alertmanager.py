"""Alertmanager: a program on PATH that takes pushed alerts and posts them to the Gateway, when asked for."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import prometheus, readiness
from sandbox.ports import HOST
from sandbox.processes import Launch

OFF, ON = "off", "on"
RECEIVER = "gateway"
WEBHOOK = "/api/v1/signals/prometheus"
_PROGRAMS = ("prometheus-alertmanager", "alertmanager")


class AlertmanagerError(Exception):
    """The asked program cannot be used; the message names it, and the mend."""


def choose(asked: str) -> str | None:
    """The program to run: the asked one, or with 'on' the first on PATH; None: off.

    Raises AlertmanagerError.
    """
    if asked == OFF:
        return None
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None) if asked == ON else asked
    if found is None:
        raise AlertmanagerError(
            f"--alertmanager on: no {' or '.join(_PROGRAMS)} on PATH; mend: apt-get install {_PROGRAMS[0]}"
        )
    refusal = prometheus.refusal(found, "alertmanager")
    if refusal is not None:
        raise AlertmanagerError(f"{found}: {refusal}; mend: give --alertmanager PATH of an alertmanager")
    return found


@dataclass(frozen=True, slots=True)
class Grouping:
    """How it groups the alerts, and when it posts a group; durations as Prometheus writes them."""

    by: Sequence[str]
    wait: str
    interval: str
    send_resolved: bool


SINGLY = Grouping(("...",), "0s", "5s", False)


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """How the one process is started. What it holds is in its memory, and gone with each of its lives."""

    program: str
    port: int
    gateway_url: str
    grouping: Grouping
    home: Path
    environment: Mapping[str, str]

    def write_config(self) -> None:
        """One route, and one receiver that posts to the Gateway. Raises OSError."""
        grouping = self.grouping
        route = {
            "receiver": RECEIVER,
            "group_by": list(grouping.by),
            "group_wait": grouping.wait,
            "group_interval": grouping.interval,
            "repeat_interval": "4h",
        }
        url = f"{self.gateway_url}{WEBHOOK}"
        webhooks = [{"url": url, "send_resolved": grouping.send_resolved}]
        config = {"route": route, "receivers": [{"name": RECEIVER, "webhook_configs": webhooks}]}
        self._config.write_text(json.dumps(config, indent=1) + "\n", encoding="ascii")  # JSON is YAML.

    @property
    def _config(self) -> Path:
        return self.home.with_suffix(".yaml")

    async def launch(self) -> Launch:
        """The command; the same in every life. It gossips with nobody."""
        argv = (
            self.program,
            f"--config.file={self._config}",
            f"--storage.path={self.home}",
            f"--web.listen-address={HOST}:{self.port}",
            "--cluster.listen-address=",
            "--log.level=info",
        )
        return Launch(argv, self.environment, self.home.parent)

    async def lacks(self) -> str | None:
        """None when it takes alerts."""
        return await readiness.lacks(self.port, "/-/ready")
