"""Several replicas of a Gateway: each is judged by its pod's UID; together they are counted once."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import histories
import patched_process
import pytest
from fake_cluster import FakeCluster, kubeconfig, status
from fake_cluster import serving as serving_cluster
from plan_histories import looks, steps
from small_server import Request, serving

from chaos_hooks import replica_probes
from chaos_hooks.errors import SetupError
from chaos_hooks.metric_page import read_metrics
from chaos_hooks.pod_metrics import PodError, PodMetrics, UnaskedError
from reports import counters, replica_sums, replicas
from reports.finding import Status
from reports.history import Asked, History, Observation
from reports.replicas import Replica
from reports.signals import CLOSED, METRICS, OPEN
from reports.verdict import judge
from shapes.endpoints import Replicas
from shapes.target import Endpoints, Metric

RECEIVED = steps((0.0, 1.0), (1.0, 5.0), (3.0, 10.0), (6.0, 20.0))
OPENS = steps((0.0, CLOSED), (2.4, OPEN), (5.6, CLOSED))
NEVER = steps((0.0, CLOSED))


def presence(there: Mapping[str, tuple[float, float]], **more: Any) -> tuple[Observation, ...]:
    """Return a look a second; each replica is ready from a time until another."""
    return looks(
        "replicas",
        lambda at_s: {key: 1.0 for key, (from_s, to_s) in there.items() if from_s <= at_s < to_s},
        every_s=1.0,
        **more,
    )


def of(
    key: str,
    breaker: Callable[[float], float],
    received: Callable[[float], float] | None = RECEIVED,
    life: tuple[float, float] = (-1.0, 11.0),
    **more: Any,
) -> tuple[Observation, ...]:
    """Return what a replica shows while it lives."""

    def values(at_s: float) -> dict[str, float]:
        counted = {"received": received(at_s)} if received else {}
        return {"breaker.redis": breaker(at_s), **counted}

    return tuple(o for o in looks(f"replica:{key}", values, **more) if life[0] <= o.asked_s < life[1])


def told(*observations: Iterable[Observation], **promise: Any) -> History:
    """Return the plain run, with these observations and one promise, as it is read from its folder."""
    known = tuple(o for each in observations for o in each)
    criterion = promise.pop("criterion", "breaker_opens")
    options = promise or ({"within_s": 5.0} if criterion == "breaker_opens" else {})
    return histories.history(
        10,
        run=histories.run(planned=10, promises=(Asked(criterion, options),)),
        observations=(*known, *replica_sums.together(known)),
    )


def answer(history: History, criterion: str = "breaker_opens") -> tuple[Status, str, tuple[str, ...]]:
    """Return a criterion's status, what it got, and what it tells of each replica."""
    (finding,) = (f for f in judge(history).findings if f.criterion == criterion)
    assert finding.status is not Status.UNKNOWN or finding.mend
    return finding.status, finding.got, finding.examples


BOTH = {"a:1": (0.0, 11.0), "b:2": (0.0, 11.0)}


def test_one_replica_whose_breaker_never_opens_is_convicted_by_name() -> None:
    """The other one's breaker opened in time, and the largest state that was seen was open."""
    got = answer(told(presence(BOTH), of("a:1", OPENS), of("b:2", NEVER)))

    assert got == (
        Status.FAIL,
        "b: still not open after 7.8 s",
        ("a: PASS: in [0.15 s, 0.41 s]", "b: FAIL: still not open after 7.8 s"),
    )


def test_all_replicas_pass_together() -> None:
    """Each is told, with the number of samples of both."""
    (finding, *_) = (
        f
        for f in judge(told(presence(BOTH), of("a:1", OPENS), of("b:2", OPENS))).findings
        if f.criterion == "breaker_opens"
    )

    assert finding.status is Status.PASS
    assert finding.wanted == "breaker of redis open within 5 s, of each of 2 replicas"
    assert finding.got == "a: in [0.15 s, 0.41 s]; b: in [0.15 s, 0.41 s]"
    assert finding.samples == 100


def test_a_replica_without_data_is_unknown() -> None:
    """Whatever the others showed: it was there all along, and nobody knows of it."""
    status, got, _ = answer(told(presence(BOTH), of("a:1", OPENS), of("b:2", OPENS, down=(0.0, 11.0))))

    assert (status, got) == (Status.UNKNOWN, "b: its state was in no sample")


@pytest.mark.parametrize(
    ("received", "sentence"),
    [
        (None, "b: never seen open, but nothing shows that it got alerts"),
        (steps((0.0, 3.0)), "b: never seen open, but no alert was there to fail"),
    ],
)
def test_a_replica_that_got_no_alert_is_not_convicted(received: Any, sentence: str) -> None:
    """The alerts of the run may all have gone to the other one."""
    status, got, _ = answer(told(presence(BOTH), of("a:1", OPENS), of("b:2", NEVER, received)))

    assert (status, got) == (Status.UNKNOWN, sentence)


def test_a_replica_that_came_after_the_fault_decides_nothing() -> None:
    """It has a name that was another one's before: the UID tells them apart. Both are told."""
    there = {"a:1": (0.0, 11.0), "b:2": (0.0, 2.5), "b:3": (4.5, 11.0)}
    status, got, each = answer(
        told(
            presence(there),
            of("a:1", OPENS),
            of("b:2", NEVER, life=(-1.0, 2.3)),
            of("b:3", OPENS, life=(4.6, 11.0)),
        )
    )

    assert (status, got) == (Status.PASS, "a: in [0.15 s, 0.41 s]")
    assert each[1].startswith("b (until 2.0 s, uid 2): UNKNOWN: never seen open, but looked at for only")
    assert each[2].startswith("b (from 5.0 s on, uid 3): UNKNOWN: the breaker was not seen closed")


def test_a_replica_that_came_is_judged_for_as_long_as_it_is_there() -> None:
    """No scrape is missed before it came or after it went; one that hangs while it is there is convicted."""
    there = {"a:1": (0.0, 11.0), "b:2": (0.0, 2.5), "b:3": (4.5, 11.0)}
    lives = [of("a:1", NEVER), of("b:2", NEVER, life=(-1.0, 2.3)), of("b:3", NEVER, life=(4.6, 11.0))]
    hangs = [*lives[:2], of("b:3", NEVER, life=(4.6, 11.0), down=(6.0, 9.0))]

    assert answer(told(presence(there), *lives, criterion="metrics_continuous"), "metrics_continuous")[0] is (
        Status.PASS
    )
    status, got, _ = answer(
        told(presence(there), *hangs, criterion="metrics_continuous"), "metrics_continuous"
    )
    assert status is Status.FAIL
    assert got.startswith("b (from 5.0 s on, uid 3): longest 3.20 s, from 5.8 s on;")


def test_when_no_replica_was_ever_seen_nothing_passes() -> None:
    """The probe that looks for them never got an answer."""
    status, got, _ = answer(told(presence({}, down=(0.0, 11.0)), of("a:1", OPENS)))

    assert (status, got) == (Status.UNKNOWN, "no replica was there for long enough")


def test_what_the_api_server_did_not_answer_says_nothing_of_a_replica() -> None:
    """Through its proxy it was asked; asked by its own address it is to blame."""
    there = {"a:1": (0.0, 11.0), "proxied": (0.0, 11.0)}
    mute = of("a:1", NEVER, down=(4.0, 8.0))
    asked = {"criterion": "metrics_continuous"}
    proxied = told(presence(there, down=(4.0, 8.0)), mute, **asked)
    direct = told(presence({"a:1": (0.0, 11.0)}, down=(4.0, 8.0)), mute, **asked)

    assert answer(proxied, "metrics_continuous")[0] is Status.UNKNOWN
    assert answer(direct, "metrics_continuous")[0] is Status.FAIL


def test_what_all_did_together_is_counted_once() -> None:
    """Counters are added over restarts, pods that go and pods that come; of states the worst is told."""
    there = {"a:1": (0.0, 11.0), "b:2": (0.0, 4.5), "b:3": (4.5, 11.0)}
    grows = steps((0.0, 100.0), (2.0, 110.0))
    restarts = steps((0.0, 50.0), (1.0, 55.0), (3.0, 2.0))  # 5, then 2 of a new process.
    comes = steps((0.0, 0.0), (7.0, 9.0))
    known = (
        *presence(there),
        *of("a:1", OPENS, grows),
        *of("b:2", NEVER, restarts, life=(-1.0, 3.9)),
        *of("b:3", NEVER, comes, life=(5.1, 11.0)),
    )
    samples = replica_sums.together(known)
    growth = counters.grown(samples, "received")

    assert growth is not None
    assert growth.total == 10 + 5 + 2 + 9
    assert len({o.values["process_start"] for o in samples if o.ok}) == 3  # It restarted, and it went.
    assert max(o.values["breaker.redis"] for o in samples if o.ok) == OPEN
    assert all(o.probe == METRICS for o in samples)


def test_the_sum_is_unknown_while_one_does_not_answer() -> None:
    """And nothing that was counted meanwhile is left out."""
    known = (*presence(BOTH), *of("a:1", NEVER), *of("b:2", NEVER, down=(2.0, 5.0)))
    samples = replica_sums.together(known)

    assert {o.ok for o in samples if 2.1 < o.answered_s < 5.0} == {False}
    growth = counters.grown(samples, "received")
    assert growth is not None
    assert growth.total == 2 * 19


def test_lives_are_told_by_the_looks() -> None:
    """From the first look on it was always there; one that never was ready was none."""
    known = presence({"a:1": (0.0, 11.0), "b:2": (0.0, 4.5), "c:3": (6.0, 11.0)})
    unready = [dataclasses.replace(o, values={**o.values, "d:4": 0.0}) for o in known[3:]]

    assert replicas.of([*known[:3], *unready]) == [
        Replica("a", "1", -math.inf, math.inf),
        Replica("b", "2", -math.inf, 4.0),
        Replica("c", "3", 6.01, math.inf),
    ]


def ends(cluster: FakeCluster, folder: Path, by: str = "api-proxy", port: int = 8080) -> Endpoints:
    """Return endpoints that lead to a cluster's pods."""
    return Endpoints(
        kubeconfig=kubeconfig(folder, cluster.url),
        context="kind-test",
        pods_namespace="default",
        replicas=Replicas(by, port),
    )


def page(request: Request) -> None:
    """Answer as a Gateway's /metrics."""
    request.reply(200, "gateway_alerts_received_total 7\n") if request.path == "/metrics" else request.reply(
        404, ""
    )


def test_a_pod_is_asked_through_the_api_server(tmp_path: Path) -> None:
    """Its own answer comes back; what the API server itself refuses is no word on the pod."""
    cluster = FakeCluster()
    cluster.run_example()
    with serving_cluster(cluster), serving(page) as url:
        cluster.listening["gateway-0:8080"] = url
        pages = PodMetrics(ends(cluster, tmp_path))
        (pod,) = pages.pods()
        assert pages.text(pod) == "gateway_alerts_received_total 7\n"
        assert cluster.calls[-1][1] == "/api/v1/namespaces/default/pods/gateway-0:8080/proxy/metrics"
        cluster.refuse = lambda _, path, __: (
            (403, status(403, "Forbidden", "no")) if "/proxy/" in path else None
        )
        with pytest.raises(UnaskedError, match="403"):
            pages.text(pod)
        cluster.refuse = lambda *_: None
        cluster.listening.clear()
        with pytest.raises(PodError, match="503: error trying to reach service"):
            pages.text(pod)


def test_a_pod_is_asked_at_its_own_address(tmp_path: Path) -> None:
    """From within the cluster."""
    cluster = FakeCluster()
    cluster.run_example()
    with serving_cluster(cluster), serving(page) as url:
        (gateway,) = cluster.matching("default", {"app": "gateway"})
        gateway["status"]["podIP"] = "127.0.0.1"
        pages = PodMetrics(ends(cluster, tmp_path, "pod-ip", int(url.rpartition(":")[2])))
        (pod,) = pages.pods()
        assert pages.text(pod) == "gateway_alerts_received_total 7\n"
        with pytest.raises(PodError, match="ConnectionError"):
            pages.text(dataclasses.replace(pod, ip="127.0.0.2"))


def test_before_a_run_every_replica_must_show_its_metrics(tmp_path: Path) -> None:
    """Or it is refused, with the verb that lacks; a Gateway of no pods too."""
    cluster = FakeCluster()
    cluster.run_example()
    with serving_cluster(cluster), serving(page) as url:
        where = ends(cluster, tmp_path)
        cluster.listening["gateway-0:8080"] = url
        assert replica_probes.told(where) == "1 replicas, each asked by itself (api-proxy): gateway-0"
        cluster.refuse = lambda _, path, __: (
            (403, status(403, "Forbidden", "no")) if "/proxy/" in path else None
        )
        with pytest.raises(SetupError, match=r"gateway-0: may not be asked .* the verb get of pods/proxy"):
            replica_probes.told(where)
        cluster.refuse = lambda *_: None
        cluster.pods.clear()
        with pytest.raises(SetupError, match="0 pods run as gateway, wanted 1 to 50"):
            replica_probes.told(where)


def test_how_all_stand_is_asked_at_once(tmp_path: Path) -> None:
    """The counters added; whatever is wrong is one kind of error, for who waits until it is well."""
    cluster = FakeCluster()
    cluster.run_example()
    metrics = {"received": Metric("gateway_alerts_received_total")}
    with serving_cluster(cluster), serving(page) as url:
        where = ends(cluster, tmp_path)
        (first,) = cluster.matching("default", {"app": "gateway"})
        cluster.add_pod("gateway-1", first["metadata"]["labels"], {"gateway": "i"}, "ReplicaSet/gateway")
        cluster.listening |= {"gateway-0:8080": url, "gateway-1:8080": url}
        asked = replica_probes.Together(where, lambda text: read_metrics(text, metrics))
        assert asked() == {"received": 14.0}
        cluster.listening.popitem()
        with pytest.raises(OSError, match="503"):
            asked()
        with pytest.raises(OSError, match="kubeconfig"):
            replica_probes.Together(dataclasses.replace(where, kubeconfig="/nowhere"), dict)()  # type: ignore[arg-type]


def followed(folder: str) -> list[Any]:
    """Let one pod be replaced while it is followed; return who answered last, and what was seen."""
    import gevent

    from chaos_hooks.clock import RunClock
    from chaos_hooks.line_file import LineFile
    from chaos_hooks.probes import Prober

    cluster = FakeCluster()
    cluster.run_example()
    file = Path(folder) / "observations.jsonl"
    with serving_cluster(cluster), serving(page) as url:
        cluster.listening["gateway-0:8080"] = url
        pages = PodMetrics(ends(cluster, Path(folder)))
        record = LineFile(file)
        prober = Prober(RunClock(), record, print, 0.05)
        metrics = {"received": Metric("gateway_alerts_received_total")}
        who = replica_probes.Followed(
            pages, lambda text: read_metrics(text, metrics), prober.follow, prober.leave
        )
        who()
        (old,) = cluster.matching("default", {"app": "gateway"})

        def wait(name: str) -> None:
            with gevent.Timeout(30):
                while name not in prober.latest:
                    gevent.sleep(0.02)

        wait(f"replica:gateway-0:{old['metadata']['uid']}")
        cluster.end_pod(old)
        (new,) = cluster.matching("default", {"app": "gateway"})
        cluster.listening[f"{new['metadata']['name']}:8080"] = url
        there = who()
        wait(f"replica:{new['metadata']['name']}:{new['metadata']['uid']}")
        prober.stop()
        record.close()
        latest = {name: dict(o.values) for name, o in prober.latest.items()}
        return [
            sorted(latest),
            latest["metrics"],
            dict(there),
            old["metadata"]["uid"],
            new["metadata"]["uid"],
        ]


def test_a_pod_that_is_replaced_is_followed_by_its_uid(tmp_path: Path) -> None:
    """The old one is asked no more, the new one is; both have lines of their own in the run's folder."""
    names, together, there, old, new = patched_process.call("test_replicas", "followed", str(tmp_path))

    assert names == ["metrics", f"replica:gateway-0x:{new}"]
    assert together == {"received": 7.0}
    assert there == {f"gateway-0x:{new}": 0.0, "proxied": 1.0}
    lines = [json.loads(line) for line in (tmp_path / "observations.jsonl").read_text().splitlines()]
    assert {line["probe"] for line in lines} == {f"replica:gateway-0:{old}", f"replica:gateway-0x:{new}"}
