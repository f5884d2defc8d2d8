"""What a record of leases says of alerts that no ledger tells of."""

from __future__ import annotations

import json
from pathlib import Path

import histories
from live_folder import live

from chaos_hooks.ledger_copy import LedgerCopy
from reports import folder as run_folder
from reports import leases, ledger_frames, workers
from reports.history import Attempt, Outcome
from reports.workers import Worker

USED = {"cpu_s": 2.0, "over_s": 10.0, "memory_mib": 80.4}
LEASED = "leased to a worker whose record ends before it"


def offer(number: int, worker: str, *runs: list[int]) -> dict[str, object]:
    """Return the line of an offer."""
    return {"r": "offer", "l": number, "w": worker, "n": list(runs)}


def test_what_was_offered_and_not_refused_is_in_doubt_unless_the_worker_sealed() -> None:
    """A refusal, and a whole ledger, prove that an alert was not begun; silence and a yes do not."""
    lines = [
        offer(1, "worker-0", [0, 3, 2]),
        offer(2, "worker-1", [1, 2, 2]),
        {"r": "answer", "l": 1, "ok": True},
        offer(3, "worker-1", [6, 1, 1]),
        {"r": "answer", "l": 3, "ok": False},
        offer(4, "worker-2", [6, 1, 1]),
    ]

    assert leases.in_doubt(lines, settled=()) == {0, 2, 4, 1, 3, 6}
    assert leases.in_doubt(lines, settled={"worker-0", "worker-2"}) == {1, 3}
    assert leases.in_doubt(lines[:-1], settled={"worker-0"}) == {1, 3}


def test_a_master_that_died_leaves_what_it_had_leased_in_doubt(tmp_path: Path) -> None:
    """A worker's ledger without seal, no workers.json: leased and not begun is INDETERMINATE, never leased is
    UNSENT; with the worker's seal it is UNSENT, too."""
    history = histories.history()
    planned = history.run.planned
    path = live(history, tmp_path / "run")
    (path / "ledger.bin").unlink()
    lines = [offer(1, "worker-0", [0, 2, 1]), offer(2, "worker-1", [2, 1, 1])]
    (path / "leases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name, seal in (("worker-0", False), ("worker-1", True)):
        copy = LedgerCopy(path, name)
        copy.add(0, ledger_frames.MAGIC + (ledger_frames.seal(0, 0) if seal else b""))
        copy.close()
    found = run_folder.read(path)
    doubted = [a for a in found.attempts if a.outcome is Outcome.INDETERMINATE]

    assert not found.sealed
    assert [a.number for a in doubted] == [0, 1]
    assert doubted[0] == Attempt(0, 0, "", 0.0, Outcome.INDETERMINATE, "worker", detail=LEASED)
    assert len(found.of(Outcome.UNSENT)) == planned - 2


def test_the_clocks_error_is_part_of_every_comparison(tmp_path: Path) -> None:
    """Injections are the master's time, answers the workers': both are widened by the largest error."""
    plain = histories.history()
    path = live(plain, tmp_path / "run")
    taking_part = [
        Worker("worker-0", "here", 7, 0.25, 0.004, 100, 0, "sealed", USED),
        Worker("worker-1", "there", 8, None, None, 0, 0, "lost"),
    ]
    (path / "workers.json").write_text(json.dumps(workers.document(taking_part, USED)))
    found = run_folder.read(path)

    assert found.workers == tuple(taking_part)
    assert found.clock_error_s == 0.004
    for before, after in zip(plain.injections, found.injections, strict=True):
        assert before.began
        assert after.began
        assert abs(before.began.earliest_s - 0.004 - after.began.earliest_s) < 1e-9
        assert abs(before.began.latest_s + 0.004 - after.began.latest_s) < 1e-9
    assert taking_part[0].sentence == (
        "here, process 7: leased 100 alerts, refused 0 leases, its record sealed, its clock right to 4.0 ms, "
        f"{USED['cpu_s']:.1f} s of processor in {USED['over_s']:.0f} s (20% of a core), 80 MiB"
    )
