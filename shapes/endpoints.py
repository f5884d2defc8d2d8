"""Where a target is: the addresses, files and names by which it is loaded, broken and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shapes.document import Node


@dataclass(frozen=True, slots=True)
class Replicas:
    """How each pod of a component is asked for its own metrics: ``api-proxy`` asks the API server's pod
    proxy, which needs nothing but the kubeconfig; ``pod-ip`` asks the pod itself, from within the cluster."""

    by: str
    port: int
    path: str = "/metrics"
    component: str = "gateway"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the target is; a started command fills in what the file leaves out. Empty: there is none.

    For a cluster: ``kubeconfig`` (a path, or ``in-cluster``) and its ``context``; ``pods_namespace``, where
    Gateway and Redis run and faults are made (``namespace`` is that of the RemediationRequests); ``pods``,
    the label selectors of its components; ``proxy_addresses``, where a proxy's port is reached from here,
    by the proxy's name. ``network_pid`` is a process in whose network namespace Gateway and Redis run.
    The receiver ``alertmanager_receiver`` of the Alertmanager at ``alertmanager_url`` posts to the Gateway.
    ``run_id`` is the run's, which marks what is made in the cluster. ``replicas`` tells how the Gateway's
    pods are asked for their metrics each by itself; then nobody asks ``metrics_url``.
    """

    gateway_url: str = ""
    metrics_url: str = ""
    ready_url: str = ""
    control_url: str = ""
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    pods_namespace: str = ""
    pods: Mapping[str, str] = field(default_factory=dict)
    sentinels: tuple[str, ...] = ()
    sentinel_master: str = ""
    redis_addresses: tuple[str, ...] = ()
    redis_password_file: str = ""
    faults_url: str = ""
    proxy_url: str = ""
    proxy_addresses: Mapping[str, str] = field(default_factory=dict)
    clock_file: str = ""
    prometheus_url: str = ""
    alertmanager_url: str = ""
    alertmanager_receiver: str = ""
    network_pid: str = ""
    run_id: str = ""
    replicas: Replicas | None = None

    @property
    def outlives_us(self) -> bool:
        """Return whether it goes on when a run and all that it started are gone, as a cluster does: then a
        server that does not answer may only be out of reach, with its faults still on."""
        return bool(self.pods_namespace)


_TEXTS = (
    "gateway_url",
    "metrics_url",
    "ready_url",
    "control_url",
    "kubeconfig",
    "context",
    "namespace",
    "pods_namespace",
    "sentinel_master",
    "redis_password_file",
    "faults_url",
    "proxy_url",
    "clock_file",
    "prometheus_url",
    "alertmanager_url",
    "alertmanager_receiver",
    "network_pid",
)
_LISTS = ("sentinels", "redis_addresses")
_NAMED = ("pods", "proxy_addresses")


def parse(node: Node) -> Endpoints:
    """Return the endpoints that a target file insists on.

    Raises:
        DocumentError: naming file, path and mend.
    """
    got = node.fields(optional=(*_TEXTS, *_LISTS, *_NAMED, "replicas"))
    found: dict[str, Any] = {key: got[key].text() for key in _TEXTS if key in got}
    found |= {key: tuple(item.text() for item in got[key].items()) for key in _LISTS if key in got}
    for key in (key for key in _NAMED if key in got):
        found[key] = {name: child.text() for name, child in got[key].entries().items()}
    return Endpoints(**found, replicas=_replicas(got["replicas"]) if "replicas" in got else None)


def _replicas(node: Node) -> Replicas:
    got = node.fields(required=("by", "port"), optional=("path", "component"))
    more = {key: got[key].text() for key in ("path", "component") if key in got}
    if not more.get("path", "/").startswith("/"):
        raise got["path"].error(f"wanted a path like /metrics, got {more['path']!r}")
    return Replicas(got["by"].one_of(("api-proxy", "pod-ip")), got["port"].whole(least=1), **more)
