"""The sandbox's parts, one by one: ports, options, processes, the choice of Redis, files and leases."""

import argparse
import json
import os
import random
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox import control, kubeconfig, options, ports, processes, redis_binary, run_directory

IP_LOCAL_PORT_RANGE = 51  # of linux/in.h, since Linux 6.3


@given(seed=st.integers(), count=st.integers(min_value=1, max_value=60))
def test_ports_are_never_picked_twice(seed: int, count: int) -> None:
    """All different, all below the usual range of outgoing ports."""
    picker = ports.Ports(random.Random(seed))
    picked = [picker.pick() for _ in range(count)]
    picker.close()
    assert len(set(picked)) == count
    assert all(20000 <= port < 32000 for port in picked)


def test_a_picked_port_is_held_for_its_server() -> None:
    """No second picker takes it, a client is refused, and a server with SO_REUSEADDR may listen, twice."""
    first, second = ports.Ports(random.Random(1)), ports.Ports(random.Random(1))
    port = first.pick()
    assert second.pick() != port
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect((ports.HOST, port))
    for _ in range(2):
        with (
            socket.create_server((ports.HOST, port)),
            socket.create_connection((ports.HOST, port), timeout=5),
        ):
            pass
    first.close()
    second.close()


def test_no_client_can_connect_to_itself_on_a_held_port() -> None:
    """The kernel takes no held port for an outgoing connection, even when it has no other to take."""
    picker = ports.Ports(
        low=40000, high=41000
    )  # inside the usual outgoing range, to prove it for the worst case
    port = picker.pick()
    with socket.socket() as client:
        try:
            only = (port | port << 16).to_bytes(4, sys.byteorder)
            client.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, only)
        except OSError:
            pytest.skip("this kernel cannot narrow the range of one socket")
        with pytest.raises(OSError, match=r"Cannot assign requested address|Connection refused"):
            client.connect((ports.HOST, port))
    picker.close()


def test_no_port_left() -> None:
    """An exhausted range is an error with a mend, not an endless search."""
    picker = ports.Ports(low=20000, high=20000)
    with pytest.raises(ports.PortError, match=r"no free port left .*; mend: "):
        picker.pick()


def test_options_from_arguments_and_environment() -> None:
    """An argument wins over SANDBOX_*; the Redis binary has CHAOS_REDIS_SERVER as its last resort."""
    environment = {
        "SANDBOX_GATEWAY_PORT": "8080",
        "SANDBOX_NAMESPACE": "from-environment",
        "SANDBOX_IGNORE_SIGINT": "1",
        "SANDBOX_REDIS_LAYOUT": "through",
        "CHAOS_REDIS_SERVER": "/opt/redis-server",
        "CHAOS_TOXIPROXY_SERVER": "/opt/toxiproxy-server",
    }
    argv = ["--namespace", "storms", "--gateway-command", "run 'my gateway' -v", "--ready-timeout", "500ms"]
    argv += ["--gateway-env", "A=1", "--gateway-env", "B=x=y"]
    assert options.parse(argv, environment) == options.Options(
        directory=None,
        logs=None,
        namespace="storms",
        redis_server="/opt/redis-server",
        redis_layout="through",
        toxiproxy_server="/opt/toxiproxy-server",
        gateway_command=("run", "my gateway", "-v"),
        gateway_cwd=None,
        gateway_port=8080,
        gateway_defects="",
        gateway_env=(("A", "1"), ("B", "x=y")),
        gateway_restart_delay_s=1.0,
        ready_timeout_s=0.5,
        die_with_parent=False,
        ignore_sigint=True,
        prometheus="",
        network="host",
    )


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["--gateway-port", "70000"], "--gateway-port: '70000' is no port"),
        (["--namespace", "Not_a_name"], "--namespace: 'Not_a_name' is no namespace"),
        (["--gateway-command", "a 'b"], '--gateway-command: "a \'b" cannot be split'),
        (["--redis-layout", "beside"], "--redis-layout: 'beside' is no layout; write around or through"),
        (["--gateway-env", "A"], "--gateway-env: 'A' is no variable; write NAME=VALUE"),
        (["--gateway-env", "GATEWAY_REDIS_ADDR=x"], "GATEWAY_REDIS_ADDR is set by the sandbox"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_options_that_are_wrong(argv: list[str], error: str) -> None:
    """The message names the option."""
    with pytest.raises(options.OptionError, match=error):
        options.parse(argv, {})


@given(
    st.floats(min_value=0, max_value=1e6).map(lambda value: f"{value:.3f}"), st.sampled_from(["ms", "s", "m"])
)
def test_durations_have_units(number: str, unit: str) -> None:
    """A number means nothing without its unit."""
    assert options.duration_s(number + unit) == float(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]
    with pytest.raises(argparse.ArgumentTypeError):
        options.duration_s(number)


def test_children_get_a_clean_environment() -> None:
    """Nothing that fakes the clock, diverts the traffic or points to another cluster is inherited."""
    inherited = {
        "PATH": "/bin",
        "LD_PRELOAD": "faketime.so",
        "FAKETIME": "+65",
        "FAKETIME_NO_CACHE": "1",
        "http_proxy": "http://proxy",
        "NO_PROXY": "*",
        "KUBECONFIG": "/home/me/.kube/config",
        "GATEWAY_DEFECTS": "slow",
        "SANDBOX_LOGS": "/logs",
    }
    assert processes.clean_environment(inherited) == {"PATH": "/bin"}


def test_zombies_are_dead() -> None:
    """A child that ended and was not reaped still answers kill(pid, 0), and is not alive."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        before = processes.read_stat(child.pid)
        assert before is not None
        assert processes.is_alive(child.pid, before.start_ticks)
        assert not processes.is_alive(child.pid, before.start_ticks + 1)
        processes.kill(before)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        os.kill(child.pid, 0)
        assert not processes.is_alive(child.pid, before.start_ticks)


def fake_redis(folder: Path, name: str, banner: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{banner}'\n", encoding="ascii")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_choice_of_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A usable server on PATH comes before the wheel's; one that is too old is passed over, or refused."""
    old = fake_redis(tmp_path, "redis-server", "Redis server v=6.0.16 sha=00000000:0")
    new = fake_redis(tmp_path, "valkey-server", "Valkey server v=8.0.1 sha=00000000:0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_binary.choose(None) == redis_binary.RedisBinary(new, "valkey 8.0.1")
    with pytest.raises(
        redis_binary.RedisBinaryError, match=r"redis-server: is redis 6.0.16, older than 6.2; mend"
    ):
        redis_binary.choose(old)
    Path(new).unlink()
    assert redis_binary.choose(None).path == redis_binary.wheel_binary()
    monkeypatch.setattr(redis_binary, "wheel_binary", lambda: None)
    with pytest.raises(
        redis_binary.RedisBinaryError, match=r"^no usable Redis: .*6.0.16, older than 6.2; mend"
    ):
        redis_binary.choose(None)


def test_kubeconfig() -> None:
    """The current context leads to the server, the namespace and a token."""
    config = yaml.safe_load(kubeconfig.render("http://127.0.0.1:20001", "alertstorm"))
    assert config["current-context"] == config["contexts"][0]["name"]
    assert config["contexts"][0]["context"] == {
        "cluster": config["clusters"][0]["name"],
        "user": config["users"][0]["name"],
        "namespace": "alertstorm",
    }
    assert config["clusters"][0]["cluster"] == {"server": "http://127.0.0.1:20001"}


def test_run_directory_keeps_the_logs_that_were_asked_for(tmp_path: Path) -> None:
    """Removed are our files alone; another sandbox cannot live in the same directory meanwhile."""
    home = tmp_path / "home"
    mine = run_directory.create(home)
    (home / "redis-0").mkdir()
    (home / "run" / "logs").mkdir(parents=True)
    (home / "run" / "logs" / "gateway.log").write_text("kept")
    with pytest.raises(run_directory.DirectoryError, match="another sandbox lives here; mend: "):
        run_directory.create(home)
    mine.remove(keep=home / "run" / "logs")
    assert [str(p.relative_to(home)) for p in sorted(home.rglob("*"))] == [
        "run",
        "run/logs",
        "run/logs/gateway.log",
    ]


def test_run_directory_of_a_dead_keeper_is_used_again(tmp_path: Path) -> None:
    """What a killed keeper left in an asked directory is ours to remove; what others left is not."""
    (tmp_path / ".alertstorm-sandbox").write_text("alertstorm-sandbox-1-1\n")
    (tmp_path / "kubeconfig").write_text("old")
    again = run_directory.create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".alertstorm-sandbox"]
    again.remove()
    tmp_path.mkdir()
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(run_directory.DirectoryError, match="is not empty"):
        run_directory.create(tmp_path)


def test_sweep_minds_no_directory_that_is_gone_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keeper ended, and removed it, between the listing and the look."""
    going = tmp_path / "alertstorm-sandbox-1-1"
    going.mkdir()

    def ends(pid: int, start_ticks: int) -> bool:
        going.rmdir()
        return False

    monkeypatch.setattr(run_directory.processes, "is_alive", ends)

    assert run_directory.sweep(tmp_path) == []


def test_sweep_spares_the_living(tmp_path: Path) -> None:
    """Swept are the directories of dead keepers: not a living one, nor a link, nor a lookalike."""
    own = processes.read_stat(os.getpid())
    assert own is not None
    living = tmp_path / f"alertstorm-sandbox-{own.pid}-{own.start_ticks}"
    dead = tmp_path / f"alertstorm-sandbox-{own.pid}-{own.start_ticks + 1}"
    other = tmp_path / "alertstorm-sandbox-notes"
    locked = tmp_path / f"alertstorm-sandbox-{own.pid}-{own.start_ticks + 2}"
    for directory in (living, dead, other):
        directory.mkdir()
        (directory / "file").touch()
    (tmp_path / "alertstorm-sandbox-1-1").symlink_to(other)
    holder = run_directory.create(locked)
    assert run_directory.sweep(tmp_path) == [dead]
    assert [living.exists(), dead.exists(), other.exists(), locked.exists()] == [True, False, True, True]
    holder.remove()


@given(st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.just("5")))
def test_only_a_fault_that_ends_is_accepted(value: float | bool | str | None) -> None:
    """for_s is above 0 and at most 3600: no endless fault, whatever is sent."""
    body = json.dumps({"for_s": value}).encode()
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 3600:
        assert control.lease_s(body) == value
    else:
        with pytest.raises(control.BadBody, match="for_s"):
            control.lease_s(body)
