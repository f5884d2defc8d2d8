"""Scenarios as tests: pytest collects each scenario file, runs it, and fails with what the criteria say.

``pytest scenarios/`` in this project, or in any other with ``-p chaos_hooks.pytest_plugin``. A YAML file is
collected if it lies in a folder named ``scenarios``, or is named on the command line. Each test is one
headless Locust process; its run's folder stays, and the failure says where.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import writing
from reports.finding import Status
from reports.folder import FolderError
from reports.presentation import accounting_lines, plain
from reports.verdict import State, judge

_HOME = Path(__file__).resolve().parent.parent
_FOLDER = "scenarios"
_LAST_LINES = 15
_SKIPPED = re.compile(r"^\S+ is skipped: (.*)$", re.MULTILINE)


class ChaosFailure(Exception):
    """A scenario that did not pass; the message is the report."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options: two of Locust's by their names there, and one for all the others."""
    group = parser.getgroup("alertstorm", "chaos scenarios as tests")
    group.addoption("--chaos-pace", default="quick", help="timings and rates of the scenarios: quick or plan")
    group.addoption("--locust-args", default="", help="further options of Locust, as a shell reads them")
    group.addoption("--chaos-runs-dir", default="", help="folder that gets a folder for each run")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    if file_path.parent.name != _FOLDER and not parent.session.isinitpath(file_path):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """A file with one scenario, which is one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the test."""
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """Runs a scenario; passes only if its verdict is PASS."""

    def runtest(self) -> None:
        """Run it in a process of its own.

        Raises:
            ChaosFailure: with the criteria that did not pass.
        """
        option = self.config.getoption
        runs = Path(option("chaos_runs_dir") or _HOME / "reports" / "runs").resolve()
        command = [sys.executable, "-m", "locust", "--locustfile", str(_HOME / "locustfile.py"), "--headless"]
        command += ["--loglevel", "WARNING", "--chaos-scenario", str(self.path), "--chaos-pace"]
        command += [option("chaos_pace"), "--chaos-runs-dir", str(runs), *shlex.split(option("locust_args"))]
        before = _folders(runs)
        # The checkout first: this tool is run from there, wherever the scenario lies.
        path = os.pathsep.join(p for p in (str(_HOME), os.environ.get("PYTHONPATH", "")) if p)
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        self.add_report_section("call", "alertstorm", done.stdout)
        made = sorted(_folders(runs) - before)
        if done.returncode == 0 and not made:
            raise ChaosFailure("Locust ended with 0, and left no run that could be judged")
        if done.returncode == 3 and not made and (why := _SKIPPED.search(done.stdout)):
            pytest.skip(plain(why[1]))
        if done.returncode not in (0, 1, 3) or not made:
            raise ChaosFailure(_without_verdict(done.returncode, done.stdout))
        _judge(made[-1], done.returncode)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the criteria, and no traceback: what failed is not this program."""
        if isinstance(excinfo.value, ChaosFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the test after the scenario."""
        return self.path, None, f"scenario: {self.name}"


def _folders(runs: Path) -> set[Path]:
    found = runs.glob("*/run.json") if runs.is_dir() else ()
    return {path.parent for path in found if not path.parent.is_symlink()}


def _judge(folder: Path, code: int) -> None:
    """Judge the run that was made.

    Raises:
        ChaosFailure: unless it passed, and Locust said so, too.
    """
    try:
        history = writing.read_run(folder)
    except FolderError as problem:
        raise ChaosFailure(str(problem)) from None
    verdict = judge(history)
    if verdict.state is State.PASS and code == 0:
        return
    lines = [plain(verdict.sentence), ""]
    for finding in verdict.findings:
        if finding.status is not Status.PASS:
            lines.append(plain(f"{finding.status} {finding.criterion}: wanted {finding.wanted}"))
            lines.append(plain(f"  got {finding.got}"))
            lines += [plain(f"  {example}") for example in finding.examples[:5]]
            lines += [plain(f"  mend: {finding.mend}")] if finding.mend else []
    lines += ["", *accounting_lines(history, verdict), f"report: {folder / 'report.html'}"]
    if verdict.exit_code != code:
        lines.append(f"Locust ended with {code}")
    raise ChaosFailure("\n".join(lines))


def _without_verdict(code: int, output: str) -> str:
    last = [plain(line) for line in output.splitlines()[-_LAST_LINES:]]
    return "\n".join([f"the scenario could not begin (exit code {code}):", *last])
