"""A ledger of the first version, in lines: what contradicts itself is read and named, and never passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import history
from live_folder import live

from reports import folder
from reports.criteria import ledger_whole
from reports.history import History, Outcome
from reports.verdict import State, judge


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> History:
    """Change the ledger's lines, and read the folder back."""
    ledger = path / "ledger.jsonl"
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    change(lines)
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder.read(path)


def in_lines(told: History, path: Path) -> Path:
    """Write a history with its ledger in lines."""
    live(told, path)
    (path / "ledger.bin").unlink()
    lines: list[dict[str, Any]] = [{"r": "open"}]
    for a in told.attempts:
        lines.append(
            {"r": "begin", "n": a.number, "s": a.subject, "p": a.phase, "due": a.due_s, "at": a.begun_s}
        )
    for a in told.attempts:
        how = {"o": a.outcome, "k": a.kind, "sent": a.sent_s, "done": a.done_s, "status": a.status}
        lines.append({"r": "end", "n": a.number, **how, "detail": a.detail})
    count = len(told.attempts)
    lines.append({"r": "seal", "begun": count, "ended": count, "tries": count})
    (path / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def begin(number: int) -> dict[str, Any]:
    return {"r": "begin", "n": number, "s": number, "p": "chaos", "due": 1.0, "at": 1.0}


def end(number: int, outcome: str = "acked") -> dict[str, Any]:
    answer = {"o": outcome, "k": "created", "sent": 1.0, "done": 1.1, "status": 201, "detail": ""}
    return {"r": "end", "n": number, **answer}


def counted(lines: list[dict[str, Any]], begun: int, ended: int) -> None:
    lines[-1] |= {"begun": begun, "ended": ended, "tries": begun}


def beyond(lines: list[dict[str, Any]]) -> None:
    lines[-1:-1] = [begin(9), end(9)]
    counted(lines, 4, 4)


def _sealed(begun: int, ended: int, tries: int) -> str:
    told, there = (
        "3 alerts begun and 3 ended in 3 tries",
        f"{begun} alerts begun and {ended} ended in {tries} tries",
    )
    return f"sealed with {told}, {there} are there"


# The lines are: open, begin 0 to 2, end 0 to 2, seal.
ODD: dict[str, tuple[Callable[[list[dict[str, Any]]], None], tuple[str, ...], bool]] = {
    "a number beyond the plan": (beyond, (), True),
    "ended twice": (
        lambda lines: lines.insert(-1, end(1, "rejected")),
        ("alert 1 ended twice",),
        True,
    ),
    "begun twice": (lambda lines: lines.insert(-1, begin(1)), ("alert 1 begun twice",), True),
    "ended, but not begun": (
        lambda lines: lines.insert(-1, end(9)),
        (
            "alert 9 ended, but was not begun",
            _sealed(3, 4, 3),
        ),
        False,
    ),
    "a beginning is gone": (
        lambda lines: lines.pop(1).clear(),
        (
            "alert 0 ended, but was not begun",
            _sealed(2, 3, 2),
        ),
        False,
    ),
    "an end is gone": (
        lambda lines: lines.pop(4).clear(),
        (_sealed(3, 2, 3),),
        False,
    ),
    "begun after the seal": (
        lambda lines: lines.append(begin(9)),
        (_sealed(4, 3, 4),),
        False,
    ),
    "the seal is gone": (lambda lines: lines.pop().clear(), (), False),
}


@pytest.mark.parametrize("name", ODD)
def test_a_ledger_that_contradicts_itself_is_undecided(tmp_path: Path, name: str) -> None:
    """It is read, what is wrong is named, and the run is not passed by it."""
    change, damage, sealed = ODD[name]
    odd = rewrite(in_lines(history(), tmp_path / "run"), change)
    assert odd.damage == tuple(f"ledger.jsonl: {line}" for line in damage)
    assert odd.sealed is sealed
    assert judge(odd).exit_code in (1, 3)
    assert judge(odd).state is not State.PASS
    assert ledger_whole.check(odd).status == "UNKNOWN"


def test_a_number_beyond_the_plan_is_kept(tmp_path: Path) -> None:
    """It was sent, so it can be lost; the record is not whole."""
    odd = rewrite(in_lines(history(), tmp_path / "run"), beyond)
    assert [a.number for a in odd.attempts] == [0, 1, 2, 9]
    assert ledger_whole.check(odd).got == "4 outcomes for 3 planned alerts; the accounting sums do not agree"
    assert judge(odd).account.lost == (9,)


def test_the_last_of_two_ends_counts(tmp_path: Path) -> None:
    """Which one is true nobody knows; the run is invalid either way."""
    odd = rewrite(in_lines(history(), tmp_path / "run"), lambda lines: lines.insert(-1, end(1, "rejected")))
    assert [a.outcome for a in odd.attempts] == [Outcome.ACKED, Outcome.REJECTED, Outcome.ACKED]


def test_taking_the_end_of_a_lost_alert_away_does_not_pass(tmp_path: Path) -> None:
    """Without its end it reads as indeterminate, and those are not lost: the seal tells that one is gone."""
    path = in_lines(history(lost=(1,)), tmp_path / "run")
    assert judge(folder.read(path)).state is State.FAIL
    assert judge(rewrite(path, lambda lines: lines.pop(5).clear())).state is State.INVALID
