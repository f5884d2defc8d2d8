"""An exploration, driven with a fake runner: what is run next follows from the results, within its bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos_hooks import drawing, exploration, planning
from chaos_hooks.errors import SetupError
from chaos_hooks.exploration import Exploration
from chaos_hooks.live_run import Result
from chaos_hooks.options import TARGETS, Options
from reports import campaign_plan
from reports.finding import Status
from reports.verdict import State
from shapes import scenario, target
from shapes.document import DocumentError
from shapes.scenario import Scenario
from shapes.schedule import compose, from_start, overlap_s

Runner = Callable[[Scenario], tuple[State | None, str]]


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn does not depend on the machine that runs the test."""
    monkeypatch.setattr(drawing, "kernel_lacks", lambda _: "there is no nft")


def options(runs: Path, **changes: Any) -> Options:
    plain = Options("", "quick", "", "", "", "", 0, "", False, str(runs), -1, "", "", 0, "", "", explore=7)
    return replace(plain, **changes)


def explore(runs: Path, runner: Runner, **changes: Any) -> Exploration:
    """Drive an exploration as `CampaignRun` does: run each entry, tell its result, ask for the next."""
    asked = options(runs, **changes)
    found = Exploration.of(asked, target.find(TARGETS, "sandbox"), lambda _: None)
    for index, entry in enumerate(found.entries()):
        state, criterion = runner(entry.scenario)
        folder = runs / f"run-{index}"
        failed = [SimpleNamespace(criterion=criterion, status=Status.FAIL)] if state is State.FAIL else []
        verdict = SimpleNamespace(state=state, findings=failed) if state else None
        found.finished(index, Result(folder, cast(Any, verdict), "" if verdict else "no sandbox"))
    found.end("completed")
    return found


def both_away(told: Scenario) -> tuple[State | None, str]:
    """Fail while Redis and the Kubernetes API are broken at once."""
    redis = [f for f in told.faults if f.name.startswith("redis-")]
    api = [f for f in told.faults if f.name.startswith("api-")]
    fails = any(overlap_s(a, b) >= 1.0 for a in redis for b in api)
    return (State.FAIL, "zero_loss") if fails else (State.PASS, "")


@pytest.mark.parametrize("seed", range(8))
def test_a_failure_is_reduced_to_the_overlap_and_kept_as_a_file(tmp_path: Path, seed: int) -> None:
    """The file holds the smallest schedule that failed, two faults at once, and can be run."""
    found = explore(tmp_path, both_away, explore=seed, explore_runs=60)
    replayed = scenario.load(found.reduced_file, "quick")

    assert found.complete
    assert found.smallest
    assert len(replayed.faults) == 2
    assert replayed.faults == from_start(found.smallest.faults)
    assert both_away(replayed) == (State.FAIL, "zero_loss")
    assert found.reduced_file.read_text().startswith(f"# Found by --chaos-explore {seed}, run run-")
    assert "nothing smaller that was asked for fails, and it failed again" in found.summary()
    assert "replay: locust --headless --chaos-scenario " in found.summary()


def test_each_trial_is_an_entry_of_the_campaign_and_of_the_data(tmp_path: Path) -> None:
    """campaign.json and exploration.json tell the same trials, in order."""
    found = explore(tmp_path, both_away, explore_runs=60)
    entries = campaign_plan.read_plan(found.folder).entries
    data = json.loads((found.folder / exploration.FILE).read_text())

    assert [e.scenario for e in entries] == [t.scenario for t in found.trials]
    assert [e.run for e in entries] == [t["run"] for t in data["trials"]]
    assert [t["state"] for t in data["trials"]] == [t.state for t in found.trials]
    assert data["smallest"]["faults"] == data["trials"][_index(found)]["faults"]
    assert (data["seed"], data["complete"], data["file"]) == (7, True, found.reduced_file.name)


def _index(found: Exploration) -> int:
    return next(i for i, trial in enumerate(found.trials) if trial == found.smallest)


def test_schedules_follow_from_the_seed_until_the_bound(tmp_path: Path) -> None:
    """Without a failure each is drawn anew, and no file is written."""
    seen = []

    def passes(told: Scenario) -> tuple[State | None, str]:
        seen.append(told.faults)
        return State.PASS, ""

    found = explore(tmp_path, passes, explore_runs=5)

    assert seen == [from_start(compose(7, number)) for number in range(5)]
    assert found.complete
    assert not found.reduced_file.exists()
    assert found.summary().endswith("no schedule failed")


def test_packets_are_dropped_in_the_kernel_where_that_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sandbox with a network of its own, and told with the reason where it is left out."""
    seen: list[Scenario] = []

    def passes(told: Scenario) -> tuple[State | None, str]:
        seen.append(told)
        return State.PASS, ""

    without = explore(tmp_path / "without", passes, explore_runs=10)
    monkeypatch.setattr(drawing, "kernel_lacks", lambda _: "")
    explore(tmp_path / "with", passes, explore_runs=10)
    inject = [{fault.inject for fault in told.faults} for told in seen]

    assert json.loads((without.folder / exploration.FILE).read_text())["left_out"] == {
        "netns": "there is no nft"
    }
    assert not any("netns" in each for each in inject[:10])
    assert any("netns" in each for each in inject[10:])
    assert [told.start_args for told in seen] == [
        "--network namespace" if "netns" in each else "" for each in inject
    ]


def test_the_reduction_ends_with_its_bounds_and_says_so(tmp_path: Path) -> None:
    """The smallest so far is kept, and is not called the smallest."""
    found = explore(tmp_path, lambda _: (State.FAIL, "zero_loss"), explore_runs=2)

    assert len(found.trials) == 2
    assert not found.complete
    assert "its bounds ended the reduction" in found.summary()
    assert found.smallest == found.trials[1]


@pytest.mark.parametrize("state", [State.INVALID, State.UNKNOWN])
def test_what_is_undecided_neither_fails_nor_is_kept(tmp_path: Path, state: State) -> None:
    """A smaller schedule whose fault did not bite is not called one that fails."""

    def runner(told: Scenario) -> tuple[State | None, str]:
        return (state, "") if "-r" in told.name else (State.FAIL, "zero_loss")

    found = explore(tmp_path, runner, explore_runs=60)

    asked = [trial.how for trial in found.trials[1:]]

    assert found.complete
    assert found.smallest == found.trials[0]
    assert asked[:-1:2] == asked[1::2]  # Each is run a second time.
    assert asked[-1] == "again"
    assert found.confirmed
    assert explore(tmp_path / "b", lambda _: (state, ""), explore_runs=3).smallest is None


def test_another_criterion_s_failure_is_another_failure(tmp_path: Path) -> None:
    """The reduction follows what was found first."""
    found = explore(
        tmp_path,
        lambda told: (State.FAIL, "steady_state" if "-r" in told.name else "zero_loss"),
        explore_runs=60,
    )

    assert found.smallest == found.trials[0]
    assert found.smallest.convicted_by == ("zero_loss",)


def test_what_failed_once_by_chance_is_given_up_for_the_one_before(tmp_path: Path) -> None:
    """Run again, the smallest passes; the schedule before it fails again, and is the one that is kept."""
    seen: list[object] = []

    def by_chance(told: Scenario) -> tuple[State | None, str]:
        short = min(fault.for_s for fault in told.faults) < 1.5
        by_chance = short and told.faults not in seen
        seen.append(told.faults)
        return both_away(told) if not short or by_chance else (State.PASS, "")

    found = explore(tmp_path, by_chance, explore=32, explore_runs=60)
    kept = scenario.load(found.reduced_file, "quick")

    assert found.confirmed
    assert min(fault.for_s for fault in kept.faults) >= 1.5
    assert [t.how for t in found.trials].count("again") > 1


def test_what_never_fails_again_is_kept_as_it_was_drawn(tmp_path: Path) -> None:
    """And it is said that it was not seen to fail again."""
    first: list[str] = []

    def once(told: Scenario) -> tuple[State | None, str]:
        first.append(told.name)
        return (State.FAIL, "zero_loss") if len(first) == 1 else (State.PASS, "")

    found = explore(tmp_path, once, explore_runs=60)

    assert (found.smallest, found.confirmed) == (found.trials[0], False)
    assert "it was not seen to fail again" in found.summary()


def test_a_run_that_could_not_begin_ends_it(tmp_path: Path) -> None:
    """Without a sandbox no further run would have one."""
    found = explore(tmp_path, lambda _: (None, ""), explore_runs=60)

    assert len(found.trials) == 1
    assert not found.complete


def test_its_time_is_bounded(tmp_path: Path) -> None:
    """After that no further run is begun."""
    assert explore(tmp_path, lambda _: (State.PASS, ""), explore_for="0s").trials == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scenario": "x"}, "--chaos-scenario: 'x' stands beside --chaos-explore"),
        ({"pattern": "steady"}, "--chaos-pattern: 'steady' stands beside --chaos-explore"),
        ({"target_url": "http://127.0.0.1:1"}, "--chaos-target-url: "),
        ({"no_faults": True}, "--chaos-no-faults: leaves an exploration nothing to find"),
        ({"pace": "plan"}, "--chaos-pace: an exploration has timings of its own"),
        ({"explore_runs": 0}, "--chaos-explore-runs: 0 is not from 1 to 500"),
        ({"explore_for": "15"}, "--chaos-explore-for: '15' has no unit; write 15s"),
    ],
)
def test_what_cannot_be_explored_is_one_sentence(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """Before anything is started."""
    asked = options(tmp_path, **changes)

    with pytest.raises((SetupError, DocumentError)) as problem:
        planning.entries(asked, asked)
    assert sentence in str(problem.value)


def test_the_first_run_is_checked_as_any_scenario_is(tmp_path: Path) -> None:
    """Criteria and injectors exist; the target is the sandbox."""
    asked = options(tmp_path)
    (entry,) = planning.entries(asked, asked)

    assert entry.scenario.name == "explore-7-0"
    assert entry.target.name == "sandbox"
    assert entry.skip == ""
