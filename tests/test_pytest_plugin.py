"""Scenarios as tests: what is collected, and what a run's end makes of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import histories
import pytest

from chaos_hooks import pytest_plugin
from chaos_hooks.pytest_plugin import ChaosFailure
from reports.history import History

HOME = Path(__file__).resolve().parent.parent


def pytest_of(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user does, in a folder of theirs."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CHAOS_", "LOCUST_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(HOME), **env},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_every_scenario_of_this_project_is_a_test() -> None:
    """And nothing else: not the targets, not the project's own tests."""
    done = pytest_of(HOME, "scenarios", "--collect-only", "-o", "addopts=-q -p no:locust")

    wanted = {f"scenarios/{p.name}::{p.stem}" for p in (HOME / "scenarios").glob("*.yaml")}
    assert {line for line in done.stdout.splitlines() if "::" in line} == wanted, done.stdout + done.stderr


def test_the_projects_own_tests_run_no_scenario() -> None:
    """`make test` names no folder, so it collects what is in tests/."""
    text = (HOME / "pyproject.toml").read_text()

    assert 'testpaths = ["tests"]' in text
    assert "chaos_hooks.pytest_plugin" not in text


def test_a_users_own_repository_collects_what_lies_in_scenarios_or_is_named(tmp_path: Path) -> None:
    """With the plugin by its name; other YAML files of theirs are left alone."""
    (tmp_path / "scenarios").mkdir()
    for name in ("scenarios/mine.yaml", "compose.yaml", "named.yaml"):
        shutil.copy(HOME / "tests/data/short.yaml", tmp_path / name)
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    plugin = ("-p", "chaos_hooks.pytest_plugin", "--collect-only", "-q")

    everything = pytest_of(tmp_path, *plugin)
    named = pytest_of(tmp_path, *plugin, "named.yaml")

    assert [line for line in everything.stdout.splitlines() if "::" in line] == [
        "scenarios/mine.yaml::mine",
        "test_theirs.py::test_theirs",
    ], everything.stdout + everything.stderr
    assert "named.yaml::named" in named.stdout


def test_what_this_machine_lacks_skips_a_scenario(tmp_path: Path) -> None:
    """With the reason that the run gave; here there is no Alertmanager, as PATH has no such program."""
    (tmp_path / "scenarios").mkdir()
    shutil.copy(HOME / "scenarios/through-alertmanager.yaml", tmp_path / "scenarios/mine.yaml")
    done = pytest_of(
        tmp_path, "-p", "chaos_hooks.pytest_plugin", "-rs", "--chaos-runs-dir", "runs", PATH="/bin/none"
    )

    assert "1 skipped" in done.stdout, done.stdout + done.stderr
    assert "no prometheus-alertmanager or alertmanager on PATH" in done.stdout.replace("\n", " ")


def kept(told: History, tmp_path: Path) -> Path:
    return histories.keep(told, tmp_path / "run")


def test_a_pass_is_a_pass_only_if_locust_says_so_too(tmp_path: Path) -> None:
    """Judged again from the record."""
    folder = kept(histories.history(), tmp_path)
    pytest_plugin._judge(folder, 0)

    with pytest.raises(ChaosFailure, match="Locust ended with 1"):
        pytest_plugin._judge(folder, 1)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            histories.history(lost=(1,)),
            "FAIL zero_loss: wanted 0 acknowledged alerts lost\n  got 1 of 3",
        ),
        (histories.history(injections=(histories.injection(bit=False),)), "UNKNOWN fault_bit: wanted"),
        (replace(histories.history(), ended="interrupted"), "ledger_whole"),
    ],
)
def test_what_did_not_pass_fails_with_its_criteria(tmp_path: Path, told: History, words: str) -> None:
    """Undecided and invalid are not passed; the ones that passed are not listed."""
    folder = kept(told, tmp_path)

    with pytest.raises(ChaosFailure) as failure:
        pytest_plugin._judge(folder, 0)

    assert words in str(failure.value)
    assert "metrics_continuous" not in str(failure.value)
    assert f"report: {folder / 'report.html'}" in str(failure.value)


def test_what_cannot_begin_fails_with_its_sentence(tmp_path: Path) -> None:
    """As a user sees it: no traceback, the sentence that names file, place and mend."""
    (tmp_path / "scenarios").mkdir()
    text = (HOME / "tests/data/short.yaml").read_text()
    (tmp_path / "scenarios/broken.yaml").write_text(text.replace("target: sandbox", "target: nowhere"))
    done = pytest_of(
        tmp_path, "-p", "chaos_hooks.pytest_plugin", "--chaos-runs-dir", str(tmp_path / "runs"), "scenarios"
    )

    assert done.returncode == 1, done.stdout
    assert "the scenario could not begin (exit code 2):" in done.stdout
    assert "nowhere" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_scenario_runs_as_a_test(tmp_path: Path) -> None:
    """The short one, on the sandbox: passed; and with a planted defect it fails with the lost alerts."""
    (tmp_path / "scenarios").mkdir()
    shutil.copy(HOME / "tests/data/short.yaml", tmp_path / "scenarios/short.yaml")
    defect = "--chaos-start-args '--gateway-defects ack-then-drop-on-redis-failure'"
    done = pytest_of(
        tmp_path,
        *("-p", "chaos_hooks.pytest_plugin", "--chaos-runs-dir", str(tmp_path / "runs")),
        *("--locust-args", defect, "scenarios"),
    )

    assert done.returncode == 1, done.stdout
    assert "FAIL zero_loss: wanted 0 acknowledged alerts lost" in done.stdout
    assert "report: " in done.stdout
