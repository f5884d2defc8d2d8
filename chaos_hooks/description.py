"""What a run is, written down before it begins: names, versions, plan and how to repeat it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
import shlex
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from chaos_hooks.errors import SetupError
from chaos_hooks.options import Options
from reports.history import Asked, PhaseSpan, Run
from shapes import compiled, load, push
from shapes.alerts import Naming
from shapes.scenario import Scenario
from shapes.target import Endpoints, Target

# Where a run is kept is not what it was; and a URL to notify may hold a secret, so nothing records it.
# Where a run's folder lies, who is told, and what composed it: none of them changes what it did.
_NOT_REPEATED = ("runs_dir", "notify_url", "explore", "explore_runs", "explore_for")
_PACKAGES = ("locust", "gevent", "kubernetes", "requests")


def token() -> str:
    """Return eight hex digits that no other run has."""
    return secrets.token_hex(4)


def run_id(scenario: Scenario, naming: Naming) -> str:
    """Return a run's name: scenario, time and token; it is its folder's, too."""
    return f"{scenario.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{naming.token}"


def make_folder(folder: Path) -> None:
    """Make a run's folder, with one for logs in it.

    Raises:
        SetupError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
        (folder / "logs").mkdir()
    except OSError as problem:
        raise SetupError(
            f"--chaos-runs-dir: {folder}: {problem.strerror}; name a folder that can be written"
        ) from None


def describe(
    name: str, scenario: Scenario, target: Target, options: Options, naming: Naming, facts: dict[str, str]
) -> Run:
    """Return the run's description as the judge will read it."""
    begins_s, spans = 0.0, []
    for phase in scenario.phases:
        spans.append(PhaseSpan(phase.name, begins_s, begins_s + phase.for_s, phase.pattern))
        begins_s += phase.for_s
    left_out = skipped(scenario)
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    versions["compiled parts"] = compiled.taken()
    return Run(
        run_id=name,
        token=naming.token,
        scenario=scenario.name,
        title=scenario.title,
        pace=scenario.pace,
        target=options.target_url or target.title,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=scenario.seed,
        planned=scenario.alerts,
        faults_planned=len(scenario.faults),
        faults_disabled=options.no_faults and bool(scenario.faults),  # Where none is, none can be.
        phases=tuple(spans),
        promises=tuple(
            Asked(p.criterion, dict(p.options)) for p in scenario.promises if p.criterion not in left_out
        ),
        command=command(options, scenario),
        versions={"alertstorm": own_version(), "python": platform.python_version(), **versions},
        target_facts=facts | {f"SKIPPED {name}": why for name, why in left_out.items()},
        undecidable=dict(target.undecidable),
        unusable=load.unusable(scenario),
    )


def skipped(scenario: Scenario) -> dict[str, str]:
    """Return the promises that a run through an Alertmanager does not ask, each with the reason."""
    asked = {promise.criterion for promise in scenario.promises} if scenario.through else set()
    return {name: why for name, why in push.not_asked(scenario.relayed).items() if name in asked}


def command(options: Options, scenario: Scenario) -> str:
    """Return the line that repeats a run, however it was started: options may stand in the environment, a
    config file or the web form."""
    named = options.scenario if "/" in options.scenario else scenario.name
    plan = {} if options.pattern else {"scenario": named, "pace": scenario.pace}
    given = {**asdict(options), "pace": "", **plan, "seed": scenario.seed}
    words = ["locust", "--headless"]
    for name, value in given.items():
        flag = f"--chaos-{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value not in ("", 0, False) and name not in _NOT_REPEATED:
            words += [flag, str(value)]
    return shlex.join(words)


def merge(announced: Endpoints, written: Endpoints) -> Endpoints:
    """Return the endpoints a started target announced, with those the target file insists on."""
    insisted = {f.name: getattr(written, f.name) for f in fields(written) if getattr(written, f.name)}
    return replace(announced, **insisted)


def point_latest(folder: Path, link: str = "latest") -> None:
    """Let the link beside a run's or campaign's folder name it."""
    beside = folder.parent / f".latest-{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(folder.name)
    beside.replace(folder.parent / link)


def own_version() -> str:
    """Return the version of this program as it is installed."""
    try:
        return importlib.metadata.version("alertstorm")
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout that is not installed"
