"""The throttle backend against a real Kubernetes API process, and how its bite reaches the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import injecting
import kubernetes_api_server as k8s
import pytest
from injecting import Broken, fault
from kubernetes_api_server import RunningServer

from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from chaos_hooks.conductor import Conductor
from chaos_hooks.errors import SetupError
from chaos_hooks.journal import Journal
from chaos_hooks.line_file import LineFile
from shapes import scenario
from shapes.document import Node
from shapes.scenario import Fault
from shapes.target import Endpoints
from shapes.timeline import Timeline

CREATE: dict[str, Any] = {"verbs": ["create"], "resource": k8s.PLURAL}


class World:
    """A server with its faulty port, and the endpoints a target announces of it."""

    def __init__(self, server: RunningServer, faulty: int, admin: int) -> None:
        self.faulty = RunningServer(server.process, faulty, server.kubeconfig, server.log)
        self.admin = RunningServer(server.process, admin, server.kubeconfig, server.log)
        self.endpoints = Endpoints(faults_url=f"http://127.0.0.1:{admin}")
        self.namespace = server.new_namespace()

    def create(self, name: str) -> int:
        """Create a RemediationRequest as the Gateway does; the status."""
        path = k8s.REQUESTS.format(self.namespace)
        return self.faulty.call("POST", path, k8s.remediation_request(name))[0]

    def faults(self) -> list[dict[str, Any]]:
        """What is switched on."""
        listed: list[dict[str, Any]] = self.admin.call("GET", "/faults")[1]["faults"]
        return listed


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    faulty, admin = k8s.free_port(), k8s.free_port()
    ports = ("--faulty-listen", f"127.0.0.1:{faulty}", "--faults-listen", f"127.0.0.1:{admin}")
    with k8s.running_server(tmp_path_factory.mktemp("throttle"), *ports) as server:
        yield World(server, faulty, admin)


def test_its_bite_is_told_when_it_is_healed(world: World) -> None:
    """Armed is not bitten: at inject nothing was seen, at heal the API tells whom it refused."""
    broken = Broken(world.endpoints, fault("throttle", retry_after_s=10.0, **CREATE))
    assert (broken.effect.seen, broken.effect.bit) == (False, None)
    assert "create remediationrequests answered 429, Retry-After 10 s" in broken.effect.evidence[0]
    assert "is on there already" in injecting.why_not(world.endpoints, fault("throttle"))
    assert [world.create("a"), world.create("b")] == [429, 429]
    healed = broken.heal()
    assert (healed.seen, healed.bit) == (True, True)
    assert "switched off; 2 requests met it" in healed.evidence[0]
    assert (world.create("a"), world.faults()) == (201, [])
    again = broken.heal()
    assert (again.bit, "was not on any more" in again.evidence[0]) == (None, True)


def test_nobody_met_it(world: World) -> None:
    """No request, no bite; that is said, and not guessed."""
    healed = Broken(world.endpoints, fault("throttle", status=503)).heal()
    assert (healed.bit, healed.evidence) == (False, ("switched off; no request met it",))


def test_the_lease_is_the_servers(world: World) -> None:
    """The server ends it ten seconds after it was to end, whoever lives."""
    broken = Broken(world.endpoints, fault("throttle", for_s=2.0))
    (listed,) = world.faults()
    assert listed["for_s"] == 12.0
    assert broken.backend.sweep(broken.undo) == "switched off; no request met it"


def test_options_become_the_order(world: World) -> None:
    """burst, share, delay and reset as the fault layer takes them; a delay alone refuses nothing."""
    broken = Broken(
        world.endpoints,
        fault("throttle", burst=3, share=0.5, delay_s=0.2, path_prefix="/apis", verbs=["list"]),
    )
    (listed,) = world.faults()
    broken.heal()
    wanted = {"times": 3, "probability": 0.5, "delay_s": 0.2, "status": None, "path_prefix": "/apis"}
    assert {key: listed[key] for key in wanted} == wanted
    broken = Broken(world.endpoints, fault("throttle", reset=True))
    with pytest.raises(ConnectionResetError):
        world.create("reset")
    assert broken.heal().bit is True


def test_a_server_that_is_gone_took_its_faults_along(world: World, tmp_path: Path) -> None:
    """sweep does not fail over an address where nobody is; heal does, as it cannot know."""
    nobody = f"http://127.0.0.1:{k8s.free_port()}"
    backend = injection.revive("throttle", "old", {"options": {}}, Endpoints(), RunClock(), "journal")
    undo = {"faults_url": nobody, "name": "old"}
    assert backend.sweep(undo) == "old: the API that knew it is gone"
    # In a cluster it may only be out of reach: then its lease must be over.
    assert backend.sweep({**undo, "over_unix_s": 1.0}) == "old: its lease is over"
    with pytest.raises(injection.InjectionError, match="ConnectionError"):
        backend.sweep({**undo, "over_unix_s": 1e12})
    with pytest.raises(injection.InjectionError, match="DELETE /faults/old: ConnectionError"):
        backend.heal(undo)
    assert "no faults_url" in injecting.why_not(Endpoints(), fault("throttle"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"retry_after": 10}, "does not take retry_after 10; write it with its unit, like 10s"),
        ({"retry_after_s": 0.5}, "retry_after: 0.5s; the header carries whole seconds only"),
        ({"verb": "create"}, "does not take verb 'create'; it takes status, retry_after, verbs"),
        ({"verbs": "create"}, r"verbs: 'create' is no list; write \[create, update\]"),
        ({"burst": 0}, "burst: 0 is no whole number above 0"),
    ],
)
def test_options_are_refused_by_name(options: dict[str, Any], sentence: str) -> None:
    """Before the run, with the mend."""
    with pytest.raises(SetupError, match=sentence):
        injecting.why_not(Endpoints(), fault("throttle", **options))


def plan(asked: Fault) -> Timeline:
    """A timeline of one fault, at once, for half a second."""
    phases = [{"name": "all", "rate": "1/s", "for": "1s"}]
    pace = {"phases": phases, "faults": [{"inject": asked.inject, "at": "0s", "for": "500ms"}]}
    document = {"title": "t", "paces": {"quick": pace}, "criteria": []}
    return Timeline(scenario.parse(Node("t.yaml", "", document), "t", "quick"))


@pytest.mark.parametrize("requests", [1, 0])
def test_the_conductor_records_a_bite_that_is_told_late(world: World, tmp_path: Path, requests: int) -> None:
    """The last record of the fault says whether it bit, though the first could not know."""
    asked = fault("throttle", "throttle", **CREATE)
    backend = injection.load(asked, world.endpoints, RunClock(), "here")
    record, journal = LineFile(tmp_path / "injections.jsonl"), Journal(tmp_path)
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if "injected" in sentence:
            for number in range(requests):
                assert world.create(f"bite-{number}") == 429

    clock = RunClock()
    Conductor(plan(asked), {"throttle": backend}, clock, journal, record, say).run()
    lines = [json.loads(line) for line in (tmp_path / "injections.jsonl").read_text().splitlines()]
    assert [line["bit"] for line in lines] == [False, requests > 0]
    assert lines[0]["ended"] is None
    assert lines[1]["ended"] is not None
    assert f"{requests or 'no'} request" in lines[1]["evidence"][1]
