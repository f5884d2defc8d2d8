"""The sandbox as its users meet it: one line when ready, real failover, faults that end by themselves."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests
import sandbox_runner as runner
import yaml
from redis.sentinel import MasterNotFoundError, Sentinel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[runner.Sandbox]:
    keeper = runner.spawn(
        "--gateway-command", runner.gateway_command(folder), "--logs", str(folder / "logs"),
        "--gateway-restart-delay", "100ms", "--gateway-defects", "slow=1", "--namespace", "storms",
        "--gateway-env", "GATEWAY_STORM_THRESHOLD=7", "--gateway-env", "EMPTY=",
    )  # fmt: skip
    yield runner.ready(keeper)
    keeper.communicate(timeout=runner.DEADLINE_S)
    assert keeper.returncode == 0


def primary_port(sandbox: runner.Sandbox) -> int | None:
    """The word of the first Sentinel; None while it sees no primary up."""
    host, port = sandbox.event["sentinels"][0].split(":")
    sentinel: Any = Sentinel([(host, int(port))])
    try:
        return int(sentinel.discover_master(sandbox.event["sentinel_master"])[1])
    except MasterNotFoundError:
        return None


def port_of(sandbox: runner.Sandbox, name: str) -> int:
    return int(sandbox.components()[name]["address"].split(":")[1])


def redis_role(port: int) -> tuple[str, int | None, str | None] | None:
    """Role, the primary's port and the state of the link; None when nobody answers."""
    try:
        with redis.Redis(port=port, socket_timeout=1) as client:
            info = client.info("replication")
    except redis.RedisError:
        return None
    return info["role"], info.get("master_port"), info.get("master_link_status")


def test_ready_line_names_servers_that_answer(sandbox: runner.Sandbox, folder: Path) -> None:
    """Every address in the ready line is in use, below the outgoing range, and of a real server."""
    event = sandbox.event
    assert requests.get(event["gateway_url"] + "/readyz", timeout=5).status_code == 200
    assert requests.get(event["control_url"] + "/healthz", timeout=5).json() == {"status": "ok"}
    kubeconfig = yaml.safe_load(Path(event["kubeconfig"]).read_text())
    server = kubeconfig["clusters"][0]["cluster"]["server"]
    assert requests.get(server + "/readyz", timeout=5).status_code == 200
    assert (event["namespace"], kubeconfig["contexts"][0]["context"]["namespace"]) == ("storms", "storms")
    assert redis_role(port_of(sandbox, "redis-0")) == ("master", None, None)
    assert primary_port(sandbox) == port_of(sandbox, "redis-0")
    assert len(event["sentinels"]) == 3
    addresses = [c["address"] for c in sandbox.components().values()]
    assert all(20000 <= int(address.split(":")[1]) < 32000 for address in addresses)
    assert (Path(event["logs_dir"]), event["redis_version"].split(" ")[0] in ("valkey", "redis")) == (
        folder / "logs",
        True,
    )
    assert 0 < event["ready_after_s"] < 15


def test_only_the_gateway_meets_the_faults(sandbox: runner.Sandbox) -> None:
    """The Gateway's kubeconfig leads to a port with faults; the announced one to the same objects without."""
    servers = [
        yaml.safe_load(Path(sandbox.event[name]).read_text())["clusters"][0]["cluster"]["server"]
        for name in ("kubeconfig", "gateway_kubeconfig")
    ]
    fault = {"name": "refuse", "path_prefix": "/version", "status": 503, "for_s": 60}
    faults = sandbox.event["faults_url"] + "/faults"
    assert requests.post(faults, json=fault, timeout=5).status_code == 201
    try:
        assert [requests.get(s + "/version", timeout=5).status_code for s in servers] == [200, 503]
    finally:
        ended = requests.delete(faults + "/refuse", timeout=5).json()
    assert (ended["was_active"], ended["hits"]["count"]) == (True, 1)
    assert [requests.get(s + "/version", timeout=5).status_code for s in servers] == [200, 200]


def test_components_list_what_runs(sandbox: runner.Sandbox) -> None:
    """Eight components in their order; Redis roles are what the Sentinels say."""
    components = sandbox.components()
    assert [(c["name"], c["role"], c["restart"]) for c in components.values()] == [
        ("redis-0", "redis-primary", "never"),
        ("redis-1", "redis-replica", "never"),
        ("sentinel-0", "sentinel", "never"),
        ("sentinel-1", "sentinel", "never"),
        ("sentinel-2", "sentinel", "never"),
        ("kubernetes-api", "kubernetes-api", "always"),
        ("toxiproxy", "toxiproxy", "always"),
        ("gateway", "gateway", "always"),
    ]
    for component in components.values():
        assert (component["state"], component["starts"], component["exits"]) == ("running", 1, [])
        assert component["lease_left_s"] is None
        assert psutil.Process(component["pid"]).ppid() == sandbox.keeper.pid


def test_gateway_gets_the_documented_environment(sandbox: runner.Sandbox, folder: Path) -> None:
    """A foreign Gateway finds Redis, the Sentinels and the cluster in its environment, behind proxies."""
    environment = json.loads((folder / "environment.json").read_text())
    redis = [sandbox.components()[name]["address"] for name in ("redis-0", "redis-1")]
    proxies = requests.get(sandbox.event["proxy_url"] + "/proxies", timeout=5).json()
    assert [proxies[name]["upstream"] for name in ("redis-0", "redis-1")] == redis
    fronts = [proxies[name]["listen"] for name in ("redis-0", "redis-1")]
    expected = {
        "GATEWAY_LISTEN_ADDR": sandbox.event["gateway_url"].removeprefix("http://"),
        "GATEWAY_REDIS_ADDR": fronts[0],
        "GATEWAY_REDIS_ADDRESS_MAP": ",".join(f"{a}={b}" for a, b in zip(redis, fronts, strict=True)),
        "GATEWAY_REDIS_SENTINELS": ",".join(sandbox.event["sentinels"]),
        "GATEWAY_REDIS_MASTER": sandbox.event["sentinel_master"],
        "GATEWAY_NAMESPACE": "storms",
        "GATEWAY_DEFECTS": "slow=1",
        "KUBECONFIG": sandbox.event["gateway_kubeconfig"],
        "GATEWAY_CLOCK_FILE": sandbox.event["clock_file"],
        "GATEWAY_STORM_THRESHOLD": "7",
        "EMPTY": "",
    }
    assert {name: environment.get(name) for name in expected} == expected
    assert Path(sandbox.event["clock_file"]).read_text() == ""
    cluster = yaml.safe_load(Path(environment["KUBECONFIG"]).read_text())["clusters"][0]["cluster"]
    assert cluster == {"server": "http://" + proxies["kubernetes-api"]["listen"]}
    # Its upstream is the API's faulty port, not the clean one that the harness reads from.
    assert proxies["kubernetes-api"]["upstream"] != sandbox.components()["kubernetes-api"]["address"]
    assert requests.get(cluster["server"] + "/readyz", timeout=5).status_code == 200
    keeper_s_other_children = set(sandbox.components()) - {"gateway"}
    for name in keeper_s_other_children:
        assert "EMPTY" not in psutil.Process(sandbox.components()[name]["pid"]).environ()


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/components/redis-7/kill", {"for_s": 1}, 404, "there are: redis-0, redis-1, sentinel-0"),
        ("/components/gateway/kill", {}, 400, "for_s: None"),
        ("/components/gateway/kill", {"for_s": 0}, 400, "for_s: 0"),
        ("/components/gateway/kill", {"for_s": 3601}, 400, "for_s: 3601"),
        ("/components/gateway/kill", {"for_s": 1, "signal": "HUP"}, 400, "'HUP' is not KILL or TERM"),
        ("/components/gateway/kill", {"restart_after_s": -1}, 400, "restart_after_s: -1"),
        ("/components/gateway/kill", {"restart_after_s": 1, "for_s": 1}, 400, "excludes for_s"),
        ("/components/gateway/pause", {"for_s": True}, 400, "for_s: True"),
        ("/components/gateway/feed", {}, 404, "POST /components/NAME/(kill|start|pause|resume)"),
    ],
)
def test_refusals_say_why(
    sandbox: runner.Sandbox, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    """A request that cannot be served is refused with a sentence, and harms nobody."""
    answer = sandbox.post(path, body)
    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert sandbox.components()["gateway"]["exits"] == []


def test_a_dead_gateway_is_restarted_like_a_pod(sandbox: runner.Sandbox) -> None:
    """A death that nobody asked for is listed as unexpected, and followed by another life."""
    before = sandbox.components()["gateway"]
    os.kill(before["pid"], signal.SIGKILL)
    after = runner.wait_until(
        lambda: (c := sandbox.components()["gateway"])["starts"] == 2 and c, "the gateway's second life"
    )
    assert after["pid"] != before["pid"]
    assert [(e["pid"], e["code"], e["why"]) for e in after["exits"]] == [(before["pid"], -9, "unexpected")]
    assert sandbox.post("/components/gateway/start").json()["already_running"] is True


def test_a_gateway_killed_like_a_pod(sandbox: runner.Sandbox) -> None:
    """Killed with a delay it comes back by itself after that, not after its own delay; no lease is left."""
    before = sandbox.components()["gateway"]
    body = {"signal": "KILL", "restart_after_s": 1.5}
    killed = sandbox.post("/components/gateway/kill", body)
    died_s = time.monotonic()
    assert (killed.status_code, killed.json()["pid"]) == (200, before["pid"])
    assert (killed.json()["signal"], killed.json()["restart_after_s"]) == ("KILL", 1.5)
    dead = sandbox.components()["gateway"]
    assert (dead["state"], dead["lease_left_s"]) == ("dead", None)
    after = runner.wait_until(
        lambda: (c := sandbox.components()["gateway"])["starts"] > before["starts"] and c, "another life"
    )
    assert time.monotonic() - died_s > 1.2  # its own delay would be 0.1 s
    assert after["pid"] not in (None, before["pid"])
    assert [after["exits"][-1][key] for key in ("pid", "code", "why")] == [
        before["pid"],
        -9,
        "killed by control",
    ]
    os.kill(after["pid"], signal.SIGKILL)
    runner.wait_until(
        lambda: sandbox.components()["gateway"]["starts"] > after["starts"], "a return with its own delay"
    )


def test_a_killed_gateway_stays_dead_for_its_lease(sandbox: runner.Sandbox) -> None:
    """While a lease runs the restart rule is silent; SIGTERM is answered with the death, as SIGKILL is."""
    killed = sandbox.post("/components/gateway/kill", {"signal": "TERM", "for_s": 600})
    assert killed.status_code == 200
    assert (killed.json()["signal"], killed.json()["lease_s"]) == ("TERM", 600)
    dead = sandbox.components()["gateway"]
    assert (dead["state"], dead["pid"], dead["exits"][-1]["why"]) == ("dead", None, "killed by control")
    assert 0 < dead["lease_left_s"] <= 600
    started = sandbox.post("/components/gateway/start")
    assert (started.status_code, started.json()["already_running"]) == (200, False)
    assert sandbox.components()["gateway"]["lease_left_s"] is None


def test_pause_ends_with_its_lease_or_by_resume(sandbox: runner.Sandbox) -> None:
    """A paused server is alive and silent; whoever paused it need not be there to end that."""
    pid = sandbox.components()["kubernetes-api"]["pid"]
    assert sandbox.post("/components/kubernetes-api/pause", {"for_s": 600}).status_code == 200
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    assert sandbox.components()["kubernetes-api"]["paused"] is True
    assert sandbox.post("/components/kubernetes-api/pause", {"for_s": 1}).status_code == 409
    assert sandbox.post("/components/kubernetes-api/resume").json()["already_running"] is False
    assert sandbox.post("/components/kubernetes-api/pause", {"for_s": 0.1}).status_code == 200
    runner.wait_until(lambda: not sandbox.components()["kubernetes-api"]["paused"], "the end of the lease")
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED
    assert sandbox.components()["kubernetes-api"]["pid"] == pid


def test_failover_and_return_as_replica(sandbox: runner.Sandbox) -> None:
    """The primary dies, the replica is promoted, and the former primary returns as its replica by itself."""
    old, new = port_of(sandbox, "redis-0"), port_of(sandbox, "redis-1")
    pid = sandbox.components()["redis-0"]["pid"]
    killed = sandbox.post("/components/redis-primary/kill", {"signal": "KILL", "for_s": 3})
    assert killed.status_code == 200
    assert (killed.json()["name"], killed.json()["pid"]) == ("redis-0", pid)
    assert killed.json()["died_ago_s"] < 5
    again = sandbox.post("/components/redis-0/kill", {"for_s": 1})
    assert (again.status_code, again.json()["error"]) == (409, "redis-0 is already dead")
    runner.wait_until(lambda: primary_port(sandbox) == new, "promotion of redis-1", deadline_s=15)
    runner.wait_until(lambda: redis_role(old) == ("slave", new, "up"), "redis-0 as replica of redis-1")
    components = sandbox.components()
    assert [components[name]["role"] for name in ("redis-0", "redis-1")] == ["redis-replica", "redis-primary"]
    assert (components["redis-0"]["starts"], components["redis-0"]["exits"][0]["code"]) == (2, -9)


def test_start_ends_the_lease_early(sandbox: runner.Sandbox) -> None:
    """A start does not wait for the lease, and says the new pid; a second one changes nothing."""
    assert sandbox.post("/components/redis-replica/kill", {"for_s": 600}).status_code == 200
    first = sandbox.post("/components/redis-replica/start").json()
    assert first["already_running"] is False
    second = sandbox.post("/components/redis-replica/start").json()
    assert (second["pid"], second["already_running"]) == (first["pid"], True)
    assert redis_role(port_of(sandbox, first["name"])) == ("slave", primary_port(sandbox), "up")


def test_a_sentinel_that_returns_knows_the_primary(sandbox: runner.Sandbox) -> None:
    """Sentinels keep what they learned over a death."""
    before = primary_port(sandbox)
    assert sandbox.post("/components/sentinel-0/kill", {"for_s": 600}).status_code == 200
    assert sandbox.post("/components/sentinel-0/start").status_code == 200
    assert primary_port(sandbox) == before


def test_every_component_has_a_log(sandbox: runner.Sandbox) -> None:
    """One file a component, and the keeper's own."""
    names = {file.stem for file in Path(sandbox.event["logs_dir"]).iterdir()}
    assert names == {*sandbox.components(), "keeper"}
