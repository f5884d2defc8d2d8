"""Programs: those of others that stand in the sandbox when they are there, or when they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import alertmanager, fault_proxy, prometheus
from sandbox.alertmanager import Alertmanager
from sandbox.options import Options
from sandbox.ports import HOST, Ports
from sandbox.prometheus import Prometheus


@dataclass(frozen=True, slots=True)
class Programs:
    """Their paths; None: ours in its place, or none."""

    toxiproxy: str | None
    prometheus: str | None
    alertmanager: str | None

    def extras(
        self,
        options: Options,
        ports: Ports,
        scraped: tuple[int, int],
        home: Path,
        environment: Mapping[str, str],
    ) -> dict[str, Prometheus | Alertmanager]:
        """Those that nothing else needs, by name; ``scraped`` are the ports of Gateway and control API."""
        found: dict[str, Prometheus | Alertmanager] = {}
        if self.prometheus:
            at = home / "prometheus"
            found["prometheus"] = Prometheus(self.prometheus, ports.pick(), *scraped, at, environment)
        if self.alertmanager:
            at, grouping = home / "alertmanager", options.alertmanager_grouping
            gateway_url = options.alertmanager_relay or f"http://{HOST}:{scraped[0]}"
            found["alertmanager"] = Alertmanager(
                self.alertmanager, ports.pick(), gateway_url, grouping, at, environment
            )
        return found


def choose(options: Options) -> Programs:
    """What runs with these options. Raises FaultProxyError, PrometheusError, AlertmanagerError."""
    return Programs(
        fault_proxy.choose(options.toxiproxy_server),
        prometheus.choose(options.prometheus),
        alertmanager.choose(options.alertmanager),
    )


def endpoints(extras: Mapping[str, Prometheus | Alertmanager]) -> dict[str, str]:
    """Where the harness finds them; empty is none."""
    urls = {name: f"http://{HOST}:{extra.port}" for name, extra in extras.items()}
    return {
        "prometheus_url": urls.get("prometheus", ""),
        "alertmanager_url": urls.get("alertmanager", ""),
        "alertmanager_receiver": alertmanager.RECEIVER if "alertmanager" in urls else "",
    }
