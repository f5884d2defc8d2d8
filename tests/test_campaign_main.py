"""`python -m reports CAMPAIGN`: found by its campaign.json, judged again, printed or written like a run."""

from __future__ import annotations

import json
from pathlib import Path

import campaigns
import pytest

from reports import __main__ as command
from reports import campaign_writing
from reports.campaign import point_latest
from reports.campaign_formats import junit
from reports.verdict import State

FILES = {"verdict.json", "report.md", "junit.xml", "report.html"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return the runs of a failed campaign, which is the latest one, with its own folder among them."""
    point_latest(campaigns.keep(tmp_path / "runs", campaigns.MANY["one failed"]))
    return tmp_path / "runs"


def main(runs: Path, *arguments: str) -> int:
    return command.main(["--runs-dir", str(runs), *arguments])


@pytest.mark.parametrize("name", [campaigns.ID, "latest-campaign"])
def test_a_campaign_is_found_by_its_id_or_as_the_latest(
    runs: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Its sentence first, its exit code."""
    assert main(runs, name) == 1
    assert capsys.readouterr().out.startswith("FAIL: 1 of 2 scenarios failed (redis-oom)")


def test_a_campaign_is_found_by_its_path(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also through the link, and from within: its runs are beside its real folder."""
    for place in (runs / campaigns.ID, runs / "latest-campaign"):
        assert command.main([str(place), "--format", "json"]) == 1
        assert json.loads(capsys.readouterr().out)["counts"]["passed"] == 1
    monkeypatch.chdir(runs / campaigns.ID)
    assert command.main(["."]) == 1
    assert capsys.readouterr().out.startswith("FAIL: 1 of 2")


def test_out_takes_a_campaigns_report(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the file, not onto the terminal."""
    assert main(runs, campaigns.ID, "--format", "html", "--out", str(tmp_path / "x.html")) == 1
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out == ""


def test_runs_and_campaigns_can_be_named_together(runs: Path) -> None:
    """The worst gives the exit code."""
    assert main(runs, "redis-master-failure-run") == 0
    assert main(runs, "redis-master-failure-run", campaigns.ID) == 1


def test_write_writes_every_format(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside campaign.json, which stays as it was; and says the sentence."""
    before = (runs / campaigns.ID / "campaign.json").read_text()
    assert main(runs, "latest-campaign", "--write") == 1
    assert {p.name for p in (runs / campaigns.ID).iterdir()} == FILES | {"campaign.json"}
    assert (runs / campaigns.ID / "campaign.json").read_text() == before
    assert "FAIL: 1 of 2 scenarios failed" in capsys.readouterr().out


def _raises(*_: object) -> str:
    raise RuntimeError("planted")


def test_a_format_that_raises_costs_only_itself(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line on stderr, the verdict and the other formats as they were, and no old report that lies."""
    (runs / campaigns.ID / "junit.xml").write_text("an older report")
    monkeypatch.setattr(junit, "render", _raises)
    assert campaign_writing.write_all(runs / campaigns.ID).state is State.FAIL
    assert {p.name for p in (runs / campaigns.ID).iterdir()} & FILES == FILES - {"junit.xml"}
    assert capsys.readouterr().err == "report junit: not made: RuntimeError: planted\n"
    assert main(runs, campaigns.ID, "--format", "junit") == 1
    assert "planted" in capsys.readouterr().err


def test_list_marks_campaigns(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Among the runs, with the number of scenarios; the links are none of them."""
    assert main(runs, "--list") == 0
    rows = {line.split()[1]: line.split()[2:] for line in capsys.readouterr().out.splitlines()}
    assert rows == {
        campaigns.ID: ["campaign", "of", "2", "FAIL"],
        "redis-master-failure-run": ["redis-master-failure", "PASS"],
        "redis-oom-run": ["redis-oom", "FAIL"],
    }


def test_what_cannot_be_done_says_how(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and one sentence: no campaign yet, or one whose record is torn."""
    (runs / campaigns.ID / "campaign.json").write_text("{")
    assert main(runs, campaigns.ID) == 2
    assert "campaign.json: is no campaign's description" in capsys.readouterr().err
    assert main(runs, "--list") == 0
    assert "not to be read: " in capsys.readouterr().out
    (runs / "latest-campaign").unlink()
    assert main(runs, "latest-campaign") == 2
    assert "there is no latest campaign; run one" in capsys.readouterr().err
