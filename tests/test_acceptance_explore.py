"""As a user runs it: random schedules find a loss that only overlapping faults show, and reduce it."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

from locust_process import locust

from reports import folder as run_folder
from shapes import scenario
from shapes.schedule import overlap_s

# Draws Redis refused and the API failing, and nothing else.
SEED = "32"


def test_the_overlap_is_found_and_neither_fault_alone_convicted(tmp_path: Path) -> None:
    """Three runs: both faults lose alerts, each one alone passes; the file holds both, and can be loaded."""
    runs = tmp_path / "runs"
    with locust(
        runs,
        "--headless",
        *("--chaos-explore", SEED, "--chaos-explore-runs", "3"),
        *("--chaos-start-args", "--gateway-defects drop-when-faults-overlap"),
    ) as process:
        ended = process.wait()
    told = json.loads((runs / "latest-campaign/exploration.json").read_text())
    (file,) = (runs / "latest-campaign").resolve().glob("*.yaml")
    kept = scenario.load(file, "quick")

    assert ended.code == 1, ended.output
    # A machine that is too busy makes a run INVALID; none of the smaller schedules may fail.
    states = [trial["state"] for trial in told["trials"]]
    assert states[0] == "FAIL", ended.output
    assert set(states[1:]) <= {"PASS", "INVALID"}, ended.output
    assert told["trials"][0]["convicted_by"] == ["zero_loss"]
    assert [fault.name for fault in kept.faults] == ["redis-refused", "api-failing"]
    assert all(overlap_s(a, b) for a, b in combinations(kept.faults, 2))
    assert "replay: locust --headless --chaos-scenario " in ended.output
    assert "its bounds ended the reduction" in ended.output
    for trial in told["trials"]:
        assert run_folder.read(runs / trial["run"]).ended == "completed"
