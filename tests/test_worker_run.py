"""A worker's part of a run, against a real server, with the master's end of the talk in the test's hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from stamping_server import StampingServer

from chaos_hooks import orders
from chaos_hooks.ledger_copy import LedgerCopy
from chaos_hooks.orders import Orders
from chaos_hooks.peer_clock import Estimate
from chaos_hooks.post import NO_MORE, Post
from chaos_hooks.worker_run import WorkerRun
from reports import ledger
from reports.history import Outcome
from shapes.alert_rules import AlertRules
from shapes.alerts import Naming, Planned
from shapes.backoff import Policy
from shapes.dealer import Lease
from shapes.phase import AlertRecipe
from shapes.target import AnswerRules

WAIT_S = 20.0


def told(url: str) -> Orders:
    """Return the orders for a server."""
    return Orders("run-1", Naming("0badcafe"), url, {}, 3.0, 3.0, AnswerRules(), None)


def lease(number: int, numbers: list[int], due_s: float, by_s: float) -> dict[str, Any]:
    """Return a lease of some alerts, as it comes."""
    posts = tuple((Planned(n, n, "steady", due_s + k / 1000),) for k, n in enumerate(numbers))
    return orders.lease_to_wire(Lease(number, "worker-0", due_s, by_s, 0.0, posts))


class Master:
    """The other end: it keeps what it is told, and takes the ledger as far as it is let."""

    def __init__(self, folder: Path, deaf: bool = False) -> None:
        self.said: list[tuple[str, Any]] = []
        self.deaf = deaf
        self.copy = LedgerCopy(folder, "worker-0")
        self._own = Post("s", lambda message: self.worker.take(message) and None, self._obey)
        self.worker = Post("s", self._take, lambda name, data: None)
        self.run: WorkerRun | None = None

    def _obey(self, name: str, data: Any) -> None:
        self.said.append((name, data))

    def _take(self, message: dict[str, Any]) -> None:
        if message["kind"] == "rows":
            if not self.deaf and self.run:
                self.run.wanted(self.copy.add(message["begins"], message["data"]))
        elif message["kind"] != "figures":
            self._own.take(message)

    def answers(self) -> list[tuple[int, bool]]:
        """Return the worker's words on leases, in order."""
        return [(data["lease"], data["accepted"]) for name, data in self.said if name == "answer"]


def until(condition: Callable[[], bool]) -> None:
    """Let the greenlets run until a condition holds, or fail the test."""
    with gevent.Timeout(WAIT_S):
        while not condition():
            gevent.sleep(0.01)


def begun(folder: Path, url: str, master: Master) -> WorkerRun:
    """Return a run whose second 0 is now."""
    run = WorkerRun(told(url), folder / "workers", "worker-0", master.worker, lambda *_: None)
    master.run = run
    run.start(time.monotonic(), time.time(), Estimate(0.0, 0.001))
    return run


def test_a_lease_in_time_is_accepted_once_and_one_too_late_refused_for_ever(tmp_path: Path) -> None:
    """Whoever asks again hears the same, no alert goes out twice, and the master has the whole ledger."""
    with StampingServer(201) as server:
        master = Master(tmp_path)
        run = begun(tmp_path, server.url, master)
        for data in (lease(1, [0, 2], 0.0, 9.0), lease(2, [1], 0.0, -0.5), lease(1, [0, 2], 0.0, 9.0)):
            run.lease(data)
        run.lease(lease(2, [1], 0.0, 99.0))
        run.finish(stop=False)
        run.lease(lease(3, [3], 0.0, 99.0))
        run.join(WAIT_S)
        arrivals = server.record()["arrivals"]
    reader = ledger.Reader([])
    reader.take(tmp_path / "ledger-worker-0.bin")
    attempts = reader.attempts(4)
    own = next((tmp_path / "workers").iterdir()).read_bytes()

    assert master.answers() == [(1, True), (2, False), (1, True), (2, False), (3, False)]
    assert len(arrivals) == 2
    assert reader.sealed
    assert {a.number: a.outcome for a in attempts if a.outcome is Outcome.UNSENT}.keys() == {1, 3}
    assert own == (tmp_path / "ledger-worker-0.bin").read_bytes()


def test_before_the_start_is_known_nothing_is_accepted(tmp_path: Path) -> None:
    """Without it there is no due time."""
    master = Master(tmp_path)
    run = WorkerRun(told("http://127.0.0.1:9/x"), tmp_path / "w", "worker-0", master.worker, lambda *_: None)
    master.run = run
    run.lease(lease(1, [0], 0.0, 1e9))
    run.finish(stop=True)
    run.join(WAIT_S)

    assert master.answers() == [(1, False)]
    assert master.copy.sealed


def test_what_a_worker_that_stood_still_would_send_much_too_late_stays_unsent(tmp_path: Path) -> None:
    """It had accepted it; more than five seconds after its time it is not begun any more."""
    with StampingServer(201) as server:
        master = Master(tmp_path)
        run = begun(tmp_path, server.url, master)
        run.lease(lease(1, [0, 1], -6.0, 9.0))
        run.lease(lease(2, [2], -1.0, 9.0))
        run.finish(stop=False)
        run.join(WAIT_S)
        arrivals = server.record()["arrivals"]

    assert master.answers() == [(1, True), (2, True)]
    assert len(arrivals) == 1


def test_a_piece_of_the_ledger_that_is_lost_is_sent_again(tmp_path: Path) -> None:
    """The master was deaf for a while; it ends with all."""
    with StampingServer(201) as server:
        master = Master(tmp_path, deaf=True)
        run = begun(tmp_path, server.url, master)
        run.lease(lease(1, [0, 1, 2], 0.0, 9.0))
        run.finish(stop=False)
        run.join(0.5)
        assert not master.copy.sealed
        master.deaf = False
        run.join(WAIT_S)

    assert master.copy.sealed


def test_a_run_that_nobody_gathers_any_more_ends(tmp_path: Path) -> None:
    """The master says that it wants no more."""
    master = Master(tmp_path, deaf=True)
    run = begun(tmp_path, "http://127.0.0.1:9/x", master)
    run.finish(stop=True)
    run.wanted(NO_MORE)
    run.join(WAIT_S)

    assert not master.copy.sealed


def test_a_disk_that_takes_no_ledger_is_told_to_the_master(tmp_path: Path) -> None:
    """The run ends by it."""
    (tmp_path / "workers").write_text("in the way")
    master = Master(tmp_path)
    WorkerRun(told("http://127.0.0.1:9/x"), tmp_path / "workers", "worker-0", master.worker, lambda *_: None)

    assert [name for name, _ in master.said] == ["trouble"]
    assert "worker-0: " in master.said[0][1]["what"]


@pytest.mark.parametrize("policy", [None, Policy(300.0, 12.5, 7)])
def test_orders_and_leases_come_as_they_were_sent(policy: Policy | None) -> None:
    """Also what is resolved, a volley, and several recipes."""
    rules = AnswerRules({"created": "created"}, (429,), (502,))
    naming = Naming("0badcafe", AlertRules("node", True, "", ("name",)), frozenset({("A", "b", "c")}))
    sent = Orders("run-1", naming, "http://127.0.0.1:1/x", {"X-Key": "k"}, 3.0, 10.0, rules, policy)
    volley = tuple(Planned(n, 1, "volley", 3.25, AlertRecipe("B"), volley=1) for n in (3, 4))
    posts = ((Planned(1, 1, "steady", 3.0),), volley, (Planned(5, 1, "end", 3.4, fired_s=1.5),))
    odd = (Planned(6, 6, "end", 3.45, unusable=True),)
    posts = (*posts, odd)
    known = ("number", "subject", "phase", "due_s", "recipe", "volley", "fired_s", "unusable")

    assert Planned._fields == known  # Another one has to travel, too.

    assert orders.from_wire(orders.to_wire(sent)) == sent
    assert orders.alerts_from_wire(orders.lease_to_wire(Lease(1, "w", 3.0, 2.9, 2.0, posts))) == [
        alert for post in posts for alert in post
    ]
