"""The fault proxy inside the sandbox: a partition with and without a failover, and a proxy that dies."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
import sandbox_runner as runner
from redis.sentinel import MasterNotFoundError, Sentinel
from toxiproxy_server import FaultProxy

from sandbox import fault_proxy

STREAMS = ("upstream", "downstream")


class World:
    """A sandbox with a stand-in Gateway, and Redis as that Gateway would reach it."""

    def __init__(self, sandbox: runner.Sandbox, environment: dict[str, str]) -> None:
        self.sandbox = sandbox
        self.environment = environment
        self.proxy = FaultProxy(int(sandbox.event["proxy_url"].rpartition(":")[2]))
        sentinels = [address.split(":") for address in environment["GATEWAY_REDIS_SENTINELS"].split(",")]
        self._sentinel: Any = Sentinel([(host, int(port)) for host, port in sentinels], socket_timeout=1)
        pairs = filter(None, environment["GATEWAY_REDIS_ADDRESS_MAP"].split(","))
        self._map = dict(pair.split("=") for pair in pairs)

    def primary(self) -> str | None:
        """The address that the Sentinels announce."""
        try:
            host, port = self._sentinel.discover_master(self.environment["GATEWAY_REDIS_MASTER"])
        except MasterNotFoundError:
            return None
        return f"{host}:{port}"

    def client(self, address: str) -> redis.Redis:
        """A client by way of the proxy that the Gateway would use; its commands wait for 0.5 s."""
        host, port = self._map.get(address, address).split(":")
        return redis.Redis(host, int(port), socket_timeout=0.5, retry=None)

    def direct(self, name: str) -> redis.Redis:
        """A client that goes around the proxy."""
        return redis.Redis(
            port=int(self.sandbox.components()[name]["address"].split(":")[1]), socket_timeout=2
        )

    def partition(self, name: str) -> None:
        """Nothing passes any more, nothing is lost."""
        for stream in STREAMS:
            self.proxy.toxic(name, "bandwidth", stream, rate=0)

    def heal(self, name: str) -> None:
        """Everything passes, also what was held."""
        for stream in STREAMS:
            self.proxy.done("DELETE", f"/proxies/{name}/toxics/bandwidth_{stream}")


@contextmanager
def world(folder: Path, *arguments: str) -> Iterator[World]:
    """A sandbox until the block ends."""
    keeper = runner.spawn(
        "--gateway-command", runner.gateway_command(folder), "--logs", str(folder / "logs"), *arguments
    )
    sandbox = runner.ready(keeper)
    yield World(sandbox, json.loads((folder / "environment.json").read_text()))
    keeper.communicate(timeout=runner.DEADLINE_S)
    assert keeper.returncode == 0


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("around")) as made:
        yield made


def test_around_a_partition_is_the_gateways_alone(around: World) -> None:
    """Commands time out and are done late, the Sentinels see nothing for 5 s, and the heal loses nothing."""
    primary = around.primary()
    assert primary == around.sandbox.components()["redis-0"]["address"]
    assert around.sandbox.event["redis_layout"] == "around"
    client = around.client(primary)
    assert client.incr("counter") == 1
    around.partition("redis-0")
    began_s = time.monotonic()
    with pytest.raises(redis.exceptions.TimeoutError):
        client.incr("counter")
    while time.monotonic() - began_s < 5:
        assert around.primary() == primary
        time.sleep(0.2)
    assert around.direct("redis-0").get("counter") == b"1"
    assert around.direct("redis-1").info("replication")["master_link_status"] == "up"
    around.heal("redis-0")
    runner.wait_until(
        lambda: around.direct("redis-0").get("counter") == b"2", "the late command", deadline_s=10
    )
    assert around.client(primary).incr("counter") == 3


def test_a_proxy_that_dies_comes_back_like_a_pod(around: World) -> None:
    """Dead, its ports refuse; then another process has every proxy again, and none of the toxics."""
    before = around.sandbox.components()["toxiproxy"]
    around.proxy.toxic("kubernetes-api", "latency", latency=1)
    proxies = around.proxy.done("GET", "/proxies")
    os.kill(before["pid"], signal.SIGKILL)
    runner.wait_until(lambda: around.sandbox.components()["toxiproxy"]["exits"], "the death", deadline_s=10)
    primary = around.primary()
    assert primary is not None
    with pytest.raises(redis.exceptions.ConnectionError):
        around.client(primary).ping()
    after = runner.wait_until(
        lambda: (c := around.sandbox.components()["toxiproxy"])["starts"] == 2 and c, "the second life"
    )
    assert after["exits"][0]["why"] == "unexpected"

    def back() -> Any:
        try:
            return requests.get(around.sandbox.event["proxy_url"] + "/proxies", timeout=5).json()
        except requests.ConnectionError:
            return None

    again = runner.wait_until(back, "the API")
    assert {name: (p["listen"], p["upstream"], p["enabled"]) for name, p in again.items()} == {
        name: (p["listen"], p["upstream"], True) for name, p in proxies.items()
    }
    assert set(again) == {"redis-0", "redis-1", "kubernetes-api"}
    assert not any(proxy["toxics"] for proxy in again.values())
    assert around.client(primary).ping() is True
    killed = around.sandbox.post("/components/toxiproxy/kill", {"restart_after_s": 0})
    assert killed.status_code == 200
    runner.wait_until(lambda: around.sandbox.components()["toxiproxy"]["starts"] == 3, "the third life")


def test_through_a_partition_is_a_failover(tmp_path: Path) -> None:
    """The Sentinels miss the primary behind its proxy, and it returns as the replica of the new one."""
    with world(tmp_path, "--redis-layout", "through") as through:
        proxies = through.proxy.done("GET", "/proxies")
        fronts = [proxies[name]["listen"] for name in ("redis-0", "redis-1")]
        assert through.environment["GATEWAY_REDIS_ADDRESS_MAP"] == ""
        assert (through.environment["GATEWAY_REDIS_ADDR"], through.primary()) == (fronts[0], fronts[0])
        assert through.client(fronts[0]).set("key", "old") is True
        through.partition("redis-0")
        runner.wait_until(lambda: through.primary() == fronts[1], "promotion of redis-1", deadline_s=20)
        components = through.sandbox.components()
        assert [components[name]["role"] for name in ("redis-0", "redis-1")] == [
            "redis-replica",
            "redis-primary",
        ]
        runner.wait_until(
            lambda: through.direct("redis-1").info("replication")["role"] == "master", "redis-1 as primary"
        )
        assert through.client(fronts[1]).set("key", "new") is True
        through.heal("redis-0")

        def link() -> bool:
            info = through.direct("redis-0").info("replication")
            new_port = int(fronts[1].split(":")[1])
            return (info["role"], info.get("master_port"), info.get("master_link_status")) == (
                "slave",
                new_port,
                "up",
            )

        runner.wait_until(link, "redis-0 as replica of redis-1")
        assert through.direct("redis-0").get("key") == b"new"


def program(folder: Path, name: str, script: str) -> str:
    """An executable file."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    file.chmod(0o755)
    return str(file)


def test_choice_of_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The asked one and no other; else one on PATH that is a Toxiproxy; else ours."""
    real = program(tmp_path, "toxiproxy-server", "echo toxiproxy-server version 2.12.0")
    other = program(tmp_path, "other", "echo something else")
    assert fault_proxy.choose(real) == real
    with pytest.raises(fault_proxy.FaultProxyError, match=r"other: is no toxiproxy-server; mend: give"):
        fault_proxy.choose(other)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fault_proxy.choose(None) == real
    Path(other).rename(real)
    assert fault_proxy.choose(None) is None
    assert "No such file" in runner.failure("--toxiproxy-server", "/nonexistent")


def test_another_proxy_program_is_run(tmp_path: Path) -> None:
    """--toxiproxy-server is started with the options that the real one knows."""
    answer = (
        'case "$1" in --version) echo toxiproxy-server version 9;; *) exec "$PYTHON" -m "$MODULE" "$@";; esac'
    )
    script = f"PYTHON={shlex.quote(sys.executable)} MODULE=sandbox.toxiproxy\n{answer}"
    stand_in = program(tmp_path, "toxiproxy-server", script)
    with world(tmp_path, "--toxiproxy-server", stand_in) as made:
        assert made.sandbox.event["proxy_server"] == stand_in
        log = (tmp_path / "logs" / "keeper.log").read_text()
        assert f"{stand_in} --host 127.0.0.1 --port {made.proxy.port} --config " in log
        assert set(made.proxy.done("GET", "/proxies")) == {"redis-0", "redis-1", "kubernetes-api"}


def test_a_proxy_without_its_proxies_is_not_ready(tmp_path: Path) -> None:
    """The real server only logs that a listen address is in use: the keeper asks for every proxy."""
    empty = program(
        tmp_path,
        "toxiproxy-server",
        'case "$1" in --version) echo toxiproxy-server version 9;; '
        f'*) exec {shlex.quote(sys.executable)} -m sandbox.toxiproxy "$1" "$2" "$3" "$4";; esac',
    )
    keeper = runner.spawn("--toxiproxy-server", empty, "--ready-timeout", "2s", stdin=subprocess.PIPE)
    assert keeper.stdout is not None
    event = json.loads(keeper.stdout.readline())
    keeper.communicate(timeout=runner.DEADLINE_S)
    assert "toxiproxy: not ready within" in event["error"]
    assert "GET /proxies/redis-0 answers 404" in event["error"]
