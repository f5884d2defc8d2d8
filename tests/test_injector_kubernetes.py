"""The Kubernetes backend against a stand-in of the API: pods deleted by name and UID, and their heirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_cluster
import pytest
from fake_cluster import FakeCluster
from injecting import Broken, fault, why_not

from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.injectors import kubernetes
from shapes.target import Endpoints


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with fake_cluster.serving(FakeCluster()) as running:
        running.run_example()
        yield running


@pytest.fixture
def endpoints(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    monkeypatch.setattr(kubernetes, "_POLL_S", 0.005)
    config = fake_cluster.kubeconfig(tmp_path, cluster.url)
    return Endpoints(kubeconfig=config, context="kind-test", pods_namespace="default")


def _uids(cluster: FakeCluster, app: str) -> dict[str, str]:
    return {p["metadata"]["name"]: p["metadata"]["uid"] for p in cluster.matching("default", {"app": app})}


def test_a_killed_pod_is_another_one_with_another_uid(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """At once, by its UID; it ends when the next one is ready, and both UIDs are told."""
    (old,) = _uids(cluster, "gateway").values()
    broken = Broken(endpoints, fault("kubernetes", component="gateway"))
    ((name, new),) = _uids(cluster, "gateway").items()
    ended = broken.effect.ended

    assert new != old
    assert broken.effect.seen
    assert ended is not None
    assert broken.effect.evidence == (
        f"pod gateway-0 with UID {old} is gone in {broken.effect.at}",
        f"{name} with UID {new} ready in {ended}, {ended.since(broken.effect.at)} after it",
    )
    assert broken.effect.at.earliest_s <= broken.effect.at.latest_s <= ended.latest_s
    for _ in range(2):
        assert broken.heal().evidence == ("1 pods app=gateway are ready",)
    assert _uids(cluster, "gateway") == {name: new}
    assert {m for m, _, _ in cluster.calls} == {"GET", "DELETE"}


def test_all_pods_are_deleted_with_their_grace(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """They leave for a while first; pods of a StatefulSet come again by the same names."""
    old = _uids(cluster, "redis")
    asked = fault("kubernetes", component="redis", action="delete", grace_s=5.0, count="all")
    broken = Broken(endpoints, asked)
    new = _uids(cluster, "redis")

    assert sorted(new) == sorted(old) == ["redis-master-0", "redis-replica-0"]
    assert not set(new.values()) & set(old.values())
    assert broken.undo["uids"] == old
    assert len(broken.effect.evidence) == 3


def test_the_first_by_name_is_chosen_and_the_others_are_spared(
    cluster: FakeCluster, endpoints: Endpoints
) -> None:
    """Not one drawn by chance: a run can be repeated."""
    old = _uids(cluster, "redis-sentinel")
    Broken(endpoints, fault("kubernetes", selector="app=redis-sentinel", count=2))
    new = _uids(cluster, "redis-sentinel")

    assert new["redis-sentinel-2"] == old["redis-sentinel-2"]
    assert "redis-sentinel-0" not in new
    assert len(new) == 3


def test_one_that_nobody_replaces_in_time_is_told(
    cluster: FakeCluster, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """inject tells that it is late; heal and sweep fail until as many are ready as before."""
    monkeypatch.setattr(kubernetes, "_BACK_WITHIN_S", 0.1)
    monkeypatch.setattr(kubernetes, "_HEALED_WITHIN_S", 0.1)
    cluster.ready_after_reads = 10_000
    broken = Broken(endpoints, fault("kubernetes", component="gateway"))

    assert broken.effect.seen
    assert broken.effect.ended is None
    assert broken.effect.evidence[1] == "0.1 s after it there are not as many ready as before (1)"
    with pytest.raises(InjectionError, match="1 were ready before, and are not again within"):
        broken.heal()
    backend = injection.revive("kubernetes", "broken", broken.undo, Endpoints(), RunClock(), "here")
    with pytest.raises(InjectionError, match="look at their controller's events"):
        backend.sweep(broken.undo)
    cluster.ready_after_reads = 0
    assert backend.sweep(broken.undo) == "1 pods app=gateway are ready"


def test_it_says_why_it_is_not_available(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """No API, no pods, too many, not ready, or without a controller that would replace it."""
    asked = fault("kubernetes", component="gateway")
    assert why_not(Endpoints(), asked).startswith("the target has no kubeconfig;")
    homeless = Endpoints(kubeconfig=endpoints.kubeconfig, context="kind-test")
    assert why_not(homeless, asked).startswith("the target has no pods_namespace;")
    nowhere = Endpoints(kubeconfig=endpoints.kubeconfig, pods_namespace="default")
    assert "no answer" in why_not(nowhere, asked)
    missing = Endpoints(kubeconfig=f"{endpoints.kubeconfig}.not", pods_namespace="default")
    assert why_not(missing, asked).startswith(f"kubeconfig {endpoints.kubeconfig}.not: ")
    assert why_not(endpoints, fault("kubernetes", selector="app=nobody")) == (
        "no pod matches app=nobody in default; mend endpoints.pods"
    )
    assert why_not(endpoints, fault("kubernetes", component="redis", at_most=1)) == (
        "2 pods match app=redis (redis-master-0, redis-replica-0), more than 1"
    )
    cluster.refuse = lambda *_: (403, fake_cluster.status(403, "Forbidden", "pods is forbidden"))
    assert why_not(endpoints, asked) == "list pods of default: 403: pods is forbidden"
    cluster.refuse = lambda *_: None
    assert why_not(endpoints, asked) == ""
    cluster.add_pod("lonely", {"app": "lonely"}, {"x": "y"})
    assert why_not(endpoints, fault("kubernetes", selector="app=lonely")) == (
        "pod lonely has no controller, so nobody would replace it"
    )
    assert why_not(endpoints, fault("kubernetes", component="redis", count=3)) == (
        "2 of redis-master-0, redis-replica-0 are ready, wanted 3"
    )
    assert not [method for method, _, _ in cluster.calls if method != "GET"]


def test_a_pod_that_went_by_itself_is_not_taken_for_ours(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Another of its name stands there already: the precondition on the UID keeps it alive."""

    def meddle(method: str, path: str, query: dict[str, str]) -> None:
        if method == "DELETE":
            (pod,) = cluster.matching("default", {"app": "redis", "role": "master"})
            cluster.end_pod(pod)

    cluster.refuse = meddle
    backend = injection.load(fault("kubernetes", component="redis-primary"), endpoints, RunClock(), "here")
    with pytest.raises(InjectionError, match="went before it was deleted"):
        backend.inject(lambda undo: None)
    assert len(cluster.matching("default", {"app": "redis", "role": "master"})) == 1


def test_an_api_server_that_is_busy_is_asked_again(cluster: FakeCluster, endpoints: Endpoints) -> None:
    """Once the pod is deleted, a 500 while waiting does not make an injection that never was."""
    answers = iter([500, 0, 500])
    deleted: list[bool] = []

    def trouble(method: str, path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        deleted.extend([True] * (method == "DELETE"))
        code = next(answers, None) if deleted and method == "GET" else None
        return None if code is None else (code, fake_cluster.status(500, "InternalError", "etcd is busy"))

    cluster.refuse = trouble
    broken = Broken(endpoints, fault("kubernetes", component="gateway"))

    assert broken.effect.ended is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "takes component or selector, and action, grace, count and at_most, got nothing"),
        ({"component": "gateway", "selector": "app=x"}, "takes component or selector"),
        ({"component": "gatway"}, "component: unknown 'gatway'; there are: gateway, redis, redis-primary"),
        ({"selector": "app in (x)"}, "'app in (x)' is no list of labels; write it like app=redis"),
        ({"selector": "app!=x"}, "'app!=x' is no list of labels"),
        ({"component": "gateway", "action": "evict"}, "action: unknown 'evict'; there are: kill, delete"),
        ({"component": "gateway", "grace_s": 5.0}, "grace: a kill has none"),
        ({"component": "gateway", "count": 0}, "count: 0 is neither 'all' nor a whole number above 0"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], said: str) -> None:
    """Before anything is asked of the cluster."""
    with pytest.raises(SetupError) as caught:
        injection.load(fault("kubernetes", **options), Endpoints(), RunClock(), "here")

    assert f"here: injector kubernetes: {said}" in str(caught.value)
