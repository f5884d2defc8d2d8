"""A run beside the last one of the same plan: which one that is, and what may be said of the difference."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import histories
import pytest
from rendered import VERDICTS, Page

from reports import __main__ as command
from reports import comparable, comparison, writing
from reports.comparison import Comparison, Delta
from reports.history import History
from reports.interval import Interval
from reports.verdict import judge

DAY = "2026-03-{:02d}T12:00:00+00:00"


def on(day: int, **changes: object) -> History:
    """Return a passing run of that day."""
    run = {"started_at": DAY.format(day), **changes}
    return histories.history(run_changes=run)


def compared(before: History, now: History) -> Comparison:
    then = comparison.figures(before, judge(before))
    return comparison.compare(then, comparison.figures(now, judge(now)))


def test_the_last_run_before_it_with_the_same_plan_that_came_to_its_end(tmp_path: Path) -> None:
    """Not one of another pace or with other faults, not a later one, not one that was broken off or INVALID,
    nor itself."""
    histories.keep(on(1), tmp_path / "first")
    histories.keep(on(2, seed=8), tmp_path / "second")
    histories.keep(on(3, pace="plan"), tmp_path / "slow")
    histories.keep(replace(on(3), ended="interrupted"), tmp_path / "broken-off")
    other = histories.injection(asked_at_s=1.0)
    histories.keep(replace(on(3), injections=(other,)), tmp_path / "other-fault")
    invalid = histories.injection(bit=False)
    writing.write_all(histories.keep(replace(on(3), injections=(invalid,)), tmp_path / "invalid"))
    own = histories.keep(on(4), tmp_path / "own")
    histories.keep(on(5), tmp_path / "later")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "latest").symlink_to("second")

    assert comparable.earlier(own) == (tmp_path / "second", "")
    for name in ("first", "second"):
        shutil.rmtree(tmp_path / name)
    path, why = comparable.earlier(own)
    assert path is None
    head, _, told = why.partition(": ")
    assert head == "of 4 earlier runs of redis-master-failure beside it"
    assert set(told.split("; ")) == {
        "1 not the same plan: pace differ",
        "1 interrupted",
        "1 other faults",
        "1 INVALID",
    }
    shutil.rmtree(tmp_path / "slow")
    assert comparable.earlier(tmp_path / "invalid") == (
        None,
        "there is no earlier run of redis-master-failure beside it",
    )


def test_why_there_is_nothing_to_compare_with_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every report for people, and to programs."""
    histories.keep(on(1, pace="plan"), tmp_path / "slow")
    own = histories.keep(on(2), tmp_path / "own")
    writing.write_all(own)
    command.main([str(own)])
    why = "of 1 earlier run of redis-master-failure beside it: 1 not the same plan: pace differ"

    assert f"compared with no run: {why}" in capsys.readouterr().out
    assert why in " ".join(Page((own / "report.html").read_text()).words)
    assert "Compared with no run: of 1 earlier run" in (own / "report.md").read_text()
    told = json.loads((own / "verdict.json").read_text())
    assert (told["compared"], told["not_compared"]) == (None, why)


def test_what_differs_beside_the_plan_is_said() -> None:
    """Seed and versions: the plan is the same all the same."""
    newer = on(2, seed=8, versions={"alertstorm": "0.2.0", "locust": "2.47.0"})

    assert compared(on(1), newer).differs == ("seed 7 then, 8 now", "alertstorm 0.1.0 then, 0.2.0 now")
    options = compared(on(1, command="locust --x --chaos-seed 7"), on(2, command="locust --chaos-seed 8"))
    assert options.differs == ("options then: locust --x --chaos-seed 7",)
    other = compared(on(1, pace="plan"), on(2))
    assert other.differs == ("not the same plan: pace differ",)


def test_three_deltas_and_the_latency() -> None:
    """Lost by its count; a time that moved within the errors is no difference."""
    now = histories.history(lost=(1,))

    assert compared(on(1), now).deltas == (
        Delta("Lost", "0 of 3", "1 of 3", "1 more"),
        Delta("Breaker opened", "[0.15 s, 0.41 s]", "[0.15 s, 0.41 s]", "no difference beyond the error"),
        Delta("Recovered", "[0.75 s, 1.01 s]", "[0.75 s, 1.01 s]", "no difference beyond the error"),
        Delta(
            "Latency of acknowledged, 95 % within",
            "20.0 ms",
            "20.0 ms",
            "+0.0 ms; one run each, so it may be chance",
        ),
    )


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (Interval(2.1, 3.0), "slower by at least 0.10 s"),
        (Interval(0.2, 0.9), "faster by at least 0.10 s"),
        (Interval(1.9, 3.0), "no difference beyond the error"),
    ],
)
def test_a_time_differs_only_beyond_both_errors(now: Interval, change: str) -> None:
    """Intervals that touch cannot be told apart."""
    then = comparison.figures(on(1), judge(on(1)))
    before = replace(then, times={"Recovered": Interval(1.0, 2.0)})

    deltas = comparison.compare(before, replace(then, times={"Recovered": now})).deltas

    assert [d.change for d in deltas if d.label == "Recovered"] == [change]


def test_every_report_for_people_and_the_json_tell_it(tmp_path: Path) -> None:
    """Written beside the run, found by itself; JUnit has no place for it."""
    histories.keep(on(1, run_id="first"), tmp_path / "first")
    own = histories.keep(
        histories.history(lost=(1,), run_changes={"started_at": DAY.format(2)}), tmp_path / "own"
    )
    writing.write_all(own)

    assert json.loads((own / "verdict.json").read_text())["compared"]["run_id"] == "first"
    page = " ".join(Page((own / "report.html").read_text()).words)
    assert "Compared with the run before" in page
    assert "1 more" in page
    assert "| Lost | 0 of 3 | 1 of 3 | 1 more |" in (own / "report.md").read_text()
    assert set(VERDICTS) == {"html", "json", "junit", "markdown", "text"}


def test_the_command_compares_with_whom_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default the last of the same plan; `--compare` names another, which need not be of the same plan."""
    for day, changes in ((1, {"run_id": "first"}), (2, {"run_id": "second"}), (3, {"pace": "plan"})):
        histories.keep(on(day, **changes), tmp_path / f"day-{day}")
    base = ["--runs-dir", str(tmp_path)]

    assert command.main([*base, "day-2"]) == 0
    assert "compared with first (PASS, 2026-03-01" in capsys.readouterr().out
    assert command.main([*base, "day-1", "--compare", "day-3"]) == 0
    assert "not the same plan: pace differ" in capsys.readouterr().out
    assert command.main([*base, "day-1", "--compare", "day-9"]) == 2


def test_a_comparison_that_breaks_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one line on stderr; the verdict and the reports stand."""
    monkeypatch.setattr(comparable, "earlier", lambda _: 1 / 0)
    own = histories.keep(on(1), tmp_path / "own")

    assert writing.write_all(own).exit_code == 0
    assert "comparison: not made: ZeroDivisionError" in capsys.readouterr().err
    assert (own / "report.html").exists()
