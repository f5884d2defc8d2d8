"""Sent again as Alertmanager does: each try is recorded before it is sent, each alert counts once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import gevent
import histories
from faulty_server import FaultyServer, wait_until
from stamping_server import StampingServer

from chaos_hooks.clock import RunClock
from chaos_hooks.delivery import Delivery
from chaos_hooks.emitter import Emitter
from chaos_hooks.ledger import Ledger
from chaos_hooks.sender import Sender
from reports import folder
from reports import ledger_frames as frames
from reports.accounting import account
from reports.criteria import no_duplicates, safe_rejections, zero_loss
from reports.finding import Status
from reports.history import Attempt, History, Outcome, Try, deciding
from shapes.alerts import Naming, Planned
from shapes.backoff import Policy
from shapes.target import AnswerRules

GRACE_S = 15.0


class Load:
    """An emitter with its ledger in a folder, to one URL."""

    def __init__(self, path: Path, url: str, planned: list[Planned], policy: Policy | None) -> None:
        self.path = path
        self._planned = planned
        folder.write_run(path, histories.run(planned=len(planned), faults_planned=0))
        self.ledger = Ledger(path / "ledger.bin")
        self.problems: list[BaseException] = []
        clock = RunClock()
        sender = Sender(url, headers={}, connect_timeout_s=5.0, answer_timeout_s=5.0, clock=clock.now)
        delivery = Delivery(
            Naming(histories.TOKEN), sender, AnswerRules(), self.ledger, clock, lambda *_: None
        )
        self.emitter = Emitter(delivery, clock, self.problems.append, policy)

    def run(self) -> tuple[Attempt, ...]:
        """Send all, wait until all is taken or given up, and return what the record says."""
        self.emitter.emit(self._planned)
        self.emitter.finish()
        return self.end().attempts

    def end(self) -> History:
        """Begin nothing more, wait for what is in flight, and read the record."""
        self.emitter.stop()
        self.emitter.drain(10.0)
        self.ledger.seal()
        assert self.problems == []
        return folder.read(self.path)


def alertmanager(group_interval_s: float = 300.0, ends_s: float = GRACE_S) -> Policy:
    return Policy(group_interval_s, ends_s, seed=1)


ONE = [Planned(0, 0, "chaos", 0.0)]


def test_what_fails_is_sent_again_until_it_is_taken(tmp_path: Path) -> None:
    """Two times 503, then 201: three tries of the same bytes, one alert, acknowledged. Retry-After: 7 of the
    answers is ignored, else they would not fit into the time."""
    with StampingServer(503, 503, 201) as server:
        load = Load(tmp_path, server.url, ONE, alertmanager())
        (got,) = load.run()
        arrivals = server.arrivals()
    history = folder.read(tmp_path)

    assert [a.ids for a in arrivals] == [["k3x9-0000000"]] * 3
    assert len({a.body for a in arrivals}) == 1
    assert (got.outcome, got.kind, got.status, got.tries) == (Outcome.ACKED, "created", 201, 3)
    assert [(t.outcome, t.kind, t.status) for t in got.each] == [
        (Outcome.REJECTED, "safe", 503),
        (Outcome.REJECTED, "safe", 503),
        (Outcome.ACKED, "created", 201),
    ]
    assert got.begun_s == got.each[0].begun_s
    assert (got.sent_s, got.done_s) == (got.each[2].sent_s, got.each[2].done_s)
    assert all(b.begun_s > a.done_s for a, b in zip(got.each, got.each[1:], strict=False))  # type: ignore[operator]
    assert load.ledger.counts[Outcome.ACKED] == 1
    assert sum(load.ledger.counts.values()) == 1
    assert (history.sealed, history.damage) == (True, ())


def test_a_retried_alert_with_one_resource_and_count_three_is_innocent(tmp_path: Path) -> None:
    """The Gateway counted each try; that is neither a duplicate nor a loss, and the sums agree."""
    with StampingServer(503, 503, 201) as server:
        Load(tmp_path, server.url, ONE, alertmanager()).run()
    counted = (histories.resource(0, count=3),)
    history = replace(folder.read(tmp_path), resources=counted, stable=True, ended="completed")
    found = account(history)

    assert (found.planned, found.acked, found.rejected, found.created, found.lost) == (1, 1, 0, 1, ())
    assert found.adds_up
    for criterion in (zero_loss, no_duplicates, safe_rejections):
        assert criterion.check(history).status is Status.PASS


def test_two_resources_of_a_retried_alert_are_convicted(tmp_path: Path) -> None:
    """What was sent again by the plan must still end in one."""
    with StampingServer("cut", 201) as server:
        (got,) = Load(tmp_path, server.url, ONE, alertmanager()).run()
    two = (histories.resource(0), histories.resource(0, name="rr-other", uid="other"))
    history = replace(folder.read(tmp_path), resources=two, stable=True, ended="completed")

    assert [t.outcome for t in got.each] == [Outcome.INDETERMINATE, Outcome.ACKED]
    assert no_duplicates.check(history).status is Status.FAIL


def test_a_4xx_waits_for_the_next_flush_and_is_an_unsafe_refusal_all_the_same(tmp_path: Path) -> None:
    """Alertmanager tries it again a group_interval after the first try, not sooner."""
    with StampingServer(429, 429, 201) as server:
        (got,) = Load(tmp_path, server.url, ONE, alertmanager(0.5)).run()
        arrivals = server.arrivals()
    history = folder.read(tmp_path)
    begun_s = [t.begun_s for t in got.each]

    assert (got.outcome, got.tries, len(arrivals)) == (Outcome.ACKED, 3, 3)
    assert begun_s[1] >= begun_s[0] + 0.5  # type: ignore[operator]
    assert begun_s[2] >= begun_s[0] + 1.0  # type: ignore[operator]
    finding = safe_rejections.check(history)
    assert (finding.status, finding.got) == (Status.FAIL, "2 refused unsafely (2 with 429)")


def test_a_refused_connection_is_tried_again_and_stays_unsent_if_none_is_made(tmp_path: Path) -> None:
    with FaultyServer("refuses") as server:
        (got,) = Load(tmp_path, server.url, ONE, alertmanager(ends_s=3.0)).run()

    assert (got.outcome, got.kind, got.detail) == (Outcome.UNSENT, "connect", "connect: Connection refused")
    assert got.tries >= 3
    assert {t.outcome for t in got.each} == {Outcome.UNSENT}


def test_tries_end_with_the_grace(tmp_path: Path) -> None:
    """A Gateway that never takes it gets no try after the policy's end, and the load comes to its end."""
    with StampingServer(503) as server:
        (got,) = Load(tmp_path, server.url, ONE, alertmanager(ends_s=2.0)).run()

    assert (got.outcome, got.kind) == (Outcome.REJECTED, "safe")
    assert got.tries >= 2
    assert all(t.begun_s is not None and t.begun_s < 2.0 + 1.0 for t in got.each)


def test_a_207_is_success_whatever_it_says_of_each(tmp_path: Path) -> None:
    """Three alerts in one POST, the last one failed: Alertmanager does not send it again, so it is unsafe."""
    three = [Planned(n, n, "chaos", 0.0) for n in range(3)]
    with StampingServer(207) as server:
        got = Load(tmp_path, server.url, three, alertmanager()).run()
        arrivals = server.arrivals()

    assert [a.ids for a in arrivals] == [[f"k3x9-000000{n}" for n in range(3)]]
    assert [(a.outcome, a.kind, a.status, a.tries) for a in got] == [
        (Outcome.ACKED, "created", 207, 1),
        (Outcome.ACKED, "created", 207, 1),
        (Outcome.REJECTED, "unsafe", 207, 1),
    ]


def test_a_post_of_several_is_sent_again_as_a_whole(tmp_path: Path) -> None:
    three = [Planned(n, n, "chaos", 0.0) for n in range(3)]
    with StampingServer(503, 201) as server:
        got = Load(tmp_path, server.url, three, alertmanager()).run()
        arrivals = server.arrivals()

    assert [len(a.ids) for a in arrivals] == [3, 3]
    assert [(a.outcome, a.tries) for a in got] == [(Outcome.ACKED, 2)] * 3


def test_a_volley_is_released_once_and_then_each_is_sent_again_by_itself(tmp_path: Path) -> None:
    five = [Planned(n, 0, "volley", 0.0, volley=1) for n in range(5)]
    with StampingServer(503, 201) as server:
        got = Load(tmp_path, server.url, five, alertmanager()).run()
        arrivals = server.arrivals()

    assert len(arrivals) == 10
    assert [a.connections for a in arrivals[:5]] == [5] * 5
    assert [(a.outcome, a.tries, a.volley) for a in got] == [(Outcome.ACKED, 2, 1)] * 5


def test_without_a_policy_nothing_is_ever_sent_twice(tmp_path: Path) -> None:
    two = [Planned(0, 0, "chaos", 0.0), Planned(1, 0, "chaos", 0.0, volley=1)]
    with StampingServer(503, 201) as server:
        got = Load(tmp_path, server.url, two, None).run()
        arrivals = server.arrivals()

    assert [a.ids for a in arrivals] == [["k3x9-0000000"], ["k3x9-0000001"]]
    assert [(a.outcome, a.tries, a.each) for a in got] == [(Outcome.REJECTED, 1, ())] * 2


def test_a_stop_ends_the_waiting_at_once(tmp_path: Path) -> None:
    """A run that is broken off does not wait for a flush in five minutes."""
    with StampingServer(429) as server:
        load = Load(tmp_path, server.url, ONE, alertmanager(ends_s=1e9))
        load.emitter.emit(ONE)
        wait_until(lambda: load.ledger.counts[Outcome.REJECTED] == 1)
        begun_s = time.monotonic()
        (got,) = load.end().attempts
        assert time.monotonic() - begun_s < 8.0
        assert len(server.arrivals()) == 1
    assert (got.outcome, got.tries) == (Outcome.REJECTED, 1)


def test_a_try_is_on_disk_before_it_is_sent(tmp_path: Path) -> None:
    """While the second try hangs, the record already knows of it, and reads as indeterminate."""
    with StampingServer(503, "hang") as server:
        load = Load(tmp_path, server.url, ONE, alertmanager())
        greenlet = gevent.spawn(load.emitter.emit, ONE)
        wait_until(lambda: len(server.arrivals()) == 2)
        (seen,) = folder.read(tmp_path).attempts
        load.emitter.stop()
        load.emitter.drain(0.0)
        greenlet.join()
        (got,) = load.end().attempts
    assert (seen.outcome, seen.kind, seen.tries) == (Outcome.INDETERMINATE, "killed", 2)
    assert (got.outcome, got.kind, got.detail) == (
        Outcome.INDETERMINATE,
        "killed",
        "given up: the run ended",
    )
    assert load.ledger.counts == {**dict.fromkeys(Outcome, 0), Outcome.INDETERMINATE: 1}


def test_a_lost_record_of_a_try_is_damage(tmp_path: Path) -> None:
    """A seal that counts more tries than are there, and a gap in their numbers."""
    with StampingServer(503, 503, 201) as server:
        Load(tmp_path, server.url, ONE, alertmanager()).run()
    path = tmp_path / "ledger.bin"
    data, kept, second = path.read_bytes(), frames.MAGIC, 0
    at = len(frames.MAGIC)
    for kind, _, starts, ends in frames.walk(data, at):
        second += kind == frames.DEFINE and frames.said(data[starts:ends]) == ["where", 1, "chaos", 0, 2]
        # Each frame is of one row, whose last column tells: the second try's beginning has where 1, its end
        # says try 2.
        lost = {frames.BEGIN: 1, frames.END: 2}.get(kind) == int.from_bytes(data[ends - 2 : ends], "little")
        kept += b"" if lost else data[at:ends]
        at = ends
    path.write_bytes(kept)
    history = folder.read(tmp_path)

    assert second == 1
    assert not history.sealed
    assert history.damage == (
        "ledger.bin: sealed with 3 begun and 3 ended, 2 begun and 2 ended are there",
        "ledger: alert 0 has no record of some of its tries",
    )


def test_tries_and_volleys_survive_the_folder(tmp_path: Path) -> None:
    """What is kept is what is read back."""
    first = Try(Outcome.REJECTED, "safe", 1.0, 1.1, 1.2, 503, "HTTP 503")
    second = Try(Outcome.ACKED, "created", 2.0, 2.1, 2.2, 201)
    again = Attempt(
        0, 0, "chaos", 1.0, second.outcome, "created", 1.0, 2.1, 2.2, 201, tries=2, each=(first, second)
    )
    told = histories.history(attempts=(again, histories.attempt(1, volley=2)))
    told = replace(told, run=replace(told.run, planned=2))

    assert folder.read(histories.keep(told, tmp_path / "run")) == told


def test_the_deciding_try() -> None:
    """Acknowledged by any; else in doubt by any; unsent only if no try was delivered."""
    a, r, i, u = Outcome.ACKED, Outcome.REJECTED, Outcome.INDETERMINATE, Outcome.UNSENT

    assert [deciding(each) for each in ([a], [r, a], [i, r, a], [r, i, u, r], [r, r, u], [u, u])] == [
        0,
        1,
        2,
        1,
        1,
        1,
    ]
