"""The netns backend in a real network namespace: packets are dropped by the kernel, and come again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import injecting
import pytest
from injecting import Broken, fault
from locust_process import HOME, alive, locust, statuses
from network_rooms import PORT, Room, room

from chaos_hooks import injection, planning
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injectors import netns
from chaos_hooks.network_namespace import Gone
from chaos_hooks.options import ungiven
from reports import folder as run_folder
from shapes.endpoints import Endpoints

DROPPED = str(HOME / "tests/data/dropped.yaml")
# A run that drops for a second, with a lease of one more, and is killed before it can heal.
_KILLED = """
import json, os, signal, sys
from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from chaos_hooks.injectors import netns
from shapes.endpoints import Endpoints
from shapes.scenario import Fault
netns._LEASE_MARGIN_S = 1.0
backend = injection.load(
    Fault("broken", "netns", 0.0, 1.0, {"ports": [int(sys.argv[2])]}),
    Endpoints(network_pid=sys.argv[1]), RunClock(), "here",
)
backend.inject(lambda undo: print(json.dumps(undo), flush=True))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place() -> Iterator[Room]:
    """A namespace with a server and a client in it."""
    with room() as made:
        yield made


def test_dropped_packets_time_out_and_the_kernel_counts_them(place: Room) -> None:
    """A black hole: an old connection goes silent, a new one is not even made; healed, both work again."""
    assert place.ask("kept")[0] == "answered"
    broken = Broken(place.endpoints, fault("netns", ports=[PORT]))
    old, new = place.ask("kept"), place.ask("new")
    healed = broken.heal()

    assert (old[0], new[0]) == ("timeout", "timeout")
    assert broken.effect.evidence[0].startswith(
        f"100% of the packets to and from ports {PORT} are dropped in"
    )
    assert (healed.seen, healed.bit) == (True, True)
    assert "the kernel had dropped" in healed.evidence[0]
    assert "TCP sent" in healed.evidence[0]
    assert place.ask("new", 30)[0] == "answered"
    assert broken.heal().evidence == ("table alertstorm_broken was gone already",)


def test_lost_packets_are_sent_again_and_only_time_is_lost(place: Room) -> None:
    """Three in ten, both ways: every byte arrives, some of them only by a retransmission."""
    assert place.ask("new")[0] == "answered"
    broken = Broken(place.endpoints, fault("netns", ports=[PORT], loss=0.3))
    said = [place.ask("kept", 60)[0] for _ in range(12)]
    healed = broken.heal()

    assert said == ["answered"] * 12
    assert healed.bit is True
    assert "30% of the packets" in broken.effect.evidence[0]


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_one_direction_is_enough(place: Room, direction: str) -> None:
    """Neither a question nor an answer gets through alone."""
    broken = Broken(place.endpoints, fault("netns", ports=[PORT], direction=direction))
    assert place.ask("new")[0] == "timeout"
    assert broken.heal().bit is True


def test_a_port_that_nobody_uses_is_not_bitten(place: Room) -> None:
    """No packet met the rules: the fault did not bite, and that is said."""
    broken = Broken(place.endpoints, fault("netns", ports=[PORT + 1]))
    assert place.ask("new")[0] == "answered"
    healed = broken.heal()
    assert (broken.effect.seen, healed.bit) == (False, False)
    assert "dropped no packets" in healed.evidence[0]


def test_the_lease_is_the_kernels_and_outlives_nobody(place: Room) -> None:
    """The run is killed with SIGKILL, nobody heals: the packets pass again when the lease is over."""
    words = [sys.executable, "-c", _KILLED, place.endpoints.network_pid, str(PORT)]
    killed = subprocess.run(words, cwd=HOME, capture_output=True, text=True, timeout=60, check=False)
    at_first = place.ask("new", 0.2)[0]

    assert killed.returncode == -9, killed.stderr
    assert at_first == "timeout"
    injecting.wait_until(lambda: place.ask("new", 0.2)[0] == "answered", "the end of the lease")


def test_what_a_killed_run_left_is_swept(place: Room) -> None:
    """From the journal's undo alone, by a process that knows no endpoints."""
    broken = Broken(place.endpoints, fault("netns", ports=[PORT]))
    backend = injection.revive("netns", "broken", broken.undo, Endpoints(), RunClock(), "journal")

    assert backend.sweep(broken.undo).startswith("table alertstorm_broken deleted")
    assert place.ask("new", 30)[0] == "answered"


def test_a_namespace_that_is_gone_took_its_rules_along(place: Room) -> None:
    """Process ids come round again: another process of that number is left alone."""
    broken = Broken(place.endpoints, fault("netns", ports=[PORT]))
    other = {**broken.undo, "identity": "net:[1]"}
    ours = {**broken.undo, "pid": os.getpid()}

    for undo in (other, ours):
        assert "is gone" in broken.backend.sweep(undo)
        with pytest.raises(Gone):
            broken.backend.heal(undo)
    assert broken.heal().bit is not None


def test_this_processs_own_network_is_never_touched() -> None:
    """Neither by its own number nor by that of a process beside it."""
    assert "shares this machine's network" in injecting.why_not(Endpoints(), fault("netns", ports=[1])) or (
        netns.lacks(Endpoints())
    )
    reason = injecting.why_not(Endpoints(network_pid=str(os.getpid())), fault("netns", ports=[1]))
    assert "shares this process's network, where no packet may be dropped" in reason or "no nft" in reason


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give proxy .* or ports"),
        ({"ports": [1], "proxy": "redis-0"}, "give proxy .* or ports"),
        ({"ports": 6379}, r"ports: 6379 is no list of numbers, like \[6379\]"),
        ({"ports": []}, "is empty; without a port no packet is dropped"),
        ({"ports": [1], "loss": 0.0}, "loss: 0.0 is no share from 0.01% to 100%"),
        ({"ports": [1], "direction": "up"}, "unknown 'up'; there are: both, to_server, to_client"),
        ({"ports": [1], "lost": 0.3}, "does not take lost; it takes proxy, ports, loss, direction"),
    ],
)
def test_options_are_refused_by_name(options: dict[str, Any], sentence: str) -> None:
    """Before the run, with the mend."""
    with pytest.raises(SetupError, match=sentence):
        injecting.why_not(Endpoints(), fault("netns", **options))


def test_without_nft_the_scenario_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Known before anything is started; without faults there is nothing to lack."""
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = replace(ungiven(), scenario="redis-packets-dropped")
    (entry,) = planning.entries(asked, asked)
    (harmless,) = planning.entries(replace(asked, no_faults=True), asked)

    assert entry.skip == "there is no nft and no nsenter on PATH (Debian: nftables, util-linux)"
    assert harmless.skip == ""


def test_a_sandbox_in_a_namespace_is_loaded_and_broken_from_outside(tmp_path: Path) -> None:
    """As a user runs it: the Gateway loses Redis to the kernel, loses no alert, and nothing stays behind."""
    reason = netns.lacks(Endpoints())
    if reason:
        pytest.skip(reason)
    with locust(tmp_path / "runs", "--headless", "--chaos-scenario", DROPPED) as process:
        process.wait_for("fault dropped injected")
        started = process.descendants()
        ended = process.wait()
    folder = process.run_folder()
    history = run_folder.read(folder)

    assert ended.code == 0, ended.output
    assert set(statuses(folder).values()) == {"PASS"}
    assert "the kernel had dropped" in history.injections[0].evidence[-1]
    assert len(started) >= 7
    assert alive(started) == []
