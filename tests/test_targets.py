"""Target files: each release is spoken to as it wants; what it does not show is UNKNOWN, with the reason."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_api_server import RunningServer, running_server
from locust_process import HOME, locust, verdict
from release_gateways import TOKEN, august_2026, november_2025

from chaos_hooks import preflight
from chaos_hooks.errors import SetupError
from chaos_hooks.metric_page import read_metrics
from reports.verdict import criterion_names
from sandbox.kubernetes_api.definitions import REMEDIATION_REQUESTS
from shapes import alerts, scenario, target
from shapes.alerts import Naming, Planned
from shapes.phase import AlertRecipe
from shapes.target import Target

TARGETS = HOME / "scenarios" / "targets"
NAMES = target.names(TARGETS)
NAMESPACE = "prod-api"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A Kubernetes API that knows both releases' RemediationRequests and the alerts' namespace."""
    with running_server(tmp_path_factory.mktemp("api")) as running:
        definition = copy.deepcopy(REMEDIATION_REQUESTS)
        definition["metadata"]["name"] = "remediationrequests.kubernaut.ai"
        definition["spec"]["group"] = "kubernaut.ai"
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert running.call("POST", path, definition)[0] == 201
        for name in (NAMESPACE, "kubernaut-system"):
            running.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield running


def found(name: str) -> Target:
    """Return a shipped target."""
    return target.find(TARGETS, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_names_nothing_that_does_not_exist(name: str) -> None:
    """Criteria and scenarios are those that there are; no URL has a path where none belongs."""
    got = found(name)

    assert set(got.undecidable) <= set(criterion_names())
    assert set(got.unsupported) <= set(scenario.names(HOME / "scenarios"))
    assert not got.endpoints.gateway_url.endswith("/")
    assert all(reason and not reason.endswith(".") for reason in got.undecidable.values())


def labels(name: str, subject: int, storms: frozenset[tuple[str, str, str]] = frozenset()) -> dict[str, str]:
    """Return the labels of an alert for a target."""
    return alerts.labels(Naming("k3x9", found(name).alerts, storms), Planned(9, subject, "chaos", 1.0))


def test_each_release_gets_alerts_that_it_tells_apart() -> None:
    """By their alertname where many under one would be a storm, by their object where only that counts."""
    family = AlertRecipe().family
    common = {"namespace": NAMESPACE, "severity": "critical"}

    assert labels("kubernaut-2025-11", 3) == {
        "alertname": "PodCrashed-k3x9-0000003",
        "pod": "chaos-k3x9-0000003",
        **common,
    }
    assert labels("kubernaut-2025-11", 3, frozenset({family}))["alertname"] == "PodCrashed"
    assert labels("kubernaut-2026-08", 3) == {
        "alertname": "PodCrashed",
        "lease": "chaos-k3x9-0000003",
        **common,
    }


def test_the_literal_plan_tells_alerts_apart_by_an_annotation() -> None:
    """Repeats carry that of the first alert with their labels."""
    naming = Naming("k3x9", found("plan").alerts)
    sent = json.loads(alerts.body(naming, [Planned(9, 3, "chaos", 1.0)], str))["alerts"][0]["annotations"]

    assert sent["fingerprint"] == "chaos-k3x9-0000003"
    assert sent["alertstorm_id"] == "k3x9-0000009"


def test_the_fingerprint_is_the_release_s_own() -> None:
    """sha256 over its parts, as the source has it; the literal plan answers with what was sent."""
    planned = Planned(9, 3, "chaos", 1.0)
    naming = {name: Naming("k3x9", found(name).alerts) for name in NAMES}
    got = {name: alerts.answered_fingerprint(each, planned) for name, each in naming.items()}

    # printf %s 'PodCrashed-k3x9-0000003:prod-api:Pod:chaos-k3x9-0000003' | sha256sum, and so on
    assert got["kubernaut-2025-11"][:16] == "7d355b9209814b72"
    assert got["kubernaut-2026-08"][:16] == "4dbd5bc34be4d9c2"
    assert got["plan"] == alerts.fingerprint(alerts.labels(naming["plan"], planned))


def test_a_breaker_that_shows_only_from_its_first_change_on_is_closed_before() -> None:
    """In an answer that is good otherwise; what says nothing of its absence stays unknown."""
    metrics = found("kubernaut-2026-08").metrics
    opened = 'gateway_circuit_breaker_state{name="k8s-api"} 2\n'

    assert read_metrics("up 1\n", metrics) == {"breaker.kubernetes": 0.0}
    assert read_metrics(opened, metrics) == {"breaker.kubernetes": 2.0}
    assert read_metrics("up 1\n", found("kubernaut-2025-11").metrics) == {}


@pytest.mark.parametrize(
    ("text", "sentence"), [(None, "No such file"), ("\n", "no token"), ("a b", "no token")]
)
def test_a_token_file_without_a_token_is_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    """Before the first alert, naming the target file's field."""
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)
    root = {"title": "x", "token_file": str(path)}

    with pytest.raises(SetupError, match=r"targets/mine.yaml: token_file: ") as told:
        preflight.headers(target.parse(target.document.Node("mine.yaml", "", root), "mine"))
    assert sentence in str(told.value)


def run(folder: Path, name: str, load: dict[str, Any], **endpoints: str) -> tuple[int, Path, str]:
    """Run a load against a release as a user would, with the shipped target's file on other endpoints."""
    told = yaml.safe_load((TARGETS / f"{name}.yaml").read_text())
    told["endpoints"] = endpoints
    told["allow"]["contexts"].append("sandbox")  # What the kubeconfig of the tests' API calls its context.
    if "token_file" in told:
        (folder / "token").write_text(TOKEN)
        told["token_file"] = str(folder / "token")
    (folder / "mine.yaml").write_text(yaml.safe_dump(told))
    (folder / "load.yaml").write_text(yaml.safe_dump(load))
    arguments = ("--chaos-scenario", str(folder / "load.yaml"), "--chaos-target", str(folder / "mine.yaml"))
    with locust(folder / "runs", "--headless", *arguments) as process:
        ended = process.wait()
        assert (folder / "runs/latest/verdict.json").exists(), ended.output
        return ended.code, process.run_folder(), ended.output


def load(phase: dict[str, Any], criteria: list[Any], **alert: Any) -> dict[str, Any]:
    """Return a scenario of one phase without a fault."""
    return {
        "title": "a load",
        "alert": alert,
        "paces": {"quick": {"phases": [{"name": "load", **phase}], "settle": "1s"}},
        "criteria": criteria,
    }


STEADY = {"rate": "15/s", "for": "3s"}
WHOLE = ["zero_loss", "no_duplicates", "no_unexpected", "safe_rejections"]


def test_november_2025_passes_on_plain_load_and_is_told_what_it_lacks(
    server: RunningServer, tmp_path: Path
) -> None:
    """No storm is made of it; the criterion that needs a breaker is UNKNOWN, with the reason."""
    at = {"kubeconfig": str(server.kubeconfig), "namespace": NAMESPACE}
    plan = load(STEADY, [*WHOLE, {"breaker_opens": {"within": "5s"}}], repeat="30%")
    with november_2025(server) as endpoints:
        code, folder, output = run(tmp_path, "kubernaut-2025-11", plan, **endpoints, **at)
    findings = {f["criterion"]: f for f in verdict(folder)["findings"]}

    assert code == 3, output
    assert {name: f["status"] for name, f in findings.items() if f["status"] != "PASS"} == {
        "breaker_opens": "UNKNOWN"
    }
    assert "it has no circuit breaker" in findings["breaker_opens"]["got"]
    assert verdict(folder)["account"]["deduplicated"] > 5


def test_november_2025_is_convicted_of_the_storm_that_it_loses(server: RunningServer, tmp_path: Path) -> None:
    """It answers 202 to twenty pods of one alertname, and keeps five of its own and five in a storm's."""
    at = {"kubeconfig": str(server.kubeconfig), "namespace": NAMESPACE}
    storm = load({"pattern": "storm", "count": 20, "for": "3s"}, WHOLE)
    with november_2025(server) as endpoints:
        code, folder, output = run(tmp_path, "kubernaut-2025-11", storm, **endpoints, **at)

    assert code == 1, output
    assert len(verdict(folder)["account"]["lost_ids"]) == 10


def test_august_2026_passes_with_several_alerts_a_post(server: RunningServer, tmp_path: Path) -> None:
    """With the token, objects of their own, and a 207 whose items come in another order."""
    at = {"kubeconfig": str(server.kubeconfig), "namespace": "kubernaut-system"}
    plan = load(STEADY, WHOLE, repeat="30%", per_post=3)
    with august_2026(server, "kubernaut-system", {NAMESPACE}) as endpoints:
        code, folder, output = run(tmp_path, "kubernaut-2026-08", plan, **endpoints, **at)

    assert code == 0, output
    assert "Bearer" not in (folder / "run.json").read_text() + output
    assert TOKEN not in (folder / "run.json").read_text() + output


def test_august_2026_that_does_not_manage_the_namespace_refuses_with_200(
    server: RunningServer, tmp_path: Path
) -> None:
    """Which is no acknowledgement: every alert is refused, and unsafely so."""
    at = {"kubeconfig": str(server.kubeconfig), "namespace": "kubernaut-system"}
    with august_2026(server, "kubernaut-system", set()) as endpoints:
        code, folder, output = run(tmp_path, "kubernaut-2026-08", load(STEADY, WHOLE), **endpoints, **at)
    account = verdict(folder)["account"]

    assert code == 1, output
    assert (account["acked"], account["rejected_unsafe"]) == (0, 45)
