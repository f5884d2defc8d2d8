"""Ledgers followed while they grow: each alert once, by what decides of it, told by its due time."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos_hooks.answers import Answer
from chaos_hooks.ledger import WORKERS_LOST, Ended, Ledger
from chaos_hooks.ledger_tail import Landed, LedgerTail
from chaos_hooks.live_outcomes import LiveOutcomes
from reports.history import Outcome
from shapes.alerts import Planned

ACKED = Answer(Outcome.ACKED, "created", "")
SAFE = Answer(Outcome.REJECTED, "safe", "")
UNSAFE = Answer(Outcome.REJECTED, "unsafe", "")
UNSURE = Answer(Outcome.INDETERMINATE, "answer", "")
UNSENT = Answer(Outcome.UNSENT, "connect", "")
LOST_WORKER = Answer(Outcome.INDETERMINATE, WORKERS_LOST, "")


def alert(number: int) -> Planned:
    """Return an alert that is due at its number's second."""
    return Planned(number, number, "chaos", float(number))


def landed(ledger: Ledger, number: int, answer: Answer, took_s: float = 0.02, tries: int = 1) -> None:
    """Record a whole try."""
    ledger.begin_post([alert(number)], number + 0.001, tries)
    ledger.end(number, answer, sent_s=number + 0.002, done_s=number + took_s, status=None)


def new(tail: LedgerTail) -> list[Landed]:
    return [each for some in tail.read() for each in some]


def test_each_end_is_told_once_with_its_class_and_latency(tmp_path: Path) -> None:
    """From the due time; what is in flight is not told, and what was told is not told again."""
    ledger, tail = Ledger(tmp_path / "ledger.bin"), LedgerTail(tmp_path)
    for number, answer in enumerate((ACKED, SAFE, UNSAFE, UNSURE, UNSENT)):
        landed(ledger, number, answer, took_s=0.25)
    ledger.begin(alert(5), 5.001)

    first, again = new(tail), new(tail)
    ledger.end(5, ACKED, sent_s=5.002, done_s=5.5, status=201)

    names = ("acked", "safe", "unsafe", "indeterminate", "unsent")
    assert first == [Landed(k, name, "", float(k), 250.0) for k, name in enumerate(names)]
    assert again == []
    assert new(tail) == [Landed(5, "acked", "", 5.0, 500.0)]


def test_of_several_tries_the_deciding_one_counts(tmp_path: Path) -> None:
    """As the judge has it: the first acknowledged one, else what may have arrived, else the last refusal."""
    ledger, tail = Ledger(tmp_path / "ledger.bin"), LedgerTail(tmp_path)
    for tries, answer in enumerate((UNSENT, SAFE, UNSAFE, UNSURE, SAFE, ACKED, SAFE), start=1):
        landed(ledger, 0, answer, tries=tries)

    assert [(each.left, each.name) for each in new(tail)] == [
        ("", "unsent"),
        ("unsent", "safe"),
        ("safe", "unsafe"),
        ("unsafe", "indeterminate"),
        ("indeterminate", "acked"),
    ]


def test_a_workers_own_record_stands_for_more_than_that_it_was_given_up(tmp_path: Path) -> None:
    """Each ledger of the folder is followed, in whatever order they grow."""
    own, theirs = Ledger(tmp_path / "ledger.bin"), Ledger(tmp_path / "ledger-w1.bin")
    tail = LedgerTail(tmp_path)
    landed(own, 0, LOST_WORKER)
    landed(own, 1, LOST_WORKER)
    before = new(tail)
    landed(theirs, 1, SAFE)

    assert [each.name for each in before] == ["indeterminate", "indeterminate"]
    assert [(each.number, each.left, each.name) for each in new(tail)] == [(1, "indeterminate", "safe")]


def test_half_a_frame_waits_for_its_rest(tmp_path: Path) -> None:
    """A copy may be read in the middle of a write; a folder without ledgers holds nothing."""
    ledger = Ledger(tmp_path / "ledger.bin")
    landed(ledger, 0, ACKED)
    data = ledger.path.read_bytes()
    half = tmp_path / "half"
    half.mkdir()
    tail, found = LedgerTail(half), []
    assert new(tail) == []
    for size in range(len(data) + 1):
        (half / "ledger.bin").write_bytes(data[:size])
        found.append(new(tail))

    assert [each for some in found for each in some] == [Landed(0, "acked", "", 0.0, 20.0)]
    assert found[-1]


def test_a_post_that_is_larger_than_a_look_is_read_whole(tmp_path: Path) -> None:
    """Five thousand alerts begun and ended in one frame each."""
    ledger, tail = Ledger(tmp_path / "ledger.bin"), LedgerTail(tmp_path)
    many = [alert(0)._replace(number=k) for k in range(5000)]
    ledger.begin_post(many, 0.001)
    ledger.end_all([Ended(k, ACKED, 0.002, 0.01, 201) for k in range(5000)])

    assert len(new(tail)) == 5000


def test_what_is_no_ledger_is_an_error(tmp_path: Path) -> None:
    """Damage is not drawn as if it were nothing."""
    ledger, tail = Ledger(tmp_path / "ledger.bin"), LedgerTail(tmp_path)
    landed(ledger, 0, ACKED)
    data = bytearray(ledger.path.read_bytes())
    data[-3] ^= 1
    ledger.path.write_bytes(data)

    with pytest.raises(ValueError, match="is damaged at byte"):
        new(tail)


def test_what_is_drawn_adds_up(tmp_path: Path) -> None:
    """Every alert in the second when it was due; the lost ones leave the acknowledged, points and all."""
    ledger = Ledger(tmp_path / "ledger.bin")
    outcomes = LiveOutcomes(tmp_path, planned=10, end_s=4.0)
    for number, answer in enumerate((ACKED, ACKED, SAFE, UNSAFE)):
        landed(ledger, number, answer)
    outcomes.read()
    before = outcomes.document()
    landed(ledger, 2, ACKED, took_s=1.5, tries=2)
    outcomes.read()
    outcomes.mark_lost([1])
    after = outcomes.document()

    zero = [0.0] * 5
    none: dict[str, list[float]] = {"at_ms": [], "took_ms": []}
    assert before["rates"] == {
        "acked": [1.0, 1.0, 0.0, 0.0, 0.0],
        "safe": [0.0, 0.0, 1.0, 0.0, 0.0],
        "unsafe": [0.0, 0.0, 0.0, 1.0, 0.0],
        **dict.fromkeys(("indeterminate", "unsent", "lost"), zero),
    }
    assert after["rates"]["acked"] == [1.0, 0.0, 1.0, 0.0, 0.0]
    assert after["rates"]["lost"] == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert after["points"]["acked"] == {"at_ms": [0, 2000], "took_ms": [20.0, 1500.0]}
    assert after["points"]["lost"] == {"at_ms": [1000], "took_ms": [20.0]}
    assert after["points"]["safe"] == none
    assert (before["lost_ms"], after["lost_ms"], after["window_s"]) == ([], [1000], 0.0)
    assert outcomes.totals == {"acked": 2, "safe": 0, "unsafe": 1, "indeterminate": 0, "unsent": 0, "lost": 1}


def test_a_crowd_is_thinned_out_and_counted_whole(tmp_path: Path) -> None:
    """Of each stretch the slowest stays; the rates count all, and so does the number of the lost."""
    ledger = Ledger(tmp_path / "ledger.bin")
    outcomes = LiveOutcomes(tmp_path, planned=10_000, end_s=10.0)
    many = [alert(0)._replace(number=k, due_s=k / 1000) for k in range(10_000)]
    ledger.begin_post(many, 0.0)
    for k in range(10_000):
        took_s = 3.0 if k == 5000 else 0.01
        ledger.end(k, ACKED, sent_s=0.0, done_s=k / 1000 + took_s, status=201)
    outcomes.read()
    outcomes.mark_lost(range(2000, 5000))
    drawn = outcomes.document()

    assert (outcomes.totals["acked"], outcomes.totals["lost"]) == (7000, 3000)
    assert len(drawn["points"]["acked"]["at_ms"]) <= 500
    assert max(drawn["points"]["acked"]["took_ms"]) == 3000.0
    assert len(drawn["lost_ms"]) == 600
    assert drawn["window_s"] == 0.02
