"""As a user runs it: each of the plan's seven scenarios convicts a defective Gateway, by its own criterion.

The scenario files are the shipped ones, criteria and all; only the phases and faults of their quick pace are
replaced by shorter ones, or by none where they are short already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from locust_process import locust, statuses, verdict

from chaos_hooks.options import SCENARIOS
from shapes import scenario


@dataclass(frozen=True)
class Trial:
    """A defect of the Gateway, the criterion that must convict it, those that may as well, a shorter pace."""

    defect: str
    convicts: str
    besides: frozenset[str] = frozenset()
    pace: dict[str, Any] = field(default_factory=dict)


def steady(*seconds: int, rate: str = "20/s") -> list[dict[str, str]]:
    """Return phases of one rate: before the fault, during, after."""
    return [{"name": f"part-{n}", "rate": rate, "for": f"{s}s"} for n, s in enumerate(seconds)]


def broken(at: int, for_s: int, **options: Any) -> list[dict[str, Any]]:
    """Return one fault."""
    return [{"name": "broken", "at": f"{at}s", "for": f"{for_s}s", **options}]


LOST = frozenset({"zero_loss", "all_created"})
PROXIES = ["redis-0", "redis-1"]
TRIALS = {
    "redis-master-failure": Trial(
        "breaker-never-opens",
        "breaker_opens",
        pace={
            "phases": steady(2, 5, 3),
            "settle": "1s",
            "faults": broken(2, 5, inject="process", component="redis-primary", signal="KILL"),
        },
    ),
    "redis-network-partition": Trial(
        "breaker-never-opens",
        "breaker_opens",
        pace={
            "phases": steady(2, 6, 4),
            "settle": "1s",
            "faults": broken(2, 6, inject="toxiproxy", proxy=PROXIES, action="partition"),
        },
    ),
    "k8s-api-throttling": Trial(
        "backoff-does-not-grow",
        "backoff_grows",
        pace={
            "phases": steady(2, 9, 5, rate="10/s"),
            "settle": "2s",
            "faults": broken(2, 9, inject="throttle", resource="remediationrequests", status=429),
        },
    ),
    "redis-memory-pressure": Trial(
        "ack-then-drop-on-redis-failure",
        "zero_loss",
        pace={
            "phases": [
                {"name": "storm-begins", "pattern": "storm", "count": 30, "for": "2s"},
                {"name": "storm", "pattern": "storm", "count": 70, "for": "6s"},
                {"name": "recovery", "pattern": "storm", "count": 20, "for": "4s"},
            ],
            "settle": "4s",
            "faults": broken(2, 6, inject="redis_config", policy="noeviction", maxmemory=1),
        },
    ),
    "buffer-expiration": Trial("expiry-drops-buffered", "all_created", LOST),
    "crd-update-conflicts": Trial("count-lost-on-conflict", "count_exact", LOST),
    "gateway-pod-restart": Trial(
        "buffer-in-memory-only",
        "buffer_recovered",
        LOST,
        pace={
            "phases": [
                {"name": "storm", "pattern": "storm", "count": 30, "for": "7s"},
                {"name": "after", "pattern": "none", "for": "5s"},
            ],
            "settle": "2s",
            "faults": broken(2, 6, inject="process", component="gateway", restart_after="1s"),
        },
    ),
}


def shortened(name: str, pace: dict[str, Any], folder: Path) -> Path:
    """Write a shipped scenario with another quick pace, or its own; nothing else differs."""
    document = yaml.safe_load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8"))
    document["paces"]["quick"] |= pace
    document["paces"]["quick"].pop("faults_in", None)  # Timed for the longer pace, and not what is run here.
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_each_of_the_seven_has_a_trial_and_a_criterion_of_its_own() -> None:
    """The plan's scenarios are those that are no variants; what convicts is among what they promise."""
    plan = {name: scenario.find(SCENARIOS, name, "quick") for name in scenario.names(SCENARIOS)}

    assert {name for name, each in plan.items() if not each.variant_of} == set(TRIALS)
    for name, trial in TRIALS.items():
        assert trial.convicts in {promise.criterion for promise in plan[name].promises}


@pytest.mark.parametrize("name", TRIALS)
def test_a_scenario_convicts_its_defect_by_name(name: str, tmp_path: Path) -> None:
    """Exit 1, by that criterion and no unrelated one; a fault that there was did bite."""
    trial = TRIALS[name]
    path = shortened(name, trial.pace, tmp_path)
    arguments = ("--chaos-scenario", str(path), "--chaos-start-args", f"--gateway-defects {trial.defect}")
    with locust(tmp_path / "runs", "--headless", *arguments) as process:
        ended = process.wait()
    found = statuses(tmp_path / "runs/latest")
    failed = {criterion for criterion, status in found.items() if status == "FAIL"}

    assert ended.code == 1, ended.output
    assert trial.convicts in failed, ended.output
    assert failed <= {trial.convicts} | trial.besides, ended.output
    assert verdict(tmp_path / "runs/latest")["state"] == "FAIL"
    assert found.get("fault_bit", "PASS") == "PASS"
