"""As a user runs it, with a real Alertmanager between the load and the sandbox's Gateway."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from locust_process import HOME, Ended, locust, statuses, verdict
from sandbox_runner import ready, spawn

from chaos_hooks.alertmanager import PROGRAMS
from reports import writing

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, PROGRAMS)), reason=f"needs {' or '.join(PROGRAMS)} on PATH (Debian's package)"
)


def run(folder: Path, phases: list[dict[str, Any]], *arguments: str, **changes: Any) -> tuple[Ended, Path]:
    """Run a load through an Alertmanager, to its end."""
    plain = {
        "title": "through",
        "through": "alertmanager",
        "start_args": "--alertmanager-group-interval 1s",
        "paces": {"quick": {"phases": phases, "settle": "1s", "faults": changes.pop("faults", [])}},
        "criteria": ["zero_loss", "no_duplicates", "no_unexpected", "payload_whole", "safe_rejections"],
    }
    (folder / "through.yaml").write_text(yaml.safe_dump({**plain, **changes}))
    with locust(
        folder / "runs", "--headless", "--chaos-scenario", str(folder / "through.yaml"), *arguments
    ) as process:
        return process.wait(), process.run_folder()


def counted(folder: Path) -> dict[str, float]:
    """Return what Alertmanager's own counters say of the run."""
    (found,) = (f for f in verdict(folder)["findings"] if f["criterion"] == "messenger_whole")
    return found["numbers"]


def test_groups_of_a_storm_all_arrive(tmp_path: Path) -> None:
    """Grouped as production groups them, three a push: fewer notifications than alerts, and each is there."""
    ended, folder = run(
        tmp_path,
        [
            {"name": "load", "rate": "20/s", "for": "2s"},
            {
                "name": "storm",
                "pattern": "storm",
                "count": 30,
                "for": "2s",
                "alert": {"name": "Oom", "per_post": 3},
            },
        ],
        start_args="--alertmanager-group-by alertname,namespace --alertmanager-group-interval 1s",
    )
    assert ended.code == 0, ended.output
    assert "safe_rejections is SKIPPED: the Gateway's answers" in ended.output
    assert "0 of 70 alerts that Alertmanager took lost" in verdict(folder)["sentence"]
    assert set(statuses(folder).values()) == {"PASS"}
    assert "safe_rejections" not in statuses(folder)
    assert 0 < counted(folder)["notifications"] < 70
    assert "SKIPPED safe_rejections" in (folder / "report.html").read_text()


def test_a_gateway_that_is_down_loses_nothing(tmp_path: Path) -> None:
    """Alertmanager tries again until it is back; what it took meanwhile is all there."""
    down = {
        "name": "down",
        "inject": "process",
        "at": "1s",
        "for": "2s",
        "component": "gateway",
        "signal": "KILL",
    }
    ended, folder = run(tmp_path, [{"name": "load", "rate": "20/s", "for": "5s"}], faults=[down])

    assert ended.code == 0, ended.output
    account = verdict(folder)["account"]
    assert (account["acked"], account["created"], account["lost"]) == (100, 100, 0)
    assert counted(folder)["tries_failed"] > 0


def test_a_gateway_that_acknowledges_and_drops_is_convicted(tmp_path: Path) -> None:
    """Each dropped alert by its id: Alertmanager had delivered all it took, so the loss is the Gateway's."""
    ended, folder = run(
        tmp_path,
        [{"name": "load", "rate": "20/s", "for": "3s"}],
        "--chaos-start-args",
        "--gateway-defects drop-one-in=10",
    )
    assert ended.code == 1, ended.output
    assert "6 of 60 alerts that Alertmanager took lost. Convicted by zero_loss" in verdict(folder)["sentence"]
    assert statuses(folder)["messenger_whole"] == "PASS"
    assert len(verdict(folder)["account"]["lost_ids"]) == 6


def test_a_relay_shows_what_the_gateway_answers(tmp_path: Path) -> None:
    """A 429 is tried again only at the next flush: convicted, although nothing was lost in the end."""
    down = {"name": "redis-down", "inject": "process", "at": "1s", "for": "3s", "component": "redis-primary"}
    ended, folder = run(
        tmp_path,
        [{"name": "load", "rate": "20/s", "for": "5s"}],
        *("--chaos-start-args", "--gateway-defects reject-with-429"),
        faults=[{**down, "signal": "KILL"}],
        relay=True,
    )
    found = {f["criterion"]: f for f in verdict(folder)["findings"]}
    seen = writing.read_run(folder).deliveries or {}

    assert ended.code == 1, ended.output
    assert found["safe_rejections"]["status"] == "FAIL"
    assert "with 429" in found["safe_rejections"]["got"]
    assert found["zero_loss"]["status"] == "PASS"
    assert len(seen) == 100
    # Each alert is a group of its own: what the relay saw is what Alertmanager counted.
    assert sum(map(len, seen.values())) == found["messenger_whole"]["numbers"]["tries"]
    assert {tries[-1].kind for tries in seen.values()} <= {"created", "queued"}
    assert "to the Gateway" in (folder / "report.html").read_text()


def test_an_alertmanager_that_dies_convicts_and_acquits_nobody(tmp_path: Path) -> None:
    """It held alerts for a Gateway that was down: they are gone with it, and the run is INVALID."""
    faults = [
        {
            "name": "down",
            "inject": "process",
            "at": "1s",
            "for": "3s",
            "component": "gateway",
            "signal": "KILL",
        },
        {
            "name": "dead",
            "inject": "process",
            "at": "2s",
            "for": "1s",
            "component": "alertmanager",
            "signal": "KILL",
        },
    ]
    ended, folder = run(tmp_path, [{"name": "load", "rate": "20/s", "for": "5s"}], faults=faults)
    found = verdict(folder)

    assert ended.code == 3, ended.output
    assert (found["state"], statuses(folder)["zero_loss"]) == ("INVALID", "UNKNOWN")
    assert "messenger_whole: Alertmanager was started anew" in found["sentence"]
    assert found["account"]["unsent"] > 0
    assert json.loads((folder / "end.json").read_text())["ended"] == "completed"


def test_somebody_elses_alertmanager_is_left_as_it_was(tmp_path: Path) -> None:
    """Named by a target file: the alerts end with the run, and a next one passes; a silence is INVALID."""
    keeper = spawn("--alertmanager", "on", "--alertmanager-group-interval", "1s")
    try:
        event = ready(keeper).event
        at = {key: event[key] for key in ("gateway_url", "kubeconfig", "namespace")}
        at |= {key: event[key] for key in ("alertmanager_url", "alertmanager_receiver")}
        mine: dict[str, Any] = yaml.safe_load((HOME / "scenarios/targets/sandbox.yaml").read_text())
        del mine["start"]
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**mine, "endpoints": at}))
        said = []
        for number in range(3):
            if number == 2:
                silence(at["alertmanager_url"])
            (tmp_path / str(number)).mkdir()
            ended, folder = run(
                tmp_path / str(number),
                [{"name": "load", "rate": "10/s", "for": "1s"}],
                *("--chaos-target", str(tmp_path / "mine.yaml")),
                start_args="",
            )
            said.append((ended.code, verdict(folder)["sentence"]))
            left = requests.get(f"{at['alertmanager_url']}/api/v2/alerts", timeout=10).json()
            assert left == [], ended.output
    finally:
        keeper.communicate(timeout=60)

    assert [code for code, _ in said] == [0, 0, 3], said
    assert "sends only 0 of 10 alerts: the others are silenced or inhibited" in said[2][1]


def silence(url: str) -> None:
    """Let Alertmanager send nothing of our alerts for an hour."""
    now = datetime.now(UTC)
    ours = {"name": "alertname", "value": "PodCrashed", "isRegex": False, "isEqual": True}
    spell = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    posted = {"matchers": [ours], **spell, "createdBy": "a test", "comment": "hush"}
    assert requests.post(f"{url}/api/v2/silences", json=posted, timeout=10).ok
