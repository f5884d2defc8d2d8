"""`python -m reports`: judges what is recorded, never what was once judged; and writes every format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import histories
import pytest

from reports import __main__ as command
from reports import folder, writing
from reports.formats import junit
from reports.verdict import State

ROOT = Path(__file__).parent.parent
FILES = {"verdict.json", "report.md", "junit.xml", "report.html"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of three runs: passed, failed and invalid, the last one the latest."""
    kept = tmp_path / "runs"
    histories.keep(
        histories.history(run_changes={"started_at": "2026-03-01T10:00:00+00:00"}), kept / "a-pass"
    )
    histories.keep(
        histories.history(lost=(1,), run_changes={"started_at": "2026-03-01T11:00:00+00:00"}), kept / "b-fail"
    )
    last = histories.history(
        injections=(histories.injection(bit=False),), run_changes={"started_at": "2026-03-01T12:00:00+00:00"}
    )
    histories.keep(last, kept / "c-invalid")
    (kept / "latest").symlink_to("c-invalid")
    return kept


def main(runs: Path, *arguments: str) -> int:
    return command.main(["--runs-dir", str(runs), *arguments])


def test_a_history_survives_its_folder(tmp_path: Path) -> None:
    """What the builder keeps is what is read back."""
    told = histories.history(4, lost=(2,), rejected_safe=1, indeterminate=1, unsent=1)
    assert folder.read(histories.keep(told, tmp_path / "run")) == told


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["a-pass"], 0),
        (["b-fail"], 1),
        (["c-invalid"], 3),
        (["latest"], 3),
        (["a-pass", "c-invalid"], 3),
        (["a-pass", "b-fail", "c-invalid"], 1),
    ],
)
def test_the_worst_run_gives_the_exit_code(runs: Path, names: list[str], code: int) -> None:
    """Failed comes before undecided before passed."""
    assert main(runs, *names) == code


def test_the_stored_verdict_is_never_believed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is judged from its record."""
    (runs / "b-fail" / "verdict.json").write_text('{"state": "PASS", "exit_code": 0}')
    assert main(runs, "b-fail") == 1
    assert capsys.readouterr().out.startswith(
        "FAIL: 1 of 3 acknowledged alerts lost. Convicted by zero_loss.\n"
    )


def test_a_run_is_also_found_by_its_path(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder copied from elsewhere needs no place under the runs."""
    assert command.main([str(runs / "a-pass"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "PASS"


def test_out_takes_the_report(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the file, not onto the terminal."""
    assert main(runs, "b-fail", "--format", "junit", "--out", str(tmp_path / "x.xml")) == 1
    assert (tmp_path / "x.xml").read_text(encoding="utf-8").startswith("<?xml")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a run, 'latest' for the last one, or say --list"),
        (["--list", "a-pass"], "or say --list"),
        (
            ["a-pass", "--format", "pdf"],
            "unknown format 'pdf'; there are: csv, html, json, jsonl, junit, markdown, text",
        ),
        (["a-pass", "b-fail", "--out", "x"], "--out holds the report of one run"),
        (["a-pass", "--write", "--format", "json"], "leave --format and --out away"),
        (["a-pass", "--out", "/nowhere/at/all/x"], "there is no folder /nowhere/at/all; make it first"),
        (["gone"], "gone: is no run's folder, nor a run in "),
    ],
)
def test_what_cannot_be_done_says_how(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    """One sentence that names the mend, exit code 2, and no report."""
    assert main(runs, *arguments) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_broken_folder_is_no_verdict(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It costs exit code 2, also beside runs that can be read, and those are still printed."""
    (runs / "a-pass" / "run.json").write_text("{")
    (runs / "empty").mkdir()
    assert main(runs, "a-pass", "b-fail") == 2
    printed = capsys.readouterr()
    assert str(runs / "a-pass" / "run.json") in printed.err
    assert "name a run's folder" in printed.err
    assert printed.out.startswith("FAIL")
    assert main(runs, "empty") == 2
    assert "cannot be read" in capsys.readouterr().err
    (runs / "c-invalid" / "truth.json").write_text("[]")
    assert main(runs, "c-invalid") == 2
    assert "its record cannot be understood" in capsys.readouterr().err


def test_no_latest_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first run there is nothing to judge."""
    assert main(tmp_path, "latest") == 2
    assert "there is no latest run; run a scenario" in capsys.readouterr().err


def test_list_names_the_runs_newest_first(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Time, name, scenario and state; a run that cannot be read is named too, and the link is none."""
    (runs / "broken").mkdir()
    assert main(runs, "--list") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[1], row[2], row[3]) for row in rows[:3]] == [
        ("2026-03-01T12:00:00+00:00", "c-invalid", "redis-master-failure", "INVALID"),
        ("2026-03-01T11:00:00+00:00", "b-fail", "redis-master-failure", "FAIL"),
        ("2026-03-01T10:00:00+00:00", "a-pass", "redis-master-failure", "PASS"),
    ]
    assert rows[3][1] == "broken"
    assert len(rows) == 4


def test_list_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No runs is no error."""
    assert main(tmp_path / "none", "--list") == 0
    assert "no runs in " in capsys.readouterr().out


def test_write_writes_every_format(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the record; and says the sentence."""
    assert main(runs, "b-fail", "--write") == 1
    assert {p.name for p in (runs / "b-fail").iterdir()} >= FILES
    assert not list((runs / "b-fail").glob("*.part"))
    assert "FAIL: 1 of 3 acknowledged alerts lost" in capsys.readouterr().out


def _raises(*_: object) -> str:
    raise RuntimeError("planted\nover two lines")


def test_a_format_that_raises_costs_only_itself(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line on stderr, the verdict and the other formats as they were, and no old report that lies."""
    (runs / "a-pass" / "junit.xml").write_text("an older report")
    monkeypatch.setattr(junit, "render", _raises)
    assert writing.write_all(runs / "a-pass").state is State.PASS
    assert {p.name for p in (runs / "a-pass").iterdir()} & FILES == FILES - {"junit.xml"}
    printed = capsys.readouterr().err
    assert printed == "report junit: not made: RuntimeError: planted over two lines\n"
    assert main(runs, "a-pass", "--format", "junit") == 0
    assert "planted" in capsys.readouterr().err


def test_a_disk_error_costs_only_its_report(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be written is named; the verdict stands."""
    (runs / "b-fail" / "report.md").mkdir()
    assert main(runs, "b-fail", "--write") == 1
    printed = capsys.readouterr().err
    assert f"{runs / 'b-fail' / 'report.md'}: not written: " in printed
    assert printed.count("\n") == 1
    assert {p.name for p in (runs / "b-fail").iterdir() if p.is_file()} & FILES == FILES - {"report.md"}


def test_it_is_a_command(runs: Path) -> None:
    """As it is typed: sentence on stdout, verdict as exit code, no locust and no network needed."""
    done = subprocess.run(
        [sys.executable, "-m", "reports", str(runs / "b-fail")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("FAIL: 1 of 3")
