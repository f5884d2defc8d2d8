"""What a cluster is given: what its API takes strictly, and what selects the pods of the example."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import chaos_mesh_rules
import pytest
import strict_kinds
import strict_schema
import yaml

from chaos_hooks import experiment, injection, pods, preflight
from chaos_hooks.clock import RunClock
from shapes import scenario
from shapes.target import Endpoints

HOME = Path(__file__).resolve().parent.parent
MANIFESTS = HOME / "manifests"
# Those of monitoring and Locust have tests of their own.
FOLDERS = ("chaos-mesh", "concurrent-updates", "example", "rbac", "throttling", "toxiproxy")
EXPERIMENTS = sorted((MANIFESTS / "chaos-mesh").glob("*.yaml"))


def _documents(*folders: str) -> list[tuple[Path, dict[str, Any]]]:
    paths = [path for folder in folders for path in sorted((MANIFESTS / folder).rglob("*.yaml"))]
    return [(path, item) for path in paths for item in yaml.safe_load_all(path.read_text())]


ALL = _documents(*FOLDERS)
PLAIN = [(p, i) for p, i in ALL if i["kind"] != "Kustomization" and p.name != "beside-gateway.yaml"]


def _only(kind: str, name: str) -> dict[str, Any]:
    (found,) = [i for _, i in PLAIN if (i["kind"], i["metadata"]["name"]) == (kind, name)]
    return found


def _example_pods() -> list[dict[str, Any]]:
    kinds = ("Deployment", "StatefulSet")
    return [item["spec"]["template"] for _, item in _documents("example") if item["kind"] in kinds]


def _matching(labels: dict[str, str]) -> list[dict[str, Any]]:
    return [pod for pod in _example_pods() if labels.items() <= pod["metadata"]["labels"].items()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_chaos_mesh_takes_each_experiment_strictly(path: Path) -> None:
    """By the v2.8.3 schema, without an unknown field, not denied, and with nothing that it overlooks."""
    item = yaml.safe_load(path.read_text())

    assert strict_schema.faults_of(item) == []
    assert chaos_mesh_rules.denials(item) == []
    assert chaos_mesh_rules.blind_spots(item) == []
    assert item["metadata"]["name"] == path.stem
    assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "alertstorm"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_each_experiment_selects_pods_of_the_example(path: Path) -> None:
    """Selectors match, their containers exist, and where one pod is meant only one matches."""
    spec = yaml.safe_load(path.read_text())["spec"]

    for part in filter(None, (spec, spec.get("target"))):
        pods = _matching(part["selector"]["labelSelectors"])
        assert pods
        assert part["selector"]["namespaces"] == ["default"]
        for name in part.get("containerNames", []):
            assert all(name in [c["name"] for c in pod["spec"]["containers"]] for pod in pods)
        if part["mode"] == "one":
            assert len(pods) == 1
    redis = [pod for pod in _example_pods() if pod["metadata"]["labels"]["app"] == "redis-sentinel"]
    assert redis
    assert redis[0] not in _matching(spec["selector"]["labelSelectors"])


@pytest.mark.parametrize(
    ("path", "old", "new", "faults"),
    [
        (
            "redis-master-failure",
            "mode: one",
            'mode: one\n  scheduler: {cron: "@every 5m"}',
            ["spec.scheduler: unknown field"],
        ),
        (
            "redis-network-partition",
            "  mode: all",
            "  mode: every",
            ["spec.mode: 'every' is none of one, all, fixed, fixed-percent, random-max-percent"],
        ),
        (
            "redis-memory-pressure",
            "workers: 1",
            "workers: one",
            ["spec.stressors.memory.workers: wanted integer, got 'one'"],
        ),
        ("buffer-expiration", "  timeOffset: 125s\n", "", ["spec.timeOffset: is missing"]),
        ("gateway-pod-restart", "gracePeriod: 0", "gracePeriod: -1", ["spec.gracePeriod: -1 is below 0"]),
        ("gateway-pod-restart", "namespace: default", "ns: default", ["metadata.ns: unknown field"]),
        ("k8s-api-latency", "v1alpha1", "v1", ["apiVersion: wanted chaos-mesh.org/v1alpha1"]),
    ],
)
def test_the_strict_validator_convicts(path: str, old: str, new: str, faults: list[str]) -> None:
    """Unknown fields, wrong words and types, missing fields, each by its place; the first is the plan's."""
    text = (MANIFESTS / "chaos-mesh" / f"{path}.yaml").read_text()
    assert old in text

    assert strict_schema.faults_of(yaml.safe_load(text.replace(old, new, 1))) == faults


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("redis-master-failure", "duration: 60s", "duration: 60", "spec.duration: '60' is no duration"),
        (
            "gateway-container-restart",
            "  containerNames: [gateway]\n",
            "",
            "spec.containerNames: container-kill needs them",
        ),
        ("k8s-api-latency", "direction: to", "direction: both", "spec.externalTargets: cannot be used"),
        ("redis-network-degraded", 'loss: "30"', 'loss: "300"', "spec.loss.loss: '300' cannot be read"),
        (
            "redis-memory-pressure",
            "mode: one",
            "mode: fixed-percent",
            "spec.value: mode fixed-percent needs 0 to 100",
        ),
        (
            "buffer-expiration",
            "timeOffset: 125s",
            "timeOffset: later",
            "spec.timeOffset: 'later' is no duration",
        ),
    ],
)
def test_the_rules_of_the_webhook_convict(path: str, old: str, new: str, said: str) -> None:
    """What Chaos Mesh's webhook denies with 403, although the schema takes it."""
    text = (MANIFESTS / "chaos-mesh" / f"{path}.yaml").read_text()
    assert old in text
    item = yaml.safe_load(text.replace(old, new, 1))
    item["spec"].update({"duration": str(item["spec"]["duration"])} if "duration" in item["spec"] else {})

    assert any(each.startswith(said) for each in chaos_mesh_rules.denials(item))


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("gateway-pod-restart", "gracePeriod: 0", "duration: 60s", "spec.duration: a one-shot ignores it"),
        (
            "buffer-expiration",
            "duration: 60s",
            "duration: soon",
            "spec.duration: without one that can be read",
        ),
        (
            "redis-network-partition",
            "labelSelectors: {app: gateway}",
            "{}",
            "spec.target.selector: would select every pod",
        ),
        ("redis-memory-pressure", "workers: 1", "workers: 0", "spec.stressors.memory.workers: nobody works"),
        ("redis-network-degraded", "action: netem", "action: delay", "spec.loss: is applied as well"),
        ("buffer-expiration", "  containerNames: [redis]\n", "", "spec.containerNames: without them"),
    ],
)
def test_what_chaos_mesh_overlooks_is_seen_here(path: str, old: str, new: str, said: str) -> None:
    """Faults that never end, select too much or do nothing, and are taken all the same."""
    text = (MANIFESTS / "chaos-mesh" / f"{path}.yaml").read_text()
    assert old in text
    new = "annotationSelectors: {}" if new == "{}" else new
    item = yaml.safe_load(text.replace(old, new, 1))

    assert any(each.startswith(said) for each in chaos_mesh_rules.blind_spots(item))


@pytest.mark.parametrize(
    ("path", "item"),
    [(p, i) for p, i in PLAIN if not i["apiVersion"].startswith("chaos-mesh")],
    ids=lambda each: each.name if isinstance(each, Path) else each["kind"],
)
def test_kubernetes_knows_every_field(path: Path, item: dict[str, Any]) -> None:
    """Kubernetes' own kinds, against the models of its client."""
    assert strict_kinds.faults_of(item) == []


@pytest.mark.parametrize(
    ("kind", "name", "change", "faults"),
    [
        ("Service", "gateway", {"spec": {"selectors": {}}}, ["spec.selectors: unknown field"]),
        (
            "Deployment",
            "gateway",
            {"spec": {"replicas": "1", "selector": {}}},
            ["spec.replicas: wanted int, got '1'", "spec.template: is missing"],
        ),
        ("Role", "gateway", {"rules": {}}, ["rules: wanted List, got {}"]),
        (
            "Job",
            "concurrent-updates",
            {"kind": "CronJobs"},
            ["kind: 'CronJobs' is none that this test knows"],
        ),
    ],
)
def test_the_models_convict(kind: str, name: str, change: dict[str, Any], faults: list[str]) -> None:
    """An unknown field, a wrong type, a missing one."""
    assert strict_kinds.faults_of({**_only(kind, name), **change}) == faults


def test_services_and_controllers_select_their_own_pods() -> None:
    """A controller's selector matches its template; a Service's a template that has the Service's port."""
    templates = [i["spec"]["template"] for _, i in PLAIN if "template" in i.get("spec", {})]
    for _, item in PLAIN:
        if item["kind"] in ("Deployment", "StatefulSet"):
            labels = item["spec"]["template"]["metadata"]["labels"]
            assert item["spec"]["selector"]["matchLabels"].items() <= labels.items()
        if item["kind"] == "Service":
            wanted = item["spec"]["selector"].items()
            pods = [t for t in templates if wanted <= t["metadata"]["labels"].items()]
            assert pods, item["metadata"]["name"]
            for port in item["spec"]["ports"]:
                for pod in pods:
                    names = [p["name"] for c in pod["spec"]["containers"] for p in c["ports"]]
                    assert port["targetPort"] in names


def test_no_pod_asks_for_more_than_it_needs() -> None:
    """Every container: not root, no escalation, no capabilities, a memory limit."""
    for _, item in PLAIN:
        for pod in [item["spec"]["template"]] if "template" in item.get("spec", {}) else []:
            assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
            for container in pod["spec"]["containers"]:
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"]["memory"]


def test_the_tool_may_do_what_it_does_and_no_more() -> None:
    """Kinds of the experiments only, no update, no patch, no wildcard, nothing for a whole cluster."""
    rules = [rule for _, item in _documents("rbac") for rule in item.get("rules", [])]
    kinds = {yaml.safe_load(path.read_text())["kind"].lower() for path in EXPERIMENTS}
    chaos = [rule for rule in rules if rule["apiGroups"] == ["chaos-mesh.org"]]

    assert {name for rule in chaos for name in rule["resources"]} == kinds
    assert {verb for rule in chaos for verb in rule["verbs"]} == {"get", "list", "create", "delete"}
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    assert not verbs & {"update", "patch", "deletecollection", "impersonate", "bind", "escalate", "*"}
    assert "*" not in {name for rule in rules for name in (*rule["resources"], *rule["apiGroups"])}
    assert not [i for _, i in _documents("rbac") if i["kind"].startswith("Cluster")]
    created = [rule["resources"] for rule in rules if "create" in rule["verbs"]]
    assert sorted(created, key=len) == [["pods/portforward"], chaos[0]["resources"]]


def test_the_throttling_webhook_cannot_lock_anybody_out() -> None:
    """Ignore within a second, writes of RemediationRequests only, by the Gateway's account only."""
    (webhook,) = _only("ValidatingWebhookConfiguration", "alertstorm-throttling")["webhooks"]
    service = _only("Service", "alertstorm-throttling")
    account = _only("Deployment", "gateway")["spec"]["template"]["spec"]["serviceAccountName"]

    assert (webhook["failurePolicy"], webhook["timeoutSeconds"], webhook["sideEffects"]) == (
        "Ignore",
        1,
        "None",
    )
    assert [rule["resources"] for rule in webhook["rules"]] == [
        ["remediationrequests", "remediationrequests/status"]
    ]
    (condition,) = webhook["matchConditions"]
    assert condition["expression"] == (
        f"request.userInfo.username == 'system:serviceaccount:default:{account}'"
    )
    called = webhook["clientConfig"]["service"]
    assert called["name"] == service["metadata"]["name"]
    assert called["port"] == service["spec"]["ports"][0]["port"]
    assert "caBundle" not in webhook["clientConfig"]


def test_the_jail_lets_nothing_out_and_holds_only_the_gateway() -> None:
    """Type Queue at a limit of 0 with nothing to borrow; Reject would serve one request at a time."""
    limited = _only("PriorityLevelConfiguration", "alertstorm-jail")["spec"]["limited"]
    schema = _only("FlowSchema", "alertstorm-jail")["spec"]

    shares = (
        limited["nominalConcurrencyShares"],
        limited["lendablePercent"],
        limited["borrowingLimitPercent"],
    )
    assert shares == (0, 0, 0)
    assert limited["limitResponse"]["type"] == "Queue"
    assert schema["rules"][0]["subjects"] == [
        {"kind": "ServiceAccount", "serviceAccount": {"namespace": "default", "name": "gateway"}}
    ]
    assert schema["matchingPrecedence"] > 2  # below the server's own exempt and probes


@pytest.mark.parametrize("pace", scenario.PACES)
@pytest.mark.parametrize("name", scenario.names(HOME / "scenarios"))
def test_each_scenario_says_how_it_runs_in_a_cluster(name: str, pace: str) -> None:
    """Its faults for a cluster are known to their backends, manifests and options too; or it has no fault."""
    planned = scenario.find(HOME / "scenarios", name, pace)
    cluster = planned.broken_in("cluster")

    assert planned.lacks_faults_in("cluster") == ""
    assert bool(cluster.faults) == bool(planned.faults)
    preflight.check_scenario(cluster, injection.names())
    for fault in cluster.faults:
        injection.load(fault, Endpoints(), RunClock(), fault.place)
        # The time is the scenario's, whatever does it.
        assert fault.at_s in {each.at_s for each in planned.faults}


def test_each_kind_of_experiment_is_known_to_its_backend() -> None:
    """The backend's plurals are those of the schemas, and the component labels select pods of the example."""
    plurals = {kind: d["spec"]["names"]["plural"] for kind, d in strict_schema.definitions().items()}

    assert plurals == experiment.PLURALS
    for labels in pods.LABELS.values():
        assert _matching(dict(labels))


def test_the_page_names_every_scenario_folder_and_manifest_that_there_is() -> None:
    """docs/cluster.md: a row for each scenario with the backend that it has; every folder is there."""
    page = (HOME / "docs/cluster.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name in scenario.names(HOME / "scenarios"):
        planned = scenario.find(HOME / "scenarios", name, "plan")
        shown = planned.variant_of if f"`{name}`" not in page else name
        (row,) = [line for line in rows if f"`{shown}`" in line.split("|")[1]]
        for fault in planned.broken_in("cluster").faults:
            assert f"`{fault.inject}`" in row.split("|")[3]
            assert f"`{fault.options.get('manifest', fault.inject)}`" in row.split("|")[3]
    for path in re.findall(r"`(manifests/[a-z/-]+)`", page):
        assert (HOME / path).is_dir(), path
    assert {f"manifests/{folder}" for folder in FOLDERS} <= set(re.findall(r"`(manifests/[a-z-]+)`", page))


def test_the_image_holds_what_backends_and_the_example_need() -> None:
    """The experiments are read from their folder at run time, and the example runs the reference Gateway."""
    copied = re.findall(r"^COPY (\S+) \S+$", (MANIFESTS / "locust/Dockerfile").read_text(), re.MULTILINE)

    assert {"manifests", "sandbox", "chaos_hooks", "scenarios"} <= set(copied)


def test_the_image_and_make_compile_what_the_install_compiles() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text())
    modules = project["tool"]["setuptools"]["ext-modules"]
    assert all(
        each["optional"] and each["name"].replace(".", "/") + ".c" == each["sources"][0] for each in modules
    )
    sources = {each["sources"][0] for each in modules}
    assert sources == {str(path.relative_to(HOME)) for path in HOME.glob("[rcs]*/_*.c")}
    copied = re.findall(r"^COPY (\S+\.c) ", (MANIFESTS / "locust/Dockerfile").read_text(), re.MULTILINE)
    assert set(copied) == sources
    (listed,) = re.findall(r"^COMPILED := (.+)$", (HOME / "Makefile").read_text(), re.MULTILINE)
    assert {f"{name}.c" for name in listed.split()} == sources
