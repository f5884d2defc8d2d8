"""A whole run against a cluster's API: another target, the same scenario, command and verdict."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import cluster_world
import pytest
from cluster_world import World
from locust_process import HOME, interrupt, locust, statuses
from plan_front import speaking_as_planned

from reports import folder as run_folder

SHORT = str(HOME / "tests/data/short-cluster.yaml")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with cluster_world.running(tmp_path) as running:
        yield running


def test_the_fault_of_a_cluster_bites_is_judged_and_undone(world: World, tmp_path: Path) -> None:
    """Redis's pod is failed through Chaos Mesh, and nothing is lost: exit 0, evidence, nothing left over."""
    target = ["--chaos-target", str(world.target)]
    with locust(tmp_path / "runs", "--headless", "--chaos-scenario", SHORT, *target) as process:
        ended = process.wait()
    assert ended.code == 0, ended.output
    folder = process.run_folder()
    (injection,) = run_folder.read(folder).injections

    assert set(statuses(folder).values()) == {"PASS"}
    assert injection.injector == "chaos_mesh"
    assert injection.bit is True
    assert injection.ended is not None
    evidence = "\n".join(injection.evidence)
    assert "PodChaos default/primary-down-" in evidence
    assert "default/redis-master-0: on by " in evidence
    assert "pod redis-master-0: not ready, image gcr.io/google-containers/pause:latest" in evidence
    assert world.cluster.chaos.objects == {}
    created = [
        path for method, path, query in world.cluster.calls if method == "POST" and not query.get("dryRun")
    ]
    assert [path.rsplit("/", 1)[1] for path in created] == ["podchaos"]


def test_a_killed_run_is_swept_by_the_next_start(world: World, tmp_path: Path) -> None:
    """SIGKILL while it is on: the experiment stays until its duration, or until the next run begins."""
    target = ["--chaos-target", str(world.target)]
    with locust(tmp_path / "runs", "--headless", "--chaos-scenario", SHORT, *target) as process:
        process.wait_for("fault primary-down injected")
        interrupt(process, signal.SIGKILL)
        process.wait()
    (experiment,) = world.cluster.chaos.objects.values()
    assert experiment["spec"]["duration"] == "36s"

    load = ["--chaos-pattern", "steady", "--chaos-rate", "10/s", "--chaos-duration", "1s"]
    with locust(tmp_path / "runs", "--headless", *load, *target) as process:
        ended = process.wait()

    assert "swept primary-down of short-cluster-" in ended.output
    assert world.cluster.chaos.objects == {}


def test_a_gateway_after_the_plan_to_the_letter_passes(world: World, tmp_path: Path) -> None:
    """The shipped target `plan`: its path, answers, metrics and fields, on a Gateway that speaks so."""
    with speaking_as_planned(world.gateway_url) as endpoints:
        target = ["--chaos-target", str(world.as_release("plan", **endpoints))]
        with locust(tmp_path / "runs", "--headless", "--chaos-scenario", SHORT, *target) as process:
            ended = process.wait()
    assert ended.code == 0, ended.output
    folder = process.run_folder()
    assert set(statuses(folder).values()) == {"PASS"}
    run = run_folder.read(folder)
    assert run.run.target == "Gateway as the chaos plan has it"
    seen = {key for o in run.samples("metrics") for key in o.values}
    assert {"breaker.redis", "breaker.kubernetes", "fallbacks", "breaker_opened.redis"} <= seen
