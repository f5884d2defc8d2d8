"""As a user runs it: loads without a scenario file, and with storms, volleys, resolved and repeated ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from locust_process import SHORT, locust, statuses, verdict

from reports import folder as run_folder
from reports.history import Outcome

PROMISES = {"zero_loss", "no_duplicates", "no_unexpected", "safe_rejections", "metrics_continuous"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return an empty folder for runs."""
    return tmp_path / "runs"


def run(runs: Path, *arguments: str, code: int = 0) -> Path:
    """Run Locust headless to its end, and return the run's folder."""
    with locust(runs, "--headless", *arguments) as process:
        ended = process.wait()
    assert ended.code == code, ended.output
    return process.run_folder()


def test_a_steady_pattern_passes_on_the_good_gateway(runs: Path) -> None:
    """No scenario, no fault, nothing asked of faults; the metrics before and after are kept."""
    folder = run(runs, "--chaos-pattern", "steady", "--chaos-rate", "10/s", "--chaos-duration", "3s")
    found = statuses(folder)
    received = [
        _sum(folder / f"{when}.json", "gateway_alerts_received_total") for when in ("baseline", "post")
    ]

    assert set(found) == PROMISES | {"load_on_time", "ledger_whole", "world_whole"}
    assert set(found.values()) == {"PASS"}
    assert verdict(folder)["account"]["created"] == 30
    assert folder.name.startswith("pattern-steady-")
    assert received == [0.0, 30.0]
    command = "locust --headless --chaos-pattern steady --chaos-rate 10/s --chaos-duration 3s"
    assert verdict(folder)["run"]["command"] == command


def test_ten_concurrent_duplicates_make_one_request_and_their_spread_is_recorded(runs: Path) -> None:
    """One created, nine deduplicated, released within what the ledger says."""
    folder = run(runs, "--chaos-pattern", "duplicates", "--chaos-count", "10", "--chaos-duration", "2s")
    history = run_folder.read(folder)
    got = verdict(folder)["account"]
    sent_s = [a.sent_s for a in history.attempts if a.sent_s is not None]

    assert (got["acked"], got["created"], got["deduplicated"]) == (10, 1, 9)
    assert [(a.subject, a.due_s, a.volley) for a in history.attempts] == [(0, 0.0, 1)] * 10
    assert [phase.pattern for phase in history.run.phases] == ["duplicates"]
    assert len(sent_s) == len(set(sent_s)) == 10
    assert max(sent_s) - min(sent_s) < 5.0
    assert history.resources is not None
    assert [(r.count, r.subject) for r in history.resources] == [(10, 0)]


def test_a_storm_is_spread_evenly_over_its_duration(runs: Path) -> None:
    """Forty different alerts, evenly spread; also with an option that says what is so anyway."""
    storm = ("--chaos-pattern", "storm", "--chaos-count", "40", "--chaos-duration", "2s")
    folder = run(runs, *storm, "--chaos-alert-name", "PodOOMKilled", "--chaos-no-faults")
    history = run_folder.read(folder)

    assert set(statuses(folder).values()) == {"PASS"}
    assert [a.due_s for a in history.attempts] == [n / 20 for n in range(40)]
    assert {a.subject for a in history.attempts} == set(range(40))
    assert verdict(folder)["account"]["created"] == 40


MIXED = """
title: Everything that a load can hold
seed: 3
alert: {repeat: 20%, per_post: 3, resolved: 25%, resolve_after: 1s}
sender: alertmanager
group_interval: 5s
paces:
  quick:
    phases:
      - {name: baseline, rate: 15/s, for: 2s}
      - {name: storm, pattern: storm, count: 12, for: 1s, alert: {name: PodOOMKilled}}
      - {name: wait, pattern: none, for: 1s}
      - {name: volley, pattern: duplicates, count: 10, for: 2s}
    settle: 1s
criteria:
  - zero_loss
  - no_duplicates
  - no_unexpected
  - safe_rejections
  - volley_spread: {within: 5s}
"""


def test_several_alerts_a_post_resolved_ones_and_a_volley_in_one_scenario(runs: Path, tmp_path: Path) -> None:
    """A 207 for each POST of three; resolved alerts are taken as such; the volley repeats the last alert."""
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED)
    folder = run(runs, "--chaos-scenario", str(path))
    history = run_folder.read(folder)
    kinds = Counter((a.phase, a.kind) for a in history.attempts)

    assert set(statuses(folder).values()) == {"PASS"}
    assert {a.outcome for a in history.attempts} == {Outcome.ACKED}
    assert {a.status for a in history.attempts if a.phase == "baseline" and a.kind != "resolved"} == {207}
    assert sum(n for (_, kind), n in kinds.items() if kind == "resolved") == 30 // 4 + 12 // 4
    assert kinds["storm", "created"] == 12
    assert kinds["volley", "duplicate"] == 10
    assert {a.tries for a in history.attempts} == {1}


def test_with_alertmanager_as_sender_what_was_refused_comes_again(runs: Path, tmp_path: Path) -> None:
    """The Gateway refuses all while Redis is away; its refusals are safe: in the end every alert is taken."""
    path = tmp_path / "again.yaml"
    fallback = "  - fallback_seen: {component: redis}\n"  # This Gateway refuses instead of falling back.
    assert fallback in Path(SHORT).read_text()
    short = Path(SHORT).read_text().replace(fallback, "")
    path.write_text(short + "sender: alertmanager\ngroup_interval: 5s\n")
    refuses = ("--chaos-start-args", "--gateway-defects reject-with-500")
    folder = run(runs, "--chaos-scenario", str(path), *refuses)
    history = run_folder.read(folder)
    again = [a for a in history.attempts if a.tries > 1]

    assert statuses(folder)["zero_loss"] == statuses(folder)["no_duplicates"] == "PASS"
    assert len(history.of(Outcome.ACKED)) == len(history.attempts) == 200
    assert len(again) >= 10
    assert {t.status for a in again for t in a.each[:-1]} == {500}
    assert verdict(folder)["account"]["adds_up"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--chaos-pattern", "steady", "--chaos-scenario", "redis-master-failure"],
            "--chaos-pattern: 'steady' stands beside --chaos-scenario 'redis-master-failure'; give",
        ),
        (["--chaos-pattern", "steady"], "--chaos-rate: is missing; write for example --chaos-rate 10/min"),
        (["--chaos-pattern", "storm"], "--chaos-count: a storm load needs one"),
        (
            ["--chaos-scenario", "redis-master-failure", "--chaos-count", "3"],
            "--chaos-count: belongs to --chaos-pattern",
        ),
    ],
)
def test_contradictions_are_one_sentence_and_exit_2(runs: Path, arguments: list[str], sentence: str) -> None:
    """Nothing is started."""
    with locust(runs, "--headless", *arguments) as process:
        ended = process.wait()

    assert ended.code == 2, ended.output
    assert sentence in ended.output
    assert "Traceback" not in ended.output
    assert not runs.exists()


def test_options_of_a_pattern_stand_in_the_environment(runs: Path) -> None:
    """A wrong one proves that it was read."""
    with locust(runs, "--headless", env={"CHAOS_PATTERN": "steady", "CHAOS_RATE": "7"}) as process:
        ended = process.wait()

    assert "--chaos-rate: '7' has no unit; write 7/s or 7/min" in ended.output


def _sum(path: Path, name: str) -> float:
    families = json.loads(path.read_text())["families"]
    samples = [sample for family in families for sample in family["samples"] if sample[0] == name]
    return sum(value for _, _, value in samples)
