"""The commands plan, doctor and sweep, and the guard of a cluster: what is asked, told and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_cluster
import pytest
import yaml
from fake_cluster import FakeCluster
from kubernetes_api_server import running_server
from small_server import Request, serving

from chaos_hooks import guarding
from chaos_hooks.__main__ import main
from chaos_hooks.errors import SetupError
from shapes import allow, target
from shapes.document import Node
from shapes.target import Endpoints

SCENARIO: dict[str, Any] = {
    "title": "A pod goes",
    "paces": {
        "quick": {
            "phases": [{"name": "load", "rate": "10/s", "for": "60s"}],
            "settle": "2s",
            "faults_in": {
                "cluster": [
                    {
                        "name": "gone",
                        "inject": "chaos_mesh",
                        "at": "10s",
                        "for": "20s",
                        "manifest": "redis-master-failure",
                    },
                    {
                        "name": "killed",
                        "inject": "kubernetes",
                        "at": "5s",
                        "for": "9s",
                        "component": "gateway",
                    },
                ]
            },
        }
    },
    "criteria": ["zero_loss", {"breaker_opens": {"within": "5s"}}],
}


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """A cluster with Chaos Mesh that runs the example deployment."""
    fake = FakeCluster()
    fake.run_example()
    with fake_cluster.serving(fake):
        yield fake


class Files:
    """A scenario and a target file against a cluster, in a folder of their own."""

    def __init__(self, folder: Path, url: str, **changes: Any) -> None:
        self.scenario, self.target, self.runs = folder / "pods.yaml", folder / "mine.yaml", folder / "runs"
        self.scenario.write_text(yaml.safe_dump(SCENARIO))
        endpoints = {
            "gateway_url": "http://127.0.0.1:9",
            "kubeconfig": fake_cluster.kubeconfig(folder, url),
            "context": "kind-test",
            "namespace": "prod-api",
            "pods_namespace": "default",
            **changes.pop("endpoints", {}),
        }
        document = {
            "title": "mine",
            "endpoints": endpoints,
            "faults_in": "cluster",
            "allow": {"contexts": ["kind-*"], "namespaces": ["default", "prod-api"]},
            "undecidable": {"breaker_opens": "it has no circuit breaker"},
            **changes,
        }
        self.target.write_text(yaml.safe_dump({k: v for k, v in document.items() if v is not None}))

    def run(self, verb: str) -> int:
        """Run a command as a user would."""
        words = [verb, *([] if verb == "sweep" else [str(self.scenario)])]
        return main([*words, "--target", str(self.target), "--runs-dir", str(self.runs)])


def test_plan_shows_timeline_objects_and_targets_and_applies_nothing(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exact object, whom the selector matches now; the only thing that is created is a rehearsal."""
    code = Files(tmp_path, cluster.url).run("plan")
    told = capsys.readouterr().out
    changing = [(method, query) for method, _, query in cluster.calls if method != "GET"]

    assert code == 0, told
    assert "5.0 s  inject killed (kubernetes)" in told
    assert "kind: PodChaos" in told
    assert "action: pod-failure" in told
    assert "matches redis" in told
    assert "kill gateway-0, grace 0 s" in told
    assert "Nothing was applied." in told
    assert changing
    assert all(method == "POST" and query.get("dryRun") == "All" for method, query in changing)


def test_plan_says_what_could_not_be_injected(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A selector that matches nothing is refused."""
    code = Files(tmp_path, cluster.url, endpoints={"pods": {"gateway": "app=gone"}}).run("plan")

    assert code == 1
    assert "could NOT be injected" in capsys.readouterr().out


def test_plan_of_the_sandbox_needs_nobody_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    """It is started by the run; its timeline is known all the same."""
    code = main(["plan", "redis-master-failure"])
    told = capsys.readouterr().out

    assert code == 0, told
    assert "     8.0 s  inject primary-down (process)" in told
    assert "component=redis-primary, signal=KILL" in told


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are, as a run does."""
    assert main(["plan", "redis-oom"]) == 2
    assert "unknown scenario 'redis-oom'" in capsys.readouterr().err


def test_doctor_finds_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The API allows all and has no Chaos Mesh, the Gateway is up; and the criterion that nothing decides."""

    def answer(request: Request) -> None:
        request.reply(200, "gateway_up 1\n")

    (tmp_path / "api").mkdir()
    with running_server(tmp_path / "api") as server, serving(answer) as url:
        endpoints = {"gateway_url": url, "context": "", "kubeconfig": str(server.kubeconfig)}
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "prod-api"}})
        allowed = {"contexts": ["sandbox"], "namespaces": ["*"]}
        metrics = {"received": {"name": "gateway_alerts_received_total"}}
        files = Files(tmp_path, "", endpoints=endpoints, allow=allowed, metrics=metrics)
        code = files.run("doctor")
    told = capsys.readouterr().out

    assert code == 1, told
    assert f"ok   readiness {url}/readyz" in told
    assert "not shown now: received" in told
    assert "ok   RemediationRequests of prod-api" in told
    assert "ok   permissions (" in told
    assert "BAD  fault gone by chaos_mesh" in told
    assert "UNKNOWN whatever happens: breaker_opens: mine shows nothing to decide it by: it has no" in told


def test_doctor_names_the_permissions_that_lack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By SelfSubjectAccessReview, verb by verb; subresources are asked for as such."""
    asked: list[tuple[str, str, str]] = []

    def answer(request: Request) -> None:
        if not request.path.endswith("selfsubjectaccessreviews"):
            return request.reply(404, json.dumps({"message": "not here"}), Content_Type="application/json")
        wanted = json.loads(request.content())["spec"]["resourceAttributes"]
        asked.append((wanted["verb"], wanted["resource"], wanted.get("subresource", "")))
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}}
        status = {"allowed": wanted["verb"] != "delete"}
        return request.reply(201, json.dumps({**review, "status": status}), Content_Type="application/json")

    replicas = {"by": "api-proxy", "port": 8080}
    with serving(answer) as url:
        code = Files(tmp_path, url, endpoints={"replicas": replicas}).run("doctor")
    told = capsys.readouterr().out

    assert code == 1
    assert "BAD  replicas: endpoints.replicas: list pods of default: 404" in told
    assert ("get", "pods", "proxy") in asked
    assert "may not delete podchaos.chaos-mesh.org in default; delete pods in default" in told
    assert ("get", "pods", "log") in asked
    assert ("watch", "remediationrequests", "") in asked


def test_sweep_deletes_what_bears_the_label_and_nothing_else(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an allowed cluster; twice does no harm."""
    files = Files(tmp_path, cluster.url)
    body = {
        "apiVersion": "chaos-mesh.org/v1alpha1",
        "kind": "PodChaos",
        "spec": {
            "action": "pod-kill",
            "mode": "all",
            "selector": {"namespaces": ["default"], "labelSelectors": {"app": "gateway"}},
        },
    }
    for name, owner in (("ours", "alertstorm"), ("theirs", "somebody")):
        metadata = {"name": name, "namespace": "default", "labels": {"app.kubernetes.io/managed-by": owner}}
        path = "/apis/chaos-mesh.org/v1alpha1/namespaces/default/podchaos"
        status, answer = cluster.answer("POST", path, {}, body | {"metadata": metadata})
        assert status < 300, answer

    assert files.run("sweep") == 0
    deleted = [path.rpartition("/")[2] for method, path, _ in cluster.calls if method == "DELETE"]

    assert deleted == ["ours"]
    assert "PodChaos default/ours is being deleted" in capsys.readouterr().out


def named(folder: Path, context: str, server: str, allowed: dict[str, list[str]] | None) -> SetupError | None:
    """Hold a context against what a target file allows."""
    kubeconfig = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "current-context": context,
    }
    kubeconfig.write_text(json.dumps(document))
    root = {"title": "x", **({"allow": allowed} if allowed is not None else {})}
    against = target.parse(Node("x.yaml", "", root), "x")
    try:
        guarding.check(
            against, Endpoints(kubeconfig=str(kubeconfig), namespace="prod-api", pods_namespace="a")
        )
    except SetupError as problem:
        return problem
    return None


@pytest.mark.parametrize(
    ("context", "server", "allowed", "refused"),
    [
        ("kind-test", "https://127.0.0.1:6443", None, ""),
        ("kind-test", "https://10.0.0.1:6443", None, "is missing, and https://10.0.0.1:6443 is not loopback"),
        ("kind-test", "https://10.0.0.1", {"contexts": ["kind-*"], "namespaces": ["prod-api", "a"]}, ""),
        (
            "other",
            "https://10.0.0.1",
            {"contexts": ["kind-*"], "namespaces": ["*"]},
            "does not allow 'other'",
        ),
        (
            "kind-test",
            "https://10.0.0.1",
            {"contexts": ["kind-*"], "namespaces": ["prod-api"]},
            "'a'; add it",
        ),
        ("kind-test", "https://10.0.0.1", {}, "does not allow 'kind-test'"),
        ("eu-prod-1", "https://127.0.0.1:6443", None, "looks like production"),
        ("eu-prod-1", "https://10.0.0.1", {"contexts": ["*"], "namespaces": ["*"]}, "looks like production"),
        ("eu-prod-1", "https://10.0.0.1", {"contexts": ["eu-prod-1"], "namespaces": ["*"]}, ""),
        ("kind-a", "https://api.live.example", {"contexts": ["kind-*"], "namespaces": ["*"]}, "production"),
    ],
)
def test_a_cluster_is_touched_only_as_the_target_file_allows(
    tmp_path: Path, context: str, server: str, allowed: dict[str, list[str]] | None, refused: str
) -> None:
    """Context and namespaces by name or pattern; what looks like production to the letter only."""
    got = named(tmp_path, context, server, allowed)

    assert refused in str(got or "")
    assert bool(got) == bool(refused)


def test_names_that_only_contain_the_letters_are_no_production() -> None:
    """Words, not substrings."""
    told = [
        allow.looks_like_production(n) for n in ("products", "reproduce", "alive", "PROD", "my_prod2", "live")
    ]

    assert told == [False, False, False, True, True, True]


def test_doctor_asks_every_replica(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the API server; what none of them shows now is named."""
    metrics = {"received": {"name": "gateway_up"}, "created": {"name": "gateway_crds_created_total"}}
    with serving(lambda request: request.reply(200, "gateway_up 1\n")) as url:
        cluster.listening["gateway-0:8080"] = url
        endpoints = {"gateway_url": url, "replicas": {"by": "api-proxy", "port": 8080}}
        Files(tmp_path, cluster.url, endpoints=endpoints, metrics=metrics).run("doctor")
    told = capsys.readouterr().out

    assert "ok   replicas: 1 replicas, each asked by itself (api-proxy): gateway-0" in told
    assert "ok   metrics of all replicas: not shown now: created (some come" in told
