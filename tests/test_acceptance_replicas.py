"""A whole run against a Gateway of three replicas, each scraped through the API server's pod proxy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cluster_world
from locust_process import HOME, locust, statuses, verdict

SCENARIO = str(HOME / "tests/data/replicas.yaml")


def run(folder: Path, *defects: str) -> tuple[int, Path]:
    """Run it against replicas with these defects; return its exit code and folder."""
    urls = folder / "urls.json"
    command = f"{sys.executable} {HOME}/tests/gateway_replicas.py {urls} {' '.join(defects)}"
    with cluster_world.running(folder, "--ready-timeout", "60s", "--gateway-command", command) as world:
        world.with_replicas(json.loads(urls.read_text()))
        target = ["--chaos-target", str(world.target)]
        with locust(folder / "runs", "--headless", "--chaos-scenario", SCENARIO, *target) as process:
            ended = process.wait()
    assert "3 replicas, each asked by itself (api-proxy): gateway-0, gateway-1, gateway-2" in ended.output
    return ended.code, process.run_folder()


def of_each(folder: Path, criterion: str) -> list[str]:
    """Return the status of each replica."""
    (found,) = (c for c in verdict(folder)["findings"] if c["criterion"] == criterion)
    lines = [line for line in found["examples"] if line.startswith("gateway-")]
    return ["".join(line.split(":")[:2]) for line in lines]


def families(folder: Path, when: str) -> set[str]:
    """Return the pods whose metrics were kept."""
    kept = json.loads((folder / f"{when}.json").read_text())["replicas"]
    return {key.partition(":")[0] for key, value in kept.items() if value["families"]}


def test_one_replica_whose_breaker_never_opens_is_convicted_by_name(tmp_path: Path) -> None:
    """The other two are innocent, and told to be."""
    code, folder = run(tmp_path, "-", "-", "breaker-never-opens")

    assert code == 1
    assert {name for name, status in statuses(folder).items() if status == "FAIL"} == {"breaker_opens"}
    assert of_each(folder, "breaker_opens") == ["gateway-0 PASS", "gateway-1 PASS", "gateway-2 FAIL"]


def test_three_innocent_replicas_pass(tmp_path: Path) -> None:
    """Their counters agree with the answers only when they are added; each one's metrics are kept."""
    code, folder = run(tmp_path, "-", "-", "-")

    assert code == 0, statuses(folder)
    assert set(statuses(folder).values()) == {"PASS"}
    assert families(folder, "baseline") == families(folder, "post") == {"gateway-0", "gateway-1", "gateway-2"}
