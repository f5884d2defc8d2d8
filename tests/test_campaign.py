"""A campaign is what its runs prove: judged again, pooled, and never better than what is missing from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import campaigns
import histories
import pytest
from campaigns import MANY

from reports.campaign import CampaignPlan, EntryState, PlannedEntry, point_latest, read, write_campaign
from reports.campaign_findings import pooled
from reports.campaign_plan import read_plan
from reports.campaign_presentation import sentence
from reports.folder import FolderError
from reports.verdict import State


@pytest.mark.parametrize(
    ("name", "ended", "state", "code", "begins"),
    [
        ("all pass", "completed", State.PASS, 0, "PASS: 2 of 2 scenarios passed; 0 of 915 acknowledged"),
        (
            "one failed",
            "completed",
            State.FAIL,
            1,
            "FAIL: 1 of 2 scenarios failed (redis-oom); 1 passed; 7 of",
        ),
        ("one undecided", "completed", State.UNKNOWN, 3, "UNDECIDED: 1 of 2 scenarios passed; 1 undecided;"),
        ("one invalid", "completed", State.UNKNOWN, 3, "UNDECIDED: 1 of 2 scenarios passed; 1 invalid;"),
        ("one skipped", "completed", State.PASS, 0, "PASS: 1 of 2 scenarios passed; 1 skipped; 0 of 875"),
        (
            "all skipped",
            "completed",
            State.UNKNOWN,
            3,
            "UNDECIDED: 0 of 1 scenario passed; 1 skipped; the loss",
        ),
        (
            "one not run",
            "interrupted",
            State.UNKNOWN,
            3,
            "UNDECIDED: 1 of 2 scenarios passed; 1 not run; the c",
        ),
        (
            "a broken run",
            "completed",
            State.UNKNOWN,
            3,
            "UNDECIDED: 1 of 2 scenarios passed; 1 invalid; 0 of",
        ),
        (
            "nothing",
            "completed",
            State.UNKNOWN,
            3,
            "UNDECIDED: 0 of 0 scenarios passed; the loss is not known",
        ),
        ("every", "interrupted", State.FAIL, 1, "FAIL: 1 of 8 scenarios failed (redis-oom); 2 passed; 1 und"),
        ("all pass", "", State.UNKNOWN, 3, "UNDECIDED: 2 of 2 scenarios passed; the campaign died, or still"),
        ("all pass", "interrupted", State.UNKNOWN, 3, "UNDECIDED: 2 of 2 scenarios passed; the campaign was"),
    ],
)
def test_the_worst_scenario_is_the_campaigns(
    tmp_path: Path, name: str, ended: str, state: State, code: int, begins: str
) -> None:
    """FAIL before undecided before PASS; skipped worsens nothing, but proves nothing either."""
    got = campaigns.of(tmp_path, MANY[name], ended)
    assert (got.state, got.exit_code) == (state, code)
    assert sentence(got).startswith(begins)


def test_the_counts(tmp_path: Path) -> None:
    """Of n: each entry is counted once."""
    counts = campaigns.of(tmp_path, campaigns.EVERY).counts
    assert (counts.passed, counts.failed, counts.undecided) == (2, 1, 1)
    assert (counts.invalid, counts.skipped, counts.not_run, counts.total) == (2, 1, 1, 8)


def test_what_stands_in_the_record_is_not_believed(tmp_path: Path) -> None:
    """campaign.json calls all of them PASS; the runs say otherwise."""
    folder = campaigns.keep(tmp_path, campaigns.EVERY)
    assert {
        e["state"] for e in json.loads((folder / "campaign.json").read_text())["entries"] if e["run"]
    } == {"PASS"}
    assert [e.state.value for e in read(folder).entries] == [
        "PASS",
        "FAIL",
        "UNKNOWN",
        "INVALID",
        "PASS",
        "INVALID",
        "SKIPPED",
        "NOT_RUN",
    ]


@pytest.mark.parametrize(
    ("entry", "state", "reason"),
    [
        (PlannedEntry("a", run="gone"), "INVALID", "run.json: cannot be read (No such file"),
        (PlannedEntry("a", run="gone", reason="no target"), "INVALID", "no target; "),
        (PlannedEntry("a", run="../elsewhere"), "INVALID", "is no name of a folder beside it"),
        (PlannedEntry("a", run=".."), "INVALID", "is no name of a folder beside it"),
        (PlannedEntry("a", run=""), "INVALID", "is no name of a folder beside it"),
        (PlannedEntry("a", run="b-run"), "INVALID", "run b-run is one of b, not of a"),
        (PlannedEntry("a", variant_of="b", run="b-run"), "PASS", ""),
        (PlannedEntry("a", state=EntryState.PASS), "INVALID", "recorded as PASS, but no run is named"),
        (PlannedEntry("a", state=EntryState.FAIL), "INVALID", "recorded as FAIL, but no run is named"),
        (PlannedEntry("a", state=EntryState.INVALID, reason="no port"), "INVALID", "no port"),
        (PlannedEntry("a", state=EntryState.SKIPPED), "SKIPPED", "no reason is recorded"),
        (PlannedEntry("a"), "NOT_RUN", "the campaign came to its end; it was not run"),
    ],
)
def test_an_entry_that_cannot_be_judged_says_why(
    tmp_path: Path, entry: PlannedEntry, state: str, reason: str
) -> None:
    """A run that is missing, foreign or outside is INVALID; what a file says without a run is no evidence."""
    histories.keep(campaigns.told("b"), tmp_path / "b-run")
    (got,) = campaigns.of(tmp_path, {"a": entry}).entries
    assert got.state == state
    assert reason in got.reason


def test_a_run_counts_once(tmp_path: Path) -> None:
    """Named by two entries, its alerts would count twice in the bound."""
    histories.keep(campaigns.told("a"), tmp_path / "a-run")
    got = campaigns.of(tmp_path, {"x": PlannedEntry("a", run="a-run"), "y": PlannedEntry("a", run="a-run")})
    assert [(e.name, e.state) for e in got.entries] == [("a", "PASS"), ("a #2", "INVALID")]
    assert got.entries[1].reason == "names the run of a once more"
    assert pooled(got).acked == 40


def _truth_of_lists(folder: Path) -> None:
    (folder / "truth.json").write_text("[]")


def _torn(folder: Path) -> None:
    (folder / "run.json").write_text("{")


def _text_for_numbers(folder: Path) -> None:
    text = (folder / "ledger.jsonl").read_text().replace('"due": ', '"due": "x", "due_was": ')
    (folder / "ledger.jsonl").write_text(text)


@pytest.mark.parametrize("harm", [_truth_of_lists, _torn, _text_for_numbers])
def test_a_broken_run_costs_only_itself(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """It is INVALID with a reason; the others keep their verdicts."""
    folder = campaigns.keep(tmp_path, campaigns.ALL_PASS)
    harm(tmp_path / "slow-api-run")
    first, second = read(folder).entries
    assert (first.state, second.state) == ("PASS", "INVALID")
    assert second.judged is None or not second.holds
    assert second.reason or second.findings


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What is written is what is read back; rewriting leaves nothing beside it."""
    entries = (PlannedEntry("a", run="a-1", state=EntryState.FAIL), PlannedEntry("b", "a", reason="é"))
    plan = CampaignPlan("c-1", "2026-03-01T12:00:00+00:00", "quick", "locust", entries)
    write_campaign(tmp_path, plan)
    write_campaign(tmp_path, replace(plan, ended="completed"))
    assert read_plan(tmp_path) == replace(plan, ended="completed")
    assert [p.name for p in tmp_path.iterdir()] == ["campaign.json"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no campaign's description"),
        ("[]", "is no campaign's description"),
        ('{"format": 2}', "was written in another format than 1"),
        ('{"format": 1, "entries": []}', "missing"),
        (
            '{"format": 1, "entries": [{"scenario": "a", "state": "GOOD"}]}',
            "'GOOD' is not a valid EntryState",
        ),
        ('{"format": 1, "entries": [{"scenario": 1, "state": "PASS"}]}', "scenario is 1, not a text"),
        ('{"format": 1, "entries": [{"scenario": "a"}]}', "'state'"),
    ],
)
def test_a_bad_record_names_file_and_problem(tmp_path: Path, text: str, problem: str) -> None:
    """One sentence; it is no campaign then."""
    (tmp_path / "campaign.json").write_text(text)
    with pytest.raises(FolderError, match=r"campaign\.json: ") as told:
        read(tmp_path)
    assert problem in str(told.value)


def test_the_latest_link_is_replaced(tmp_path: Path) -> None:
    """It names the last campaign, by a name that survives a move of the runs."""
    for name in ("c-1", "c-2"):
        (tmp_path / name).mkdir()
        point_latest(tmp_path / name)
    assert (tmp_path / "latest-campaign").readlink() == Path("c-2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c-1", "c-2", "latest-campaign"]
