"""The Chaos Mesh backend against a stand-in of its API: what is created, what proves it, what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_cluster
import pytest
import strict_schema
from fake_cluster import FakeCluster
from injecting import Broken, fault, why_not

from chaos_hooks import experiment, experiment_watch, injection, journal, preflight
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.injectors import chaos_mesh
from shapes.target import Endpoints


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with fake_cluster.serving(FakeCluster()) as running:
        running.run_example()
        yield running


@pytest.fixture
def endpoints(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    monkeypatch.setattr(experiment_watch, "POLL_S", 0.005)
    config = fake_cluster.kubeconfig(tmp_path, cluster.url)
    return Endpoints(
        kubeconfig=config, context="kind-test", pods_namespace="default", run_id="redis-master-failure-1"
    )


def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_mesh, "_SHOWN_WITHIN_S", 0.2)
    for name in ("INJECTED_WITHIN_S", "GONE_WITHIN_S"):
        monkeypatch.setattr(experiment_watch, name, 0.2)


def _refused(endpoints: Endpoints, **options: Any) -> str:
    """Why the injection failed, after whatever was created for it is gone."""
    backend = injection.load(fault("chaos_mesh", **options), endpoints, RunClock(), "here")
    with pytest.raises(InjectionError) as caught:
        backend.inject(lambda undo: json.dumps(dict(undo)))
    return str(caught.value)


@pytest.mark.parametrize("manifest", experiment.names())
def test_every_manifest_is_injected_and_healed(
    cluster: FakeCluster, endpoints: Endpoints, manifest: str
) -> None:
    """Rehearsed, then created once, strictly; every target proved; deleted; and nothing is left of it."""
    broken = Broken(endpoints, fault("chaos_mesh", manifest=manifest))
    assert broken.effect.seen, broken.effect.evidence
    assert broken.effect.at.earliest_s <= broken.effect.at.latest_s
    creations = [query for method, _, query in cluster.calls if method == "POST"]
    # Once to see whether it is available, once right before it, and then in earnest.
    assert [query.get("dryRun") for query in creations] == ["All", "All", None]
    assert {query.get("fieldValidation") for query in creations} == {"Strict"}
    for _ in range(2):
        assert broken.heal().seen
        assert cluster.chaos.objects == {}
    assert {method for method, _, _ in cluster.calls} == {"GET", "POST", "DELETE"}


def test_what_is_created_is_the_runs_own_and_ends_by_itself(
    cluster: FakeCluster, endpoints: Endpoints
) -> None:
    """A name of its own, labels of run and fault, a duration beyond the fault's, and no field unknown."""
    names = set()
    for _ in range(2):
        broken = Broken(endpoints, fault("chaos_mesh", "Cut off!", 60.0, manifest="redis-network-partition"))
        ((_, _, name),) = cluster.chaos.objects
        (made,) = cluster.chaos.objects.values()
        names.add(name)
        broken.heal()

    assert len(names) == 2
    assert all(name.startswith("cut-off-") for name in names)
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "alertstorm",
        "alertstorm/scenario": "redis-network-partition",
        "alertstorm/run": "redis-master-failure-1",
        "alertstorm/fault": "cut-off",
    }
    assert made["spec"]["duration"] == "90s"
    assert broken.undo == {
        "kubeconfig": endpoints.kubeconfig,
        "context": "kind-test",
        "namespace": "default",
        "plural": "networkchaos",
        "name": broken.undo["name"],
        "options": {"manifest": "redis-network-partition"},
    }


def test_a_one_shot_has_no_duration(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """It would be ignored. The pod's old and new UIDs are the evidence."""
    (old,) = cluster.matching("default", {"app": "gateway"})
    Broken(endpoints, fault("chaos_mesh", manifest="gateway-pod-restart"))
    (made,) = cluster.chaos.objects.values()
    (new,) = cluster.matching("default", {"app": "gateway"})

    assert "duration" not in made["spec"]
    assert new["metadata"]["uid"] != old["metadata"]["uid"]


def test_the_evidence_names_targets_and_uids(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Who was struck, by the controller's stamp and by what was seen, and who came in its place."""
    (old,) = cluster.matching("default", {"app": "gateway"})
    killed = Broken(endpoints, fault("chaos_mesh", manifest="gateway-pod-restart"))
    (new,) = cluster.matching("default", {"app": "gateway"})
    killed.heal()
    paused = Broken(endpoints, fault("chaos_mesh", manifest="redis-master-failure"))

    assert killed.effect.evidence[1].startswith("default/gateway-0: on by ")
    assert killed.effect.evidence[2] == (
        f"pod gateway-0 with UID {old['metadata']['uid']} is gone; its owner's others: "
        f"gateway-0x {new['metadata']['uid']}"
    )
    assert paused.effect.evidence[2] == (
        "pod redis-master-0: not ready, image gcr.io/google-containers/pause:latest"
    )
    assert paused.heal().evidence[1].startswith("default/redis-master-0: over by ")


def test_it_is_aimed_at_the_targets_pods(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Another namespace and other labels stand in the target; the manifest's selectors become those."""
    for pod in cluster.pods:
        pod["metadata"]["namespace"] = "kubernaut-system"
        if pod["metadata"]["labels"]["app"] == "redis":
            pod["metadata"]["labels"] = {"component": "cache"}
    aimed = Endpoints(
        kubeconfig=endpoints.kubeconfig,
        context="kind-test",
        pods_namespace="kubernaut-system",
        pods={"redis": "component=cache"},
    )
    broken = Broken(aimed, fault("chaos_mesh", manifest="redis-network-partition"))
    (made,) = cluster.chaos.objects.values()

    assert broken.effect.seen
    assert made["metadata"]["namespace"] == "kubernaut-system"
    assert made["spec"]["selector"] == {
        "namespaces": ["kubernaut-system"],
        "labelSelectors": {"component": "cache"},
        "podPhaseSelectors": ["Running"],
    }
    assert made["spec"]["target"]["selector"]["labelSelectors"] == {"app": "gateway"}
    assert strict_schema.faults_of(_asked(made)) == []


def test_the_primary_is_the_pod_that_the_sentinels_name(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failover the label role=master lies; by its address the pod is found all the same."""
    replica = next(p for p in cluster.pods if p["metadata"]["name"] == "redis-replica-0")
    for address in (f"{replica['status']['podIP']}:6379", "redis-replica-0.redis.default.svc:6379"):
        monkeypatch.setattr(chaos_mesh.redis_set, "discover", lambda *_, a=address: (a, []))
        broken = Broken(endpoints, fault("chaos_mesh", manifest="redis-master-failure", primary="sentinel"))
        (made,) = cluster.chaos.objects.values()
        assert made["spec"]["selector"] == {
            "namespaces": ["default"],
            "pods": {"default": ["redis-replica-0"]},
        }
        assert "redis-replica-0" in broken.effect.evidence[1]
        broken.heal()
    monkeypatch.setattr(chaos_mesh.redis_set, "discover", lambda *_: ("10.0.0.1:6379", []))
    asked = fault("chaos_mesh", manifest="redis-master-failure", primary="sentinel")
    assert why_not(endpoints, asked) == "the Sentinels' primary 10.0.0.1:6379 is none of default"


def test_fields_of_the_spec_may_differ(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Named fields only, however deep, and null takes one away; the others stay the manifest's."""
    spec = {"loss": {"loss": "50"}, "delay": {"jitter": None}}
    Broken(endpoints, fault("chaos_mesh", manifest="redis-network-degraded", spec=spec))
    (made,) = cluster.chaos.objects.values()

    assert made["spec"]["loss"] == {"loss": "50", "correlation": "0"}
    assert made["spec"]["delay"] == {"latency": "500ms", "correlation": "0"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "takes manifest, spec, primary and at_most, got nothing"),
        ({"manifest": "redis-oom"}, "manifest: unknown 'redis-oom'; there are: buffer-expiration, "),
        ({"manifest": "redis-master-failure", "mode": "all"}, "takes manifest, spec, primary and at_most"),
        ({"manifest": "redis-master-failure", "primary": "label"}, "primary: 'label' is unknown"),
        ({"manifest": "redis-master-failure", "spec": "x"}, "spec: wanted fields like"),
        (
            {"manifest": "redis-master-failure", "spec": {"selector": {"labelSelectors": None}}},
            "selector: is empty, which means every pod of the namespace",
        ),
        (
            {"manifest": "redis-master-failure", "spec": {"selector": {"fieldSelectors": {}}}},
            "selector: fieldSelectors cannot be previewed",
        ),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    endpoints: Endpoints, options: dict[str, Any], said: str
) -> None:
    """Before anything is asked of the cluster."""
    with pytest.raises(SetupError) as caught:
        injection.load(fault("chaos_mesh", **options), endpoints, RunClock(), "here")

    assert f"here: injector chaos_mesh: {said}" in str(caught.value)


def test_it_says_why_it_is_not_available(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No kubeconfig, no API, no Chaos Mesh, refused rehearsals, pods that are not or too many, leftovers."""
    asked = fault("chaos_mesh", manifest="redis-network-partition")
    assert why_not(Endpoints(), asked).startswith("the target has no kubeconfig;")
    nowhere = Endpoints(kubeconfig=endpoints.kubeconfig, pods_namespace="default")  # its current context
    assert "no answer" in why_not(nowhere, asked)
    few = fault("chaos_mesh", manifest="redis-network-partition", at_most=1)
    assert why_not(endpoints, few) == (
        "2 pods match app=redis in default (redis-master-0, redis-replica-0), more than at_most 1"
    )
    unknown = fault("chaos_mesh", manifest="redis-network-partition", spec={"scheduler": {"cron": "x"}})
    assert why_not(endpoints, unknown) == (
        "the API server would not take it: create networkchaos of default: 400: "
        'strict decoding error: unknown field "spec.scheduler"'
    )
    typed = fault("chaos_mesh", manifest="redis-network-partition", spec={"mode": "most"})
    assert "422: NetworkChaos.chaos-mesh.org" in why_not(endpoints, typed)
    denied = fault("chaos_mesh", manifest="redis-network-partition", spec={"externalTargets": ["a:1"]})
    assert "403: admission webhook" in why_not(endpoints, denied)
    cluster.refuse = lambda method, *_: (
        (500, fake_cluster.status(500, "InternalError", 'failed calling webhook "vauth.kb.io"'))
        if method == "POST"
        else None
    )
    assert '500: failed calling webhook "vauth.kb.io"' in why_not(endpoints, asked)
    cluster.refuse = lambda *_: None
    cluster.chaos.installed = False
    assert why_not(endpoints, asked).startswith("Chaos Mesh's NetworkChaos is not installed there")
    cluster.chaos.installed = True
    assert why_not(endpoints, asked) == ""
    left = Broken(endpoints, asked)
    assert why_not(endpoints, asked) == (
        f"networkchaos of default has {left.undo['name']!r} of an earlier run; run sweep, or delete it"
    )
    left.heal()
    cluster.pods.clear()
    assert why_not(endpoints, asked) == (
        "no pod matches app=redis in default; mend endpoints.pods or pods_namespace"
    )
    assert not cluster.chaos.objects


@pytest.mark.parametrize(
    ("code", "reason"), [(409, "AlreadyExists"), (403, "Forbidden"), (500, "InternalError")]
)
def test_a_creation_that_is_refused_leaves_nothing(
    cluster: FakeCluster, endpoints: Endpoints, code: int, reason: str
) -> None:
    """The rehearsal was taken and the creation was not: the API's sentence is told."""
    cluster.refuse = lambda method, _, query: (
        (code, fake_cluster.status(code, reason, "no, not now"))
        if method == "POST" and "dryRun" not in query
        else None
    )

    assert _refused(endpoints, manifest="redis-network-partition") == (
        f"create networkchaos of default: {code}: no, not now"
    )
    assert not cluster.chaos.objects


def test_a_creation_without_an_answer_is_undone(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Nobody knows whether it was made; it was, and it is deleted."""

    def lose(method: str, path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        if method == "POST" and "dryRun" not in query:
            cluster.chaos.answer("POST", "default", "networkchaos", "", query, created[-1])
            return 0, None
        return None

    created: list[Any] = []
    keep = cluster.answer

    def note(method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        created.append(body)
        return keep(method, path, query, body)

    cluster.answer, cluster.refuse = note, lose  # type: ignore[method-assign]

    assert "no answer" in _refused(endpoints, manifest="redis-network-partition")
    assert not cluster.chaos.objects
    assert [method for method, _, _ in cluster.calls].count("DELETE") == 1


def test_pods_that_went_before_the_injection_are_told(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Chaos Mesh selects nothing and tries no more; its warning is the reason, and the object is gone."""
    backend = injection.load(
        fault("chaos_mesh", manifest="redis-network-partition"), endpoints, RunClock(), "here"
    )
    assert backend.available() == ""
    for pod in cluster.matching("default", {"app": "redis"}):
        pod["status"]["phase"] = "Pending"
    with pytest.raises(InjectionError, match=r"selects no pod; Chaos Mesh says: Failed to select targets"):
        backend.inject(lambda undo: None)
    assert not cluster.chaos.objects


def test_for_a_moment_every_experiment_selects_nothing(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conditions are written before the targets are looked up: Selected=False counts with its warning, or
    when it lasts."""
    seen: list[str] = []
    keep = experiment_watch.state

    def note(*place: Any) -> Any:
        found = keep(*place)
        seen.append(f"{found.selected} {len(found.records)}" if found else "gone")
        return found

    monkeypatch.setattr(experiment_watch, "state", note)
    assert Broken(endpoints, fault("chaos_mesh", manifest="redis-network-partition")).effect.seen
    assert seen[0] == "False 0"

    cluster.chaos.objects.clear()
    cluster.chaos.looks = False
    monkeypatch.setattr(experiment_watch, "NOTHING_AFTER_S", 0.1)
    assert _refused(endpoints, manifest="redis-network-partition").endswith(" selects no pod")


def test_conditions_alone_are_never_believed(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two targets is spared: not injected, with what each record says; and it is deleted."""
    _impatient(monkeypatch)
    cluster.chaos.spares = 1

    said = _refused(endpoints, manifest="redis-network-partition")

    assert "is not on everywhere after 0.2 s: default/redis-master-0: Not Injected; " in said
    assert said.endswith("default/redis-replica-0: Injected")
    assert not cluster.chaos.objects


def test_a_daemon_that_cannot_is_told(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last event of each record says why."""
    _impatient(monkeypatch)
    cluster.chaos.apply_error = "cannot find daemonIP on node"

    said = _refused(endpoints, manifest="buffer-expiration")

    assert "default/redis-master-0: Not Injected, Apply failed: cannot find daemonIP on node" in said


def test_a_controller_that_does_nothing_is_told(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No finalizer, no record, no event: there is no target yet, and the object is deleted."""
    _impatient(monkeypatch)
    cluster.chaos.alive = False

    assert "no target yet" in _refused(endpoints, manifest="buffer-expiration")
    assert not cluster.chaos.objects


def test_an_api_server_that_is_busy_is_asked_again(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """500s while waiting are passed over, at the begin and at the end."""
    answers = iter([500, 0, 500])

    def trouble(method: str, path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        is_reading = method == "GET" and "networkchaos/" in path
        code = next(answers, None) if is_reading else None
        return None if code is None else (code, fake_cluster.status(500, "InternalError", "etcd is busy"))

    cluster.refuse = trouble
    broken = Broken(endpoints, fault("chaos_mesh", manifest="redis-network-partition"))

    assert broken.effect.seen
    assert broken.heal().seen


def test_an_object_that_somebody_deletes_meanwhile_is_no_injection(
    cluster: FakeCluster, endpoints: Endpoints
) -> None:
    """Gone while waiting: 404 is not asked again."""
    cluster.chaos.slow = 10_000

    def meddle(method: str, path: str, query: dict[str, str]) -> None:
        if method == "GET" and "networkchaos/" in path:
            cluster.chaos.objects.clear()

    cluster.refuse = meddle

    assert _refused(endpoints, manifest="redis-network-partition").endswith("was deleted by somebody else")


@pytest.mark.parametrize(
    "manifest", ["redis-master-failure", "gateway-container-restart", "gateway-pod-restart"]
)
def test_a_pod_that_shows_nothing_is_not_bitten(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch, manifest: str
) -> None:
    """Records say injected, the pod is as well as ever: not seen, and what it looked like is told."""
    _impatient(monkeypatch)
    cluster.chaos.without_effect = True

    broken = Broken(endpoints, fault("chaos_mesh", manifest=manifest))

    assert not broken.effect.seen
    assert "pod " in broken.effect.evidence[-1]
    broken.heal()


def test_a_fault_that_was_over_early_says_so(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Its targets recovered by themselves: that is its end, by the controller's stamps, not its deletion."""
    cluster.chaos.over_after = 1
    broken = Broken(endpoints, fault("chaos_mesh", manifest="redis-network-partition"))
    for _ in range(4):
        cluster.chaos.answer("GET", "default", "networkchaos", broken.undo["name"], {}, None)

    healed = broken.heal()

    assert healed.evidence[0].startswith("for 2 of 2 targets it was over before its time: default/redis-")
    assert healed.at.latest_s <= broken.effect.at.latest_s + 3.0
    assert not cluster.chaos.objects


def test_a_finalizer_that_stays_is_reported_and_never_removed(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds it, what its records say and what to do; and a later sweep finds it healed."""
    broken = Broken(endpoints, fault("chaos_mesh", manifest="buffer-expiration"))
    monkeypatch.setattr(experiment_watch, "GONE_WITHIN_S", 0.2)
    cluster.chaos.recover_error = "TaskID not found"

    for _ in range(2):
        with pytest.raises(InjectionError) as caught:
            broken.heal()
        assert "is still there 0.2 s after its deletion, held by chaos-mesh/records" in str(caught.value)
        assert "default/redis-master-0: Injected, Recover failed: TaskID not found" in str(caught.value)
        assert "its fault may still be on" in str(caught.value)
    (stuck,) = cluster.chaos.objects.values()
    assert stuck["metadata"]["finalizers"] == ["chaos-mesh/records"]

    cluster.chaos.recover_error = ""
    backend = injection.revive("chaos_mesh", "broken", broken.undo, Endpoints(), RunClock(), "here")
    assert "deleted, gone in" in backend.sweep(broken.undo)
    assert "is gone already" in backend.sweep(broken.undo)
    assert not cluster.chaos.objects


def test_what_somebody_else_made_is_left_alone(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """An object of that name without our label is not ours to delete."""
    broken = Broken(endpoints, fault("chaos_mesh", manifest="buffer-expiration"))
    (made,) = cluster.chaos.objects.values()
    made["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "somebody"

    with pytest.raises(InjectionError, match="was made by somebody else"):
        broken.heal()
    assert cluster.chaos.objects


def test_a_duration_ends_it_when_nobody_comes(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """The lease is Chaos Mesh's own: with the run gone, the targets recover and the object stays."""
    broken = Broken(endpoints, fault("chaos_mesh", manifest="redis-master-failure"))
    (made,) = cluster.chaos.objects.values()
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.chaos.answer("GET", "default", "podchaos", broken.undo["name"], {}, None)

    assert made["status"]["experiment"]["containerRecords"][0]["phase"] == "Not Injected"
    backend = injection.revive("chaos_mesh", "broken", broken.undo, Endpoints(), RunClock(), "here")
    assert backend.sweep(broken.undo).startswith("for 1 of 1 targets it was over before its time")
    assert not cluster.chaos.objects


def test_the_next_start_sweeps_what_a_killed_run_left(
    cluster: FakeCluster, endpoints: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the journal alone, written before the creation; it refuses to run over one that stays."""
    folder = tmp_path / "runs" / "killed"
    folder.mkdir(parents=True)
    kept = journal.Journal(folder)
    backend = injection.load(
        fault("chaos_mesh", manifest="redis-master-failure"), endpoints, RunClock(), "here"
    )
    made: list[int] = []

    def write(undo: Any) -> None:
        made.append(len(cluster.chaos.objects))
        kept.injecting("down", "chaos_mesh", undo)

    backend.inject(write)
    kept.close()
    assert made == [0]
    monkeypatch.setattr(experiment_watch, "GONE_WITHIN_S", 0.2)
    cluster.chaos.recover_error = "TaskID not found"
    with pytest.raises(SetupError, match=r"fault down is still on .*TaskID not found"):
        preflight.sweep(tmp_path / "runs", Endpoints(), RunClock())
    cluster.chaos.recover_error = ""
    (told,) = preflight.sweep(tmp_path / "runs", Endpoints(), RunClock())
    assert told.startswith("swept down of killed: ")
    assert not cluster.chaos.objects
    assert preflight.sweep(tmp_path / "runs", Endpoints(), RunClock()) == []


def _asked(made: dict[str, Any]) -> dict[str, Any]:
    """What was sent of an object: without what the server added."""
    metadata = {k: v for k, v in made["metadata"].items() if k in ("name", "namespace", "labels")}
    return {**{k: made[k] for k in ("apiVersion", "kind", "spec")}, "metadata": metadata}
