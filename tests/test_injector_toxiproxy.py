"""The toxiproxy backend: every action is seen by a real client, and undone to what there was before."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import injecting
import kubernetes_api_server as k8s
import pytest
from fake_toxiproxy import FakeToxiproxy
from hypothesis import given
from hypothesis import strategies as st
from injecting import Broken, fault, wait_until

from chaos_hooks import tcp_probe, toxics
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.tcp_probe import Sight
from shapes.target import Endpoints


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[k8s.RunningServer]:
    """Something behind the proxy that speaks HTTP."""
    with k8s.running_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def proxies(api: k8s.RunningServer) -> Iterator[FakeToxiproxy]:
    with FakeToxiproxy() as fake:
        for name in ("kubernetes-api", "other"):
            fake.add(name, k8s.free_port(), api.port)
        yield fake


def endpoints(proxies: FakeToxiproxy) -> Endpoints:
    return Endpoints(proxy_url=proxies.url)


def look(proxies: FakeToxiproxy, name: str = "kubernetes-api") -> Sight:
    return tcp_probe.look("127.0.0.1", proxies.proxies[name].listen[1], "http", 1, 1.0)


@pytest.mark.parametrize(
    ("options", "how", "standing"),
    [
        ({"action": "partition"}, "stalled", 2),
        ({"action": "down"}, "refused", 0),
        ({"action": "latency", "latency_s": 0.2, "jitter_s": 0.02}, "answered", 1),
        ({"action": "latency", "latency_s": 0.1, "direction": "both"}, "answered", 2),
        ({"action": "timeout"}, "stalled", 2),
        ({"action": "reset_peer", "direction": "both"}, "reset", 2),
        ({"action": "limit_data", "bytes": 30}, "answered", 1),
        ({"action": "slicer", "average_size": 50, "delay_s": 0.01}, "answered", 1),
        ({"toxics": [{"type": "latency", "attributes": {"latency": 150}}]}, "answered", 1),
    ],
)
def test_every_action_is_seen_and_undone(
    proxies: FakeToxiproxy, options: dict[str, Any], how: str, standing: int
) -> None:
    """The evidence is what a client saw; healing takes away what was added, and no other proxy is touched."""
    foreign = {"name": "somebody's", "type": "noop", "stream": "downstream", "toxicity": 1, "attributes": {}}
    proxies.proxies["kubernetes-api"].toxics.append(foreign)
    before = proxies.answer("GET", "/proxies", {})
    broken = Broken(endpoints(proxies), fault("toxiproxy", proxy="kubernetes-api", **options))
    assert broken.effect.seen, broken.effect.evidence
    assert f"a client saw it: {how}" in broken.effect.evidence[1]
    ours = [t for t in proxies.proxies["kubernetes-api"].toxics if t is not foreign]
    assert len(ours) == standing
    assert all(toxic["name"].startswith("alertstorm-broken-") for toxic in ours)
    assert look(proxies, "other").how == "answered"
    healed = broken.heal()
    assert healed.at.earliest_s >= broken.effect.at.latest_s
    assert healed.evidence[-1] == "its watchdog was not needed"
    assert proxies.answer("GET", "/proxies", {}) == before
    wait_until(lambda: look(proxies).how == "answered", "answers after the heal")
    assert "gone already" in broken.heal().evidence[0] or "enabled already" in broken.heal().evidence[0]
    assert proxies.answer("GET", "/proxies", {}) == before
    assert injecting.watchdogs() == []


def test_a_partition_loses_nothing(proxies: FakeToxiproxy) -> None:
    """What was sent into it arrives when it is healed, on the same connection."""
    with socket.create_connection(proxies.proxies["kubernetes-api"].listen, 20) as client:
        broken = Broken(endpoints(proxies), fault("toxiproxy", proxy="kubernetes-api", action="partition"))
        client.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        broken.heal()
        assert client.recv(12) == b"HTTP/1.1 200"


def test_two_proxies_two_faults(proxies: FakeToxiproxy) -> None:
    """A fault over a list of proxies needs to be seen on each; each fault removes its own toxics only."""
    first = Broken(
        endpoints(proxies),
        fault("toxiproxy", "first", proxy=["kubernetes-api", "other"], action="latency", latency_s=0.05),
    )
    second = Broken(endpoints(proxies), fault("toxiproxy", "second", proxy="other", action="partition"))
    assert [len(first.effect.evidence), first.effect.seen, second.effect.seen] == [3, True, True]
    first.heal()
    assert {t["name"] for t in proxies.proxies["other"].toxics} == {
        "alertstorm-second-bandwidth-upstream",
        "alertstorm-second-bandwidth-downstream",
    }
    assert proxies.proxies["kubernetes-api"].toxics == []
    second.heal()
    assert proxies.proxies["other"].toxics == []


def test_a_fault_that_shows_nothing_is_not_seen(proxies: FakeToxiproxy) -> None:
    """A toxic that does nothing is read back, and still is no evidence."""
    broken = Broken(endpoints(proxies), fault("toxiproxy", proxy="other", toxics=[{"type": "noop"}]))
    assert (broken.effect.seen, "a client did not see it: answered" in broken.effect.evidence[1]) == (
        False,
        True,
    )
    broken.heal()


def test_nothing_is_proved_through_a_proxy_that_was_dead_before(proxies: FakeToxiproxy) -> None:
    """No answer before and none after: the fault may be on, but nobody saw it bite."""
    proxies.add("to-nowhere", k8s.free_port(), k8s.free_port())
    broken = Broken(endpoints(proxies), fault("toxiproxy", proxy="to-nowhere", action="down"))
    assert broken.effect.seen is False
    broken.heal()
    assert proxies.proxies["to-nowhere"].enabled


def test_what_the_proxy_took_otherwise_is_an_error_and_healed(proxies: FakeToxiproxy) -> None:
    """Toxiproxy drops unknown attributes in silence; then nothing stays behind."""
    asked = fault("toxiproxy", proxy="other", toxics=[{"type": "latency", "attributes": {"latencyy": 5}}])
    with pytest.raises(InjectionError, match="not as asked; check its attributes"):
        Broken(endpoints(proxies), asked)
    assert proxies.proxies["other"].toxics == []
    assert injecting.watchdogs() == []


def test_why_it_is_not_available(proxies: FakeToxiproxy, api: k8s.RunningServer) -> None:
    """No address, an unknown proxy, a disabled one, a leftover of the same name, nobody there."""
    asked = fault("toxiproxy", proxy="kubernetes-api", action="timeout")
    assert "no proxy_url" in injecting.why_not(Endpoints(), asked)
    assert injecting.why_not(endpoints(proxies), fault("toxiproxy", proxy="x", action="down")) == (
        "there is no proxy 'x'; there are: kubernetes-api, other"
    )
    broken = Broken(endpoints(proxies), asked)
    assert "has toxics of a fault 'broken' already" in injecting.why_not(endpoints(proxies), asked)
    broken.heal()
    proxies.proxies["kubernetes-api"].disable()
    assert "is disabled already" in injecting.why_not(endpoints(proxies), asked)
    nobody = Endpoints(proxy_url=f"http://127.0.0.1:{k8s.free_port()}")
    assert injecting.why_not(nobody, asked) == "GET /proxies: ConnectionError"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"action": "down"}, "proxy: is missing"),
        ({"proxy": "p"}, "action: give one of partition, down"),
        ({"proxy": "p", "action": "explode"}, "action: unknown 'explode'; there are: partition"),
        ({"proxy": "p", "action": "latency"}, "latency: is missing"),
        (
            {"proxy": "p", "action": "latency", "latency": 500},
            "latency: 500 has no unit; write it like 500ms",
        ),
        ({"proxy": "p", "action": "down", "latency_s": 1.0}, "does not take latency_s; it takes proxy"),
        ({"proxy": "p", "action": "timeout", "direction": "up"}, "direction: unknown 'up'"),
        ({"proxy": "p", "action": "limit_data"}, "bytes: None is no whole number"),
        ({"proxy": "p", "action": "down", "probe": "dns"}, "probe: 'dns' is none of redis, http"),
        ({"proxy": "p", "toxics": [{"kind": "latency"}]}, r"toxics\[0\]: takes type"),
    ],
)
def test_options_are_refused_by_name(options: dict[str, Any], sentence: str) -> None:
    """A wrong option ends the run before it begins, with the option and the mend."""
    with pytest.raises(SetupError, match=sentence):
        injecting.why_not(Endpoints(), fault("toxiproxy", **options))


@pytest.fixture
def forwarded(proxies: FakeToxiproxy) -> Iterator[Endpoints]:
    """The proxy as in a cluster: it listens on its pod's loopback, and is reached through a port-forward."""
    with FakeToxiproxy() as forwarding:
        inside = proxies.proxies["other"]
        port = k8s.free_port()
        forwarding.add("forward", port, inside.listen[1])
        shown = inside.as_json
        inside.as_json = lambda: {**shown(), "listen": "127.0.0.1:9"}  # type: ignore[method-assign]
        addresses = {"other": f"127.0.0.1:{port}"}
        yield Endpoints(proxy_url=proxies.url, proxy_addresses=addresses, pods_namespace="default")


@pytest.mark.parametrize(
    "options", [{"action": "partition"}, {"action": "latency", "latency_s": 0.2}, {"action": "down"}]
)
def test_a_proxy_in_a_cluster_is_looked_at_where_it_is_forwarded(
    proxies: FakeToxiproxy, forwarded: Endpoints, options: dict[str, Any]
) -> None:
    """Its own port cannot be reached from here; through the forwarded one the fault is seen, and undone."""
    before = proxies.answer("GET", "/proxies", {})
    broken = Broken(forwarded, fault("toxiproxy", proxy="other", **options))
    assert broken.effect.seen, broken.effect.evidence
    broken.heal()
    assert proxies.answer("GET", "/proxies", {}) == before


def test_a_forwarded_port_that_leads_nowhere_is_told(proxies: FakeToxiproxy, forwarded: Endpoints) -> None:
    """Before the run, as nothing could be proved through it."""
    address = f"127.0.0.1:{k8s.free_port()}"
    nowhere = replace(forwarded, proxy_addresses={"other": address})
    why = injecting.why_not(nowhere, fault("toxiproxy", proxy="other", action="partition"))
    assert why.startswith(f"proxy 'other' does not answer at {address} (refused after")


def test_a_server_out_of_reach_is_not_gone_in_a_cluster(proxies: FakeToxiproxy, forwarded: Endpoints) -> None:
    """Nobody at the address may be a port-forward that ended: a sweep must not take the toxics for gone."""
    broken = Broken(forwarded, fault("toxiproxy", proxy="other", action="partition"))
    away = {**broken.undo, "proxy_url": f"http://127.0.0.1:{k8s.free_port()}"}
    with pytest.raises(InjectionError, match="ConnectionError"):
        broken.backend.sweep(away)
    assert broken.backend.sweep({**away, "outlives": False}) == "other: the whole proxy server is gone"
    assert "2 toxics removed" in broken.backend.sweep(broken.undo)
    broken.heal()


def test_a_killed_run_leaves_no_toxic_behind(proxies: FakeToxiproxy) -> None:
    """SIGKILL to the run: its watchdog removes the toxics at once, and ends."""
    asked = fault("toxiproxy", "orphan", proxy=["kubernetes-api", "other"], action="partition")
    with injecting.killed_run(endpoints(proxies), asked) as said:
        assert said["seen"] is True
        wait_until(lambda: not any(p.toxics for p in proxies.proxies.values()), "the watchdog's heal")
    assert look(proxies).how == "answered"


def test_a_killed_run_leaves_no_proxy_down(proxies: FakeToxiproxy) -> None:
    """The same for a proxy that was disabled; and the next run's sweep finds nothing left to do."""
    asked = fault("toxiproxy", "orphan", proxy="other", action="down")
    with injecting.killed_run(endpoints(proxies), asked):
        wait_until(lambda: proxies.proxies["other"].enabled, "the watchdog's heal")


@given(st.text(min_size=1, max_size=20))
def test_toxics_can_always_be_addressed(name: str) -> None:
    """Whatever a fault is called, its toxics' names fit into a path."""
    made = toxics.plan(name, {"action": "partition"}).toxics
    assert len({toxic.name for toxic in made}) == 2
    assert all(
        set(toxic.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
        for toxic in made
    )


def test_a_look_at_nobody() -> None:
    """A port where nobody listens is refused at once."""
    began_s = time.monotonic()
    assert tcp_probe.look("127.0.0.1", k8s.free_port(), "redis", 1, 5.0).how == "refused"
    assert time.monotonic() - began_s < 5.0
