"""The selftest's own judgement: what a trial proves, what all of them prove, and its table of rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from histories import history, keep

from reports.history import Asked
from reports.verdict import criterion_names
from sandbox.gateway import defects
from sandbox.selftest import matrix, publish, rows, target, trial
from sandbox.selftest.__main__ import main
from sandbox.selftest.row import Row
from sandbox.selftest.score import HIT, INVALID, MISS, VOID, Score, grade, least_share
from sandbox.selftest.trial import Outcome
from shapes import scenario
from shapes import target as targets

GUILTY = Row("drops", "quiet", "drop-one-in=5", "zero_loss", ("count_exact",))
CLOSE = Row("close", "quiet", "noise-metrics-slow=1", states=("UNKNOWN",), allows=("recovery",))


def convicted(*failed: str, **changes: object) -> Outcome:
    """Return a conviction in which the defect bit seven times and survives the disabled criterion."""
    plain: dict[str, object] = {"state": "FAIL", "failed": failed, "triggered": 7, "without": "PASS"}
    return Outcome(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("got", "graded"),
    [
        (convicted("zero_loss"), HIT),
        (convicted("count_exact", "zero_loss"), HIT),
        (convicted("zero_loss", without="UNKNOWN"), HIT),
        (convicted("count_exact"), MISS),
        (convicted("zero_loss", "recovery"), MISS),
        (convicted("zero_loss", without="FAIL"), MISS),
        (convicted("zero_loss", without="BROKEN: x"), MISS),
        (convicted(state="PASS"), MISS),
        (convicted(state="UNKNOWN"), MISS),
        (convicted(state="UNKNOWN", looked=0.89), INVALID),
        (convicted(state="PASS", looked=0.1), MISS),
        (convicted("zero_loss", triggered=0), VOID),
        (convicted(state="INVALID"), INVALID),
        (Outcome("BROKEN", detail="Traceback"), MISS),
    ],
)
def test_a_defect_must_be_convicted_by_its_criterion_alone(got: Outcome, graded: str) -> None:
    """By name; what never bit, or ran on nothing, proves nothing; a disabled criterion must be missed."""
    assert grade(GUILTY, got)[0] == graded


@pytest.mark.parametrize(
    ("got", "graded"),
    [
        (Outcome("UNKNOWN", (), ("recovery",), 3), HIT),
        (Outcome("UNKNOWN", (), ("recovery", "zero_loss"), 3), MISS),
        (Outcome("PASS", (), (), 3), MISS),
        (Outcome("FAIL", ("recovery",), (), 3), MISS),
        (Outcome("FAIL", ("zero_loss",), (), 3, looked=0.1), MISS),
        (Outcome("UNKNOWN", (), ("zero_loss",), 3, looked=0.9), MISS),
        (Outcome("UNKNOWN", (), ("zero_loss",), 3, looked=0.89), INVALID),
        (Outcome("UNKNOWN", (), ("recovery",), 0), VOID),
        (Outcome("INVALID", (), ("load_on_time",), 3), INVALID),
    ],
)
def test_an_innocent_must_be_what_the_table_says(got: Outcome, graded: str) -> None:
    """Undecided only where it is allowed; a run that was not needed to be invalid proves nothing."""
    assert grade(CLOSE, got)[0] == graded


def test_a_state_that_only_the_run_can_have() -> None:
    """INVALID where it is wanted is a hit, with nothing planted; SKIPPED needs no bite."""
    starved = Row("starved", "quiet", act="pause", states=("INVALID",), allows=("load_on_time",))
    skipped = Row("without", "quiet", lacks="Redis", states=("SKIPPED",))

    assert grade(starved, Outcome("INVALID", (), ("load_on_time",), 1))[0] == HIT
    assert grade(starved, Outcome("PASS", (), (), 0))[0] == VOID
    assert grade(starved, Outcome("PASS", (), (), 1))[0] == MISS
    assert grade(skipped, Outcome("SKIPPED"))[0] == HIT
    assert grade(skipped, Outcome("PASS"))[0] == MISS


@pytest.mark.parametrize(
    ("hits", "runs", "share"),
    [(0, 0, 0.0), (0, 5, 0.0), (1, 1, 0.05), (5, 5, 0.5493), (20, 20, 0.8609), (19, 20, 0.7839)],
)
def test_the_bound_is_exact(hits: int, runs: int, share: float) -> None:
    """0.05^(1/n) for n of n; with a miss the lower limit of Clopper and Pearson."""
    assert least_share(hits, runs) == pytest.approx(share, abs=1e-4)


def test_the_matrix_counts_what_proves_something() -> None:
    """Hits of those that are no VOID and no INVALID; the others are told, and make no row sound."""
    guilty, idle = Score(GUILTY), Score(CLOSE)
    for seed, got in enumerate([convicted("zero_loss"), convicted("zero_loss", triggered=0)], start=1):
        guilty.add(seed, got)
    idle.add(1, Outcome("INVALID", (), ("load_on_time",), 3, detail="late"))
    told = matrix.document([guilty, idle])

    assert (guilty.sound, idle.sound, told["sound"]) == (True, False, False)
    assert matrix.text([guilty, idle]) == (
        "| defect | scenario | must convict                    | bites | convicted by | disabled | hits   "
        "| 95 % bound       |\n"
        "|--------|----------|---------------------------------|-------|--------------|----------|--------"
        "|------------------|\n"
        "| drops  | quiet    | zero_loss (or with count_exact) | 0-7   | zero_loss    | PASS     | 1 of 1 "
        "| detected >= 5.0% |\n"
        "\n"
        "| innocent | scenario | planted              | must be | was | hits   | 95 % bound      |\n"
        "|----------|----------|----------------------|---------|-----|--------|-----------------|\n"
        "| close    | quiet    | noise-metrics-slow=1 | UNKNOWN |     | 0 of 0 | wrong <= 100.0% |\n"
        "\n"
        "All defects together: 1 of 1 runs were hits, detected >= 5.0% at 95 %.\n"
        "\n"
        "drops, seed 2: VOID: what was planted never bit\n"
        "close, seed 1: INVALID: late\n"
        "close: no trial proved anything (0 VOID, 1 INVALID)\n"
    )
    assert [row["hits"] for row in told["rows"]] == [1, 0]
    again = matrix.recorded(
        [json.loads(json.dumps(told))] * 2, (GUILTY, replace(CLOSE, plants="labels-lost"))
    )
    assert [(score.row, score.hits, score.number(VOID)) for score in again] == [(GUILTY, 2, 2)]


@pytest.mark.parametrize("row", rows.ALL, ids=lambda row: row.name)
def test_every_row_can_be_run(row: Row, tmp_path: Path) -> None:
    """Its scenario, defects, criteria and target are there, and the scenario asks its criterion."""
    planned = scenario.load(trial.SCENARIOS / f"{row.scenario}.yaml", "quick")
    asked = {promise.criterion for promise in planned.promises}
    defects.parse(row.plants)
    path = target.write(row, tmp_path)

    assert row.slow == (planned.load_s + planned.settle_s > 15.0)
    assert {row.wants or "zero_loss"} <= asked
    assert {row.wants or "zero_loss", *row.allows} <= set(criterion_names())
    assert not (row.wants and row.allows and not row.why), "a consequence that is allowed has a reason"
    assert path is None or targets.load(path).start


def test_every_defect_of_the_gateway_stands_in_a_row() -> None:
    """None that can be planted is left out, and no name stands twice."""
    names = [row.name for row in rows.ALL]
    planted = {name for row in rows.ALL for name in row.planted}

    assert planted == set(defects.KNOWN)
    assert len(names) == len(set(names))
    assert set(rows.REDUCED) <= set(names)
    assert {row.scenario for row in rows.DEFECTS} <= {
        row.scenario for row in rows.INNOCENTS if not row.plants and not row.act and not row.lacks
    }, "the same run with the defect off stands among the innocents"


def test_a_recorded_run_is_judged_without_a_criterion(tmp_path: Path) -> None:
    """The loss convicts; with zero_loss disabled the same record passes."""
    folder = keep(
        history(10, lost=[3], promises=(Asked("zero_loss", {}), Asked("recovery", {"within_s": 30.0}))),
        tmp_path / "run",
    )

    assert trial.judged_without(folder, {"recovery"}, tmp_path / "one") == "FAIL"
    assert trial.judged_without(folder, {"zero_loss"}, tmp_path / "other") == "PASS"


def test_the_looks_are_counted(tmp_path: Path) -> None:
    """Those at the readiness, against five a second; a slow /metrics is no starved prober."""
    lines = [{"probe": "ready", "asked_s": at_s} for at_s in (0.0, 0.2, 0.9, 1.0)]
    lines += [{"probe": "metrics", "asked_s": 0.0}, {"probe": "metrics", "asked_s": 9.0}]
    (tmp_path / "observations.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))

    assert trial.looked(tmp_path) == 0.6


def test_the_published_tables_are_those_of_the_record() -> None:
    """README.md and docs/selftest.md hold what docs/selftest-matrix.json says, and of every row."""
    scores = matrix.recorded([publish.read()], rows.ALL)

    assert publish.block(publish.BRIEF) == publish.brief(scores)
    assert publish.block(publish.FULL) == publish.full(scores)
    assert [score.row for score in scores] == list(rows.ALL), "a row or its scenario was changed: run it anew"


def test_the_record_survives_its_publication(tmp_path: Path) -> None:
    """What is written is read again as it was; the text around the tables stays."""
    score = Score(rows.DEFECTS[0])
    score.add(3, convicted("zero_loss", detail="FAIL: 7 lost"))
    score.add(4, Outcome("PASS", triggered=1, without="PASS", detail="PASS: 0 lost"))
    (tmp_path / "docs").mkdir()
    for path in (publish.FULL, publish.BRIEF):
        text = f"before\n{publish._BEGIN}old\n{publish._END}after\n"
        (tmp_path / path).write_text(text)
    publish.write([score], tmp_path)
    (again,) = matrix.recorded([publish.read(tmp_path)], rows.ALL)

    assert [(t[0], t[1].failed, t[2]) for t in again.trials] == [(3, ("zero_loss",), HIT), (4, (), MISS)]
    assert publish.block(publish.BRIEF, tmp_path) == publish.brief([again])
    assert (tmp_path / publish.BRIEF).read_text().startswith("before\n<!-- matrix")
    assert (tmp_path / publish.BRIEF).read_text().endswith("<!-- /matrix -->\nafter\n")
    assert "| ack-then-drop | `zero_loss` | 1 of 2 | detected >= 2.5% |" in publish.brief([again])
    assert "1 defects, 1 of 2 runs convicted by name." in publish.brief([again])


def test_an_unknown_row_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and those that exist."""
    assert main(["--rows", "no-such"]) == 2
    assert "--rows: no row 'no-such'; there are: all, defects" in capsys.readouterr().err
    assert main(["--rows", "recovery-after-31-s", "--quick"]) == 2
    assert main(["--list", "--rows", "reduced"]) == 0
    assert "ack-then-drop" in capsys.readouterr().out


def test_slow_rows_and_controls_have_seeds_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """--few-seeds for them, --seeds for the others, from the same first seed on."""
    tried: list[tuple[str, int]] = []

    def run(row: Row, seed: int, folder: Path) -> Outcome:
        folder.mkdir(parents=True)
        tried.append((row.name, seed))
        return convicted(row.wants) if row.wants else Outcome("PASS")

    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = "labels-lost,recovery-after-31-s,off: many"
    seeds = ["--seeds", "3", "--few-seeds", "1", "--first-seed", "7"]

    assert main(["--rows", names, *seeds, "--jobs", "1"]) == 0
    assert tried == [
        ("labels-lost", 7),
        ("recovery-after-31-s", 7),
        ("off: many", 7),
        ("labels-lost", 8),
        ("labels-lost", 9),
    ]


def test_a_miss_is_told_and_ends_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A defect that passes, and a run that was INVALID once and then is what it must be."""
    tries: list[str] = []

    def run(row: Row, seed: int, folder: Path) -> Outcome:
        folder.mkdir(parents=True)
        tries.append(row.name)
        if row.name == "labels-lost":
            return Outcome("PASS", triggered=3, without="PASS", detail="PASS: 0 of 5 lost")
        late = len(tries) < 2
        return Outcome("INVALID" if late else "SKIPPED", (), ("load_on_time",) if late else (), detail="late")

    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code = main(["--rows", "gateway-without-redis,labels-lost", "--jobs", "1", "--json", str(tmp_path / "m")])
    told = capsys.readouterr()

    assert code == 1
    assert tries == ["gateway-without-redis", "gateway-without-redis", "labels-lost"]
    assert "1 of 2 rows are sound." in told.out
    assert "labels-lost, seed 1: MISS: not convicted by payload_whole: PASS, PASS: 0 of 5 lost" in told.out
    assert json.loads((tmp_path / "m").read_text())["sound"] is False
    assert main(["--recorded", str(tmp_path / "m")]) == 1
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(told.out.splitlines())
