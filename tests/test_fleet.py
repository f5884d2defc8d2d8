"""Master and workers in one process, over messages that go through msgpack, are lost, or come to nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.queue
import msgpack
from stamping_server import StampingServer

from chaos_hooks import options
from chaos_hooks.clock import RunClock
from chaos_hooks.fleet import Fleet
from chaos_hooks.fleet_emitter import FleetEmitter
from chaos_hooks.ledger import FILE, Ledger
from chaos_hooks.options import Options
from chaos_hooks.orders import Orders
from chaos_hooks.worker import Worker
from reports import ledger, workers
from reports.history import Outcome
from shapes import load
from shapes.alerts import Naming
from shapes.phase import AlertRecipe, Phase
from shapes.scenario import Scenario
from shapes.target import AnswerRules

WAIT_S = 30.0


def until(condition: Callable[[], bool]) -> None:
    """Let the greenlets run until a condition holds, or fail the test."""
    with gevent.Timeout(WAIT_S):
        while not condition():
            gevent.sleep(0.01)


class Network:
    """Locust's part: it knows the workers, and carries messages in order; those of a ``cut`` one are lost."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.said: list[str] = []
        self.ended: dict[str, int] = {}
        self.cut: set[str] = set()
        self.clients: dict[str, SimpleNamespace] = {}
        self._folder = folder
        self._ears: dict[str, Any] = {}
        self._ways: dict[tuple[str, str], gevent.queue.Queue[Any]] = {}
        runner: Any = SimpleNamespace(
            clients=self.clients,
            get_worker_index=lambda name: int(name[1:]),
            master_bind_port=5557,
            register_message=lambda _, ear: self._ears.update(master=ear),
        )
        given_options = replace(options.ungiven(), **given)
        self.fleet = Fleet(
            runner, given_options, self.said.append, lambda _, data, name: self._carry("master", name, data)
        )

    def worker(self, name: str, given: Options | None = None) -> Worker:
        """Start a worker; its files are in a folder of its own."""
        self.clients[name] = SimpleNamespace(state="ready")
        runner: Any = SimpleNamespace(register_message=lambda _, ear: self._ears.update({name: ear}))
        own = replace(given or options.ungiven(), runs_dir=str(self._folder / name))
        return Worker(
            runner,
            own,
            lambda *_: None,
            lambda _, data, __: self._carry(name, "master", data),
            lambda code: self.ended.update({name: code}),
        )

    def _carry(self, sender: str, receiver: str | None, data: Any) -> None:
        assert receiver
        if not {sender, receiver} & self.cut:
            if (sender, receiver) not in self._ways:
                self._ways[sender, receiver] = gevent.queue.Queue()
                gevent.spawn(self._deliver, sender, receiver)
            self._ways[sender, receiver].put(msgpack.dumps(data))

    def _deliver(self, sender: str, receiver: str) -> None:
        while True:
            data = msgpack.loads(self._ways[sender, receiver].get(), strict_map_key=False)
            if not {sender, receiver} & self.cut:
                self._ears[receiver](msg=SimpleNamespace(data=data, node_id=sender))


def test_join_loss_and_silence_leave_every_alert_with_one_outcome(tmp_path: Path) -> None:
    """The second worker joins in the midst, then is cut off; its file cannot be reached. The server saw no
    alert twice; what it took is acknowledged or in doubt, and the sum is N."""
    phase = Phase("steady", "steady", Fraction(60), 4.0)
    scenario = Scenario("x", "X", "sandbox", "quick", 0, AlertRecipe(), (phase,), 0.0, (), ())
    network, clock, failed = Network(tmp_path), RunClock(), []
    folder = tmp_path / "run"
    folder.mkdir()
    with StampingServer(201) as server:
        told = Orders("run-1", Naming("0badcafe"), server.url, {}, 3.0, 3.0, AnswerRules(), None)
        own = Ledger(folder / FILE)
        emitter = FleetEmitter(network.fleet, told, scenario, clock, own, failed.append, network.said.append)
        network.worker("w0")
        emitter.prepare()
        clock.start_in(1.0)
        load_greenlet = gevent.spawn(emitter.emit, load.plan(scenario))
        until(lambda: emitter.begun > 10)
        network.worker("w1")
        until(
            lambda: (
                emitter.parts.get("worker-1") is not None and emitter.parts["worker-1"].figures.get("begun")
            )
        )
        for path in (tmp_path / "w1").rglob("*.bin"):
            path.unlink()
        network.cut.add("w1")
        gevent.spawn_later(0.5, lambda: setattr(network.clients["w1"], "state", "missing"))
        load_greenlet.join(WAIT_S)
        emitter.finish()
        emitter.stop()
        emitter.drain(1.0)
        own.seal()
        arrived = Counter(n for arrival in server.record()["arrivals"] for n in arrival.ids)
    reader = ledger.Reader([])
    for name in (FILE, "ledger-worker-0.bin", "ledger-worker-1.bin"):
        reader.take(folder / name)
    attempts = list(reader.attempts(scenario.alerts))
    by_outcome = Counter(a.outcome for a in attempts)

    assert failed == []
    assert sorted(a.number for a in attempts) == list(range(240))
    assert set(arrived.values()) == {1}
    assert by_outcome[Outcome.ACKED] > 100
    assert by_outcome[Outcome.INDETERMINATE] > 0
    assert by_outcome[Outcome.INDETERMINATE] + by_outcome[Outcome.UNSENT] + len(arrived) >= 240
    assert {emitter.parts[name].ended for name in ("worker-0", "worker-1")} == {"sealed", "lost"}
    unsent = {a.number for a in attempts if a.outcome is Outcome.UNSENT}
    assert not unsent & {int(each.rpartition("-")[2]) for each in arrived}
    assert "worker-1" in network.said[-1]
    assert (folder / workers.WORKERS).exists()


def test_other_options_and_another_edition_are_refused_with_a_sentence(tmp_path: Path) -> None:
    """At both ends, once at the master's; the process ends with 2."""
    network = Network(tmp_path, rate="5/s")
    network.worker("w0", replace(options.ungiven(), rate="3/s"))
    until(lambda: network.ended.get("w0") == 2)
    network.worker("w1")
    until(lambda: len(network.fleet.ready) == 1)
    estimate = network.fleet.ready[0].clock

    assert len(network.said) == 1
    assert "--chaos-rate: it was given '3/s', the master '5/s'; leave it out on workers" in network.said[0]
    assert estimate
    assert abs(estimate.offset_s) <= estimate.error_s  # In one process there is one clock.
