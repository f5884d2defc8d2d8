"""The ledger's columns: damage is named, workers' ledgers are copied whole and merged, and a row is small."""

from __future__ import annotations

import random
from pathlib import Path

import histories
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_folder import live

from chaos_hooks.answers import Answer
from chaos_hooks.ledger import Ended, Ledger
from chaos_hooks.ledger_copy import LedgerCopy
from reports import folder
from reports import ledger_frames as frames
from reports.columns import Columns
from reports.criteria import ledger_whole
from reports.history import History, Outcome
from reports.verdict import State, judge
from shapes.alerts import Planned

CREATED = Answer(Outcome.ACKED, "created")
LOST = "given to a worker that went away"


def alerts(*numbers: int) -> list[Planned]:
    return [Planned(n, n, "chaos", n / 7) for n in numbers]


def planned(path: Path, count: int) -> Path:
    folder.write_run(path, histories.run(planned=count, faults_planned=0))
    return path


def end(*numbers: int, at_s: float = 2.0) -> list[Ended]:
    return [Ended(n, CREATED, at_s - 0.1, at_s, 201) for n in numbers]


def test_a_row_takes_32_bytes() -> None:
    assert Columns().row_bytes == 32


def test_a_torn_ledger_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    """Wherever it is cut, the rest is read, the damage is named unless a frame just ended, and nothing
    passes: an alert whose end is gone is in doubt, and never absent."""
    path = live(histories.history(), tmp_path / "run")
    data = (path / "ledger.bin").read_bytes()
    ends = {len(frames.MAGIC), *(ends for *_, ends in frames.walk(data, len(frames.MAGIC)))}
    for keep in range(len(frames.MAGIC), len(data)):
        (path / "ledger.bin").write_bytes(data[:keep])
        torn = folder.read(path)
        whole = max(end for end in ends if end <= keep)
        expected = () if keep in ends else (f"ledger.bin: is torn at byte {whole}",)
        assert (torn.damage, torn.sealed) == (expected, False)
        assert len(torn.attempts) == 3
        assert judge(torn).state is State.INVALID


def test_a_changed_byte_is_damage(tmp_path: Path) -> None:
    path = live(histories.history(), tmp_path / "run")
    data = bytearray((path / "ledger.bin").read_bytes())
    for at in range(0, len(data), 5):
        changed = bytearray(data)
        changed[at] ^= 0x10
        (path / "ledger.bin").write_bytes(changed)
        read = folder.read(path)
        assert read.damage, f"byte {at}"
        assert not read.sealed
        assert ledger_whole.check(read).status == "UNKNOWN"


def _without(kind: bytes, data: bytes) -> bytes:
    """Return a ledger without its first frame of a kind."""
    at, gone = len(frames.MAGIC), False
    kept = frames.MAGIC
    for of, _, _, ends in frames.walk(data, at):
        taken = of == kind and not gone
        gone = gone or taken
        kept += b"" if taken else data[at:ends]
        at = ends
    return kept


_3 = "sealed with 3 begun and 3 ended"
ODD = {
    "a beginning is gone": (
        lambda data: _without(frames.BEGIN, data),
        ("alert 0 ended, but was not begun", f"{_3}, 2 begun and 3 ended are there"),
    ),
    "an end is gone": (lambda data: _without(frames.END, data), (f"{_3}, 3 begun and 2 ended are there",)),
    "the seal is gone": (lambda data: _without(frames.SEAL, data), ()),
    "it goes on": (
        lambda data: data + frames.begin([9], [9], [1.0], 1, [0]),
        ("goes on after its seal",),
    ),
    "begun twice": (
        lambda data: _without(frames.SEAL, data) + frames.begin([1], [1], [1.0], 1, [0]),
        ("alert 1 begun twice",),
    ),
    "ended twice": (
        lambda data: _without(frames.SEAL, data) + frames.end([1], [None], [1e-6], [0], [1]),
        ("alert 1 ended twice",),
    ),
    "another version": (lambda data: b"x" + data, ("is no ledger of this version",)),
}


@pytest.mark.parametrize("name", ODD)
def test_a_ledger_that_contradicts_itself_is_undecided(tmp_path: Path, name: str) -> None:
    """It is read, what is wrong is named, and the run is not passed by it."""
    change, damage = ODD[name]
    path = live(histories.history(), tmp_path / "run")
    (path / "ledger.bin").write_bytes(change((path / "ledger.bin").read_bytes()))
    odd = folder.read(path)
    assert odd.damage == tuple(f"ledger.bin: {line}" for line in damage)
    assert not odd.sealed
    assert judge(odd).state is not State.PASS
    assert ledger_whole.check(odd).status == "UNKNOWN"


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.integers(40, 4000))
def test_a_copy_in_chunks_is_the_same_ledger(
    tmp_path_factory: pytest.TempPathFactory, seed: int, most: int
) -> None:
    """Whatever the chunks' sizes, lost and repeated ones; between two chunks the ledger grows on."""
    chance, path = random.Random(seed), tmp_path_factory.mktemp("copy")
    ledger = Ledger(path / "ledger-own.bin")
    copy = LedgerCopy(path, "copied")
    at, number = 0, 0
    while number < 60 or at < ledger.size:
        if number < 60:
            some = alerts(*range(number, number + chance.randrange(1, 9)))
            ledger.begin_post(some, number / 7 + 0.01)
            ledger.end_all(end(*(a.number for a in some if chance.random() < 0.9)))
            number += len(some)
            if number >= 60:
                ledger._file.write(frames.seal(*ledger._rows))
        chunk = ledger.chunk(at, most)
        if chance.random() < 0.8:
            wanted = copy.add(at, chunk)
            assert wanted == at + len(chunk)
            assert copy.add(at, chunk) == wanted, "a chunk that comes twice changes nothing"
            assert copy.add(wanted + 1, chunk) == wanted
            at = wanted
    copy.close()
    assert copy.sealed
    assert (path / "ledger-copied.bin").read_bytes() == ledger.path.read_bytes()
    ledger._file.close()


def test_a_damaged_chunk_is_refused(tmp_path: Path) -> None:
    ledger, copy = Ledger(tmp_path / "ledger.bin"), LedgerCopy(tmp_path, "w")
    ledger.begin_post(alerts(0), 0.0)
    chunk = ledger.chunk(0)
    with pytest.raises(ValueError, match="damaged at byte 63"):
        copy.add(0, chunk[:-1] + b"x")
    with pytest.raises(ValueError, match="ends within a frame"):
        copy.add(0, chunk[:-1])
    assert copy.add(0, b"") == 0


def test_workers_ledgers_are_one_record(tmp_path: Path) -> None:
    """Each has codes of its own; alerts interleave; what nobody began is unsent; all sealed is sealed."""
    planned(tmp_path, 6)
    Ledger(tmp_path / "ledger.bin").seal()
    a, b = Ledger(tmp_path / "ledger-a.bin"), Ledger(tmp_path / "ledger-b.bin")
    b.begin_post([alerts(1)[0]._replace(phase="other"), *alerts(3)], 0.5)
    a.begin_post(alerts(0, 2), 0.5)
    a.end_all(end(0, 2))
    b.end(1, Answer(Outcome.REJECTED, "safe", "HTTP 503"), sent_s=0.6, done_s=0.7, status=503)
    b.end_all(end(3))
    a.seal()
    unsealed = folder.read(tmp_path)
    b.seal()
    history = folder.read(tmp_path)

    assert [(x.number, x.phase, x.outcome.value, x.kind) for x in history.attempts] == [
        (0, "chaos", "acked", "created"),
        (1, "other", "rejected", "safe"),
        (2, "chaos", "acked", "created"),
        (3, "chaos", "acked", "created"),
        (4, "", "unsent", "stopped"),
        (5, "", "unsent", "stopped"),
    ]
    assert (unsealed.sealed, history.sealed, history.damage) == (False, True, ())


def test_an_alert_that_two_workers_began_is_damage(tmp_path: Path) -> None:
    """Each alert belongs to one of them."""
    planned(tmp_path, 1)
    for name in "ab":
        ledger = Ledger(tmp_path / f"ledger-{name}.bin")
        ledger.begin_post(alerts(0), 0.0)
        ledger.seal()
    assert folder.read(tmp_path).damage == ("ledger-b.bin: alert 0 begun twice",)


def test_what_was_given_up_with_its_worker_is_in_doubt_unless_the_worker_tells(tmp_path: Path) -> None:
    """The master's word stands for as long as the worker's own record says nothing of that alert."""
    planned(tmp_path, 4)
    master, worker = Ledger(tmp_path / "ledger.bin"), Ledger(tmp_path / "ledger-a.bin")
    worker.begin_post(alerts(0, 1), 0.5)
    worker.end_all(end(0))
    master.give_up(alerts(0, 1, 2), 1.0, LOST)
    master.seal()
    history = folder.read(tmp_path)

    assert [(a.number, a.outcome.value, a.kind) for a in history.attempts] == [
        (0, "acked", "created"),
        (1, "indeterminate", "killed"),
        (2, "indeterminate", "worker"),
        (3, "unsent", "stopped"),
    ]
    assert history.attempts[2].detail == LOST
    assert (history.sealed, history.damage) == (False, ())
    assert master.counts[Outcome.INDETERMINATE] == 3


@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations(range(12)),
    outcomes=st.lists(st.sampled_from(list(Outcome)), min_size=12, max_size=12),
    times=st.lists(st.integers(0, 10**9), min_size=12, max_size=12),
)
def test_what_is_written_is_read_back_to_the_microsecond(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], outcomes: list[Outcome], times: list[int]
) -> None:
    """In whatever order alerts are begun and end; and the columns equal the tuple of attempts."""
    told = tuple(
        histories.attempt(
            n, outcomes[n], due_s=times[n] / 3e6, begun_s=times[n] / 1e6, sent_s=None, done_s=times[n] / 1e6
        )
        for n in order
    )
    path = live(
        History(histories.run(planned=12), told, sealed=True, ended="completed", resources=()),
        tmp_path_factory.mktemp("order") / "run",
    )
    read = folder.read(path)
    assert read.attempts == tuple(sorted(told, key=lambda a: a.number))
    assert [read.attempts[n] for n in range(12)] == list(read.attempts)
    assert (read.sealed, read.damage) == (True, ())


def test_too_many_different_answers_lose_their_details_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos_hooks.ledger._MOST_ANSWERS", 2)
    ledger = Ledger(planned(tmp_path, 5) / "ledger.bin")
    ledger.begin_post(alerts(*range(5)), 0.0)
    for n in range(5):
        refused = Answer(Outcome.REJECTED, "safe", f"HTTP 503; reason {n}")
        ledger.end(n, refused, sent_s=0.1, done_s=0.2, status=503)
    ledger.seal()
    kept = "not kept: there are too many different ones"
    assert [a.detail for a in folder.read(tmp_path).attempts] == [
        "HTTP 503; reason 0",
        "HTTP 503; reason 1",
        kept,
        kept,
        kept,
    ]
