"""As a user runs it: an undecided run is explained, what is advised is done, and then it is decided."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from killing import made
from locust_process import HOME, locust, statuses, verdict

Scenario = dict[str, Any]
Outcome = tuple[dict[str, Any], bool, bool]
CUT = {"name": "cut", "inject": "toxiproxy", "at": "1500ms", "for": "3s", "proxy": ["redis-0", "redis-1"],
       "action": "partition"}  # fmt: skip
THROTTLED = {"name": "throttled", "inject": "throttle", "at": "1s", "for": "2s",
             "resource": "remediationrequests", "status": 429}  # fmt: skip


def scenario(rate: str, fault: dict[str, Any] | None, criterion: Any, **more: Any) -> Scenario:
    """Return a scenario of three phases; in the second one the fault is on."""
    spans = {"baseline": "1500ms", "chaos": "3s", "recovery": "3s"}
    pace: dict[str, Any] = {
        "phases": [{"name": name, "rate": rate, "for": span} for name, span in spans.items()],
        "settle": "500ms",
        **({"faults": [dict(fault)]} if fault else {}),
    }
    # No row rests on when an alert was sent.
    criteria = [{"load_on_time": {"p99": "1s", "max": "3s"}}, "zero_loss", criterion]
    return {"title": "undecided", "target": "sandbox", "start_args": "--redis-layout around", "seed": 1,
            "paces": {"quick": pace}, "criteria": criteria, **more}  # fmt: skip


def lasting(told: Scenario, phase: int, span: str) -> Scenario:
    """Return a scenario with another length of a phase."""
    told["paces"]["quick"]["phases"][phase]["for"] = span
    return told


UNDECIDED: dict[str, tuple[str, str, Scenario]] = {
    "probes too rare": (
        "breaker_opens",
        "probe_every",
        scenario("10/s", CUT, {"breaker_opens": {"component": "redis", "within": "3s"}}, probe_every="2s"),
    ),
    "last phase too short": (
        "recovery",
        "last_phase",
        lasting(
            scenario("10/s", CUT, {"recovery": {"component": "redis", "within": "5s", "after": "healed"}}),
            -1,
            "1s",
        ),
    ),
    "fault too short": (
        "backoff_grows",
        "fault",
        scenario("10/s", THROTTLED, {"backoff_grows": {"steps": [1, 2, 4]}}),
    ),
    "rate too low": (
        "fallback_seen",
        "rate",
        lasting(
            scenario("12/min", {**CUT, "at": "2s", "for": "2s"}, {"fallback_seen": {"component": "redis"}}),
            1,
            "6s",
        ),
    ),
    "too few alerts for a bound": ("loss_bound", "alerts", scenario("10/s", None, "no_duplicates")),
}


def seconds(text: str) -> float:
    """Return a duration of these scenarios in seconds."""
    return float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))


def with_rate(told: Scenario, change: Callable[[float], float]) -> None:
    """Change the rate of every phase, given and returned in alerts a second."""
    for phase in told["paces"]["quick"]["phases"]:
        number, _, unit = phase["rate"].partition("/")
        now = float(number) / (60 if unit == "min" else 1)
        phase["rate"] = f"{math.ceil(change(now) * 60)}/min"


def advised(told: Scenario, change: dict[str, Any]) -> Scenario:
    """Return the scenario with what is advised, and nothing else, done."""
    told = copy.deepcopy(told)
    pace, wanted = told["paces"]["quick"], change["wanted"]
    if change["what"] == "probe_every":
        told["probe_every"] = f"{wanted:g}s"
    elif change["what"] == "last_phase":
        pace["phases"][-1]["for"] = f"{wanted:g}s"
    elif change["what"] == "fault":
        (fault,) = pace["faults"]
        pace["phases"][1]["for"] = fault["for"] = f"{wanted:g}s"
    elif change["what"] == "rate":
        with_rate(told, lambda _: wanted)
    elif change["what"] == "alerts":
        with_rate(told, lambda now: now * wanted / change["now"])
    return told


def run(told: Scenario, folder: Path) -> Path:
    """Run a scenario; return its run's folder."""
    path = made(folder) / "undecided.yaml"
    path.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    with locust(folder / "runs", "--headless", "--chaos-scenario", str(path)) as process:
        ended = process.wait()
        assert ended.code in (0, 1, 3), ended.output
        return process.run_folder()


def explained(folder: Path, criterion: str) -> dict[str, Any]:
    """Return what is to be changed first for a criterion."""
    words = [sys.executable, "-m", "reports", str(folder), "--explain", "--format", "json"]
    done = subprocess.run(words, cwd=HOME, capture_output=True, text=True, timeout=60, check=False)
    document = json.loads(done.stdout)
    (found,) = (each for each in document["explanations"] if each["criterion"] == criterion)
    change: dict[str, Any] = found["changes"][0]
    return change


def is_decided(folder: Path, criterion: str, change: dict[str, Any]) -> bool:
    """Return whether a criterion says yes or no, or the bound is as low as was asked for."""
    if criterion == "loss_bound":
        return bool(verdict(folder)["loss_bound"] <= 1 - 0.05 ** (1 / change["wanted"]) + 1e-9)
    return statuses(folder)[criterion] in ("PASS", "FAIL")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    """For each case what was advised, whether it was decided before, and whether after that was done."""

    def one(name: str, folder: Path) -> Outcome:
        criterion, _, told = UNDECIDED[name]
        before = run(told, folder / "before")
        change = explained(before, criterion)
        after = run(advised(told, change), folder / "after")
        return change, is_decided(before, criterion, change), is_decided(after, criterion, change)

    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(one, name, tmp_path_factory.mktemp("explain")) for name in UNDECIDED}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", UNDECIDED)
def test_what_is_advised_decides(outcomes: dict[str, tuple[dict[str, Any], bool, bool]], name: str) -> None:
    """The first change, done to the letter, and nothing else changed."""
    change, before, after = outcomes[name].result()

    assert change["what"] == UNDECIDED[name][1], change
    assert not before
    assert after, change
