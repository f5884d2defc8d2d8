"""Campaigns against a target that stays: a sandbox started by hand, cleaned and waited for in between."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config
import pytest
import redis
import sandbox_runner
import yaml
from locust_process import interrupt, locust, until
from sandbox_runner import Sandbox

from chaos_hooks.cool_down import CoolDown
from chaos_hooks.options import TARGETS, ungiven
from reports import folder as run_folder
from shapes import target
from shapes.document import DocumentError, Node

NAME = "crd-update-conflicts"
GROUP = ("remediation.kubernaut.io", "v1alpha1")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that outlives every run."""
    keeper = sandbox_runner.spawn()
    try:
        yield sandbox_runner.ready(keeper)
    finally:
        keeper.communicate(timeout=sandbox_runner.DEADLINE_S)


def described(sandbox: Sandbox, folder: Path, **cool_down: Any) -> Path:
    """Write the target file of a sandbox that is there already."""
    document = yaml.safe_load((TARGETS / "sandbox.yaml").read_text(encoding="utf-8"))
    del document["start"]
    named = ("gateway_url", "control_url", "kubeconfig", "namespace", "sentinels", "sentinel_master")
    document["endpoints"] = {key: sandbox.event[key] for key in named}
    document["cool_down"] = cool_down
    path = folder / "standing.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def requests_in(sandbox: Sandbox) -> set[str]:
    """The names of all RemediationRequests there are."""
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(sandbox.event["kubeconfig"], client_configuration=configuration)
    api = kubernetes.client.CustomObjectsApi(kubernetes.client.ApiClient(configuration))
    listed: dict[str, Any] = api.list_namespaced_custom_object(
        *GROUP, sandbox.event["namespace"], "remediationrequests"
    )
    return {item["metadata"]["name"] for item in listed["items"]}


def keys_in(sandbox: Sandbox, pattern: str) -> list[str]:
    """The keys of the primary."""
    host, _, port = sandbox.event["sentinels"][0].rpartition(":")
    where = redis.Redis(host, int(port)).sentinel_get_master_addr_by_name(sandbox.event["sentinel_master"])
    found: list[str] = redis.Redis(where[0], int(where[1]), decode_responses=True).keys(pattern)
    return found


def campaign(runs: Path) -> dict[str, Any]:
    """What campaign.json says."""
    planned: dict[str, Any] = json.loads((runs / "latest-campaign/campaign.json").read_text())
    return planned


def test_a_standing_target_is_cleaned_and_waited_for_and_the_campaign_can_be_gone_on_with(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Ctrl-C in the second cool-down, then resumed: each run finds a steady target, and leaves it empty."""
    runs = tmp_path / "runs"
    path = described(
        sandbox, tmp_path, steady_for="2s", delete_resources=True, redis_keys=["gateway:dedup:*"]
    )
    arguments = ("--headless", "--chaos-scenario", f"{NAME},{NAME}", "--chaos-target", str(path))
    with locust(runs, *arguments) as process:
        until(
            lambda: (
                process.output().count("cool-down: until steady") == 2 or process.process.poll() is not None
            )
        )
        interrupt(process, signal.SIGINT)
        broken_off = process.wait()
    first = campaign(runs)

    assert broken_off.code == 3, broken_off.output
    assert (first["ended"], [e["run"] is None for e in first["entries"]]) == ("interrupted", [False, True])
    assert "cool-down: 1 RemediationRequests of the last run deleted" in broken_off.output
    assert "cool-down: 1 keys deleted in Redis (gateway:dedup:*)" in broken_off.output
    assert requests_in(sandbox) == set()
    assert keys_in(sandbox, "gateway:dedup:*") == []

    with locust(runs, "--headless", "--chaos-resume", "latest") as process:
        resumed = process.wait()
    last = campaign(runs)
    histories = [run_folder.read(runs / entry["run"]) for entry in last["entries"]]

    assert last["ended"] == "completed", resumed.output
    assert last["entries"][0] == first["entries"][0]
    assert "starting" not in resumed.output
    assert "cool-down: steady after" in resumed.output
    assert [len(history.resources or ()) for history in histories] == [1, 1]
    assert requests_in(sandbox) == set()


def test_a_target_that_does_not_get_steady_is_not_loaded_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The Gateway is stopped: what it lacks is told when the time is over; once it goes on, it is steady."""
    standing = target.load(described(sandbox, tmp_path, within="1500ms", steady_for="500ms"))
    said: list[str] = []
    cool_down = CoolDown(ungiven(), said.append, lambda: False)
    sandbox.post("/components/gateway/pause", {"for_s": 60})
    lack = cool_down.lacks(standing)
    sandbox.post("/components/gateway/resume")

    assert lack.startswith("the target was not steady within 1.5 s after the run before: ")
    assert "Timeout" in lack
    assert cool_down.concerns(standing)
    assert sandbox_runner.wait_until(lambda: cool_down.lacks(standing) == "", "steady again")


def test_a_target_that_is_started_anew_needs_no_cool_down() -> None:
    """The sandbox of a run dies with it."""
    cool_down = CoolDown(ungiven(), print, lambda: False)
    assert not cool_down.concerns(target.find(TARGETS, "sandbox"))


def test_what_may_be_removed_is_said_in_plain_words() -> None:
    """Neither a quoted no nor a bare duration passes for something else."""
    for key, value, sentence in (
        ("delete_resources", "no", "wanted true or false, got 'no'"),
        ("within", 60, "60 has no unit"),
    ):
        with pytest.raises(DocumentError, match=sentence):
            target.parse(Node("t.yaml", "", {"title": "t", "cool_down": {key: value}}), "t")
