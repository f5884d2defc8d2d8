"""A whole run against a Gateway of three replicas, each scraped through the API server's pod proxy."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cluster_world
from cluster_world import World
from locust_process import HOME, locust, statuses, verdict

SCENARIO = str(HOME / "tests/data/replicas.yaml")


def run(
    folder: Path, *defects: str, meanwhile: Callable[[World, dict[str, Any]], None] | None = None
) -> tuple[int, Path]:
    """Run it against Gateways with these defects, the first three of which are pods; return its exit code and
    folder. ``meanwhile`` is called when the fault is over."""
    told = folder / "replicas.json"
    command = f"{sys.executable} {HOME}/tests/gateway_replicas.py {told} {' '.join(defects)}"
    with cluster_world.running(folder, "--ready-timeout", "60s", "--gateway-command", command) as world:
        found = json.loads(told.read_text())
        world.with_replicas(found["urls"][:3])
        target = ["--chaos-target", str(world.target)]
        with locust(folder / "runs", "--headless", "--chaos-scenario", SCENARIO, *target) as process:
            if meanwhile:
                process.wait_for("fault primary-down healed")
                meanwhile(world, found)
            ended = process.wait()
    assert "3 replicas, each asked by itself (api-proxy): gateway-0, gateway-1, gateway-2" in ended.output
    return ended.code, process.run_folder()


def _examples(folder: Path, criterion: str) -> list[str]:
    (found,) = (c for c in verdict(folder)["findings"] if c["criterion"] == criterion)
    return list(found["examples"])


def of_each(folder: Path, criterion: str) -> list[str]:
    """Return the status of each replica."""
    lines = [line for line in _examples(folder, criterion) if line.startswith("gateway-")]
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


def replace(world: World, found: dict[str, Any]) -> None:
    """Kill the process of one pod, and let a pod of its name with another process take its place."""
    os.kill(found["pids"][1], signal.SIGKILL)
    (old,) = [pod for pod in world.cluster.pods if pod["metadata"]["name"] == "gateway-1"]
    images = {each["name"]: each["image"] for each in old["spec"]["containers"]}
    with world.cluster.lock:
        world.cluster.pods.remove(old)
        world.cluster.listening["gateway-1:8080"] = found["urls"][3]
        world.cluster.add_pod("gateway-1", old["metadata"]["labels"], images, "StatefulSet/gateway")


def test_a_pod_of_the_same_name_is_another_replica(tmp_path: Path) -> None:
    """It is told apart by its UID: the first is judged until it goes, the second from when it comes."""
    code, folder = run(tmp_path, "-", "-", "-", "-", meanwhile=replace)
    told = [line for line in _examples(folder, "breaker_opens") if line.startswith("gateway-1")]

    assert "FAIL" not in statuses(folder).values(), statuses(folder)
    assert code in (0, 3)
    assert [statuses(folder)[name] for name in ("breaker_opens", "metrics_continuous")] == ["PASS", "PASS"]
    assert len(told) == 2
    assert re.match(r"gateway-1 \(until .* s, uid \w+\): PASS: in ", told[0])
    assert re.match(r"gateway-1 \(from .* s on, uid \w+\): UNKNOWN: the breaker was not seen closed", told[1])
