"""The ledger as CSV and JSON lines: every alert once, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json

import histories
from rendered import ALL, FAIL, UNREAD, render

from reports.history import Outcome
from reports.rows import COLUMNS


def test_both_hold_the_same_rows() -> None:
    """One for each alert that was planned, whatever became of it."""
    for told in ALL.values():
        table = list(csv.DictReader(io.StringIO(render("csv", told))))
        lines = [json.loads(line) for line in render("jsonl", told).splitlines()]
        assert [tuple(line) for line in lines] == [COLUMNS] * told.run.planned
        assert table == [{k: "" if v is None else str(v) for k, v in line.items()} for line in lines]


def test_the_truth_stands_beside_the_outcome() -> None:
    """Lost only what was acknowledged and not found; where nothing was read, nothing is called lost."""
    got = [(row["outcome"], row["truth"]) for row in map(json.loads, render("jsonl", FAIL).splitlines())]

    assert [truth for outcome, truth in got if outcome == "acked"] == ["there"] * 2 + ["lost"] * 12 + [
        "there"
    ] * 2
    assert {pair for pair in got if pair[0] != "acked"} == {
        ("rejected", ""),
        ("indeterminate", "not there"),
        ("unsent", ""),
    }
    assert {json.loads(line)["truth"] for line in render("jsonl", UNREAD).splitlines()} == {"not read"}


def test_a_foreign_text_is_no_formula() -> None:
    """It begins with an apostrophe, stays in its cell, and shows what would hide."""
    foreign = '=HYPERLINK("http://x","y")\n\x1b[31m'
    told = histories.told(histories.attempt(0, Outcome.REJECTED, detail=foreign), resources=())

    (row,) = csv.DictReader(io.StringIO(render("csv", told)))
    assert row["detail"] == '\'=HYPERLINK("http://x","y") \\x1b[31m'
