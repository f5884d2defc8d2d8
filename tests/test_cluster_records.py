"""What a cluster tells of itself during a run: deleted requests, pods over their lives, logs and events."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import patched_process
import pytest
from fake_cluster import FakeCluster
from fake_cluster import kubeconfig as fake_kubeconfig
from fake_cluster import serving as serving_cluster
from kubernetes_api_server import REQUESTS, RunningServer, remediation_request, running_server
from small_server import Request, serving

from chaos_hooks.cluster_probe import Components
from chaos_hooks.request_watch import RequestWatch
from chaos_hooks.truth import Truth, TruthError
from shapes.alerts import ID_ANNOTATION, Naming
from shapes.target import Endpoints, ResourceRules

OURS = Naming("0123abcd")


def create(server: RunningServer, namespace: str, number: int) -> None:
    """Create what a Gateway makes of an alert."""
    spec = {"signalAnnotations": {ID_ANNOTATION: OURS.alert_id(number)}, "signalLabels": {"pod": "x"}}
    status, answer = server.call(
        "POST", REQUESTS.format(namespace), remediation_request(f"rr-{number}", spec=spec)
    )
    assert status == 201, answer


def watched(folder: str) -> list[Any]:
    """Create three, delete one in mid-run, and read the rest as a run does at its end."""
    import gevent

    with running_server(Path(folder)) as server:
        namespace = server.new_namespace()
        create(server, namespace, 0)
        endpoints = Endpoints(kubeconfig=str(server.kubeconfig), namespace=namespace)
        truth = Truth(endpoints, ResourceRules())
        watch = RequestWatch(truth, OURS)
        watch.start()
        create(server, namespace, 1)
        create(server, namespace, 2)
        server.call("POST", REQUESTS.format(namespace), remediation_request("by-hand"))

        def wait(condition: Callable[[], bool]) -> None:
            with gevent.Timeout(30):
                while not condition():
                    gevent.sleep(0.02)

        wait(lambda: len(watch._seen) == 3)
        for name in ("rr-1", "by-hand"):
            server.call("DELETE", f"{REQUESTS.format(namespace)}/{name}")
        wait(lambda: bool(watch._deleted))
        found, gone = watch.with_deleted(truth.read(OURS))
        watch.stop()
        return [[r.creator for r in found], gone, watch.gaps]


def test_a_request_that_a_controller_deletes_in_mid_run_was_there(tmp_path: Path) -> None:
    """Those of others are not ours, whether they are there or not."""
    assert patched_process.call("test_cluster_records", "watched", str(tmp_path)) == [[0, 1, 2], ["rr-1"], 0]


def outdated(folder: str) -> list[Any]:
    """Watch an API whose versions are too old at once; one request goes between two lists."""
    import gevent

    lists = [[0, 1], [0], [0]]

    def item(number: int) -> dict[str, Any]:
        spec = {"signalAnnotations": {ID_ANNOTATION: OURS.alert_id(number)}}
        return {"metadata": {"name": f"rr-{number}", "uid": f"u{number}"}, "spec": spec}

    def answer(request: Request) -> None:
        if "watch=true" in request.path:
            return request.reply(410, json.dumps({"code": 410}), Content_Type="application/json")
        now = lists.pop(0) if len(lists) > 1 else lists[0]
        body = {"metadata": {"resourceVersion": "7"}, "items": [item(number) for number in now]}
        return request.reply(200, json.dumps(body), Content_Type="application/json")

    with serving(answer) as url:
        truth = Truth(
            Endpoints(kubeconfig=fake_kubeconfig(Path(folder), url), context="kind-test", namespace="n"),
            ResourceRules(),
        )
        watch = RequestWatch(truth, OURS)
        watch.start()
        with gevent.Timeout(30):
            while watch.gaps < 2:
                gevent.sleep(0.02)
        watch.stop()
        found, gone = watch.with_deleted(truth.read(OURS))
        return [[r.creator for r in found], gone, watch.error.startswith("410")]


def test_a_watch_that_is_too_old_begins_anew_and_counts_the_gap(tmp_path: Path) -> None:
    """What was listed once and is not any more was deleted meanwhile."""
    assert patched_process.call("test_cluster_records", "outdated", str(tmp_path)) == [[0, 1], ["rr-1"], True]


class Pages:
    """An API with so many requests, in pages as asked for; some lists grow too old between two pages."""

    def __init__(self, count: int, too_old: int = 0) -> None:
        self.count, self.too_old = count, too_old
        self.sizes: list[int] = []
        self.watched: list[str] = []

    def __call__(self, request: Request) -> None:
        asked = dict(part.split("=") for part in request.path.partition("?")[2].split("&"))
        if "watch" in asked:
            self.watched.append(asked["resourceVersion"])
            gone = {
                "type": "ERROR",
                "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"},
            }
            return request.reply(200, json.dumps(gone) + "\n", Content_Type="application/json")
        begin = int(asked.get("continue") or 0)
        if begin and self.too_old and begin >= self.count // 2:
            self.too_old -= 1
            self.count -= 1  # Meanwhile one of them went.
            return request.reply(410, json.dumps({"code": 410}), Content_Type="application/json")
        end = min(begin + int(asked["limit"]), self.count)
        items = [
            {
                "metadata": {"name": f"rr-{n:06d}", "uid": f"u{n}"},
                "spec": {"signalAnnotations": {ID_ANNOTATION: OURS.alert_id(n)}},
            }
            for n in range(begin, end)
        ]
        self.sizes.append(len(items))
        # Of a list that goes on, later pages are of the version of the first, whatever was written since.
        metadata = {"resourceVersion": "7", **({"continue": str(end)} if end < self.count else {})}
        return request.reply(
            200, json.dumps({"metadata": metadata, "items": items}), Content_Type="application/json"
        )


def truth_of(folder: Path, url: str) -> Truth:
    """Return what reads them."""
    endpoints = Endpoints(kubeconfig=fake_kubeconfig(folder, url), context="kind-test", namespace="n")
    return Truth(endpoints, ResourceRules())


def test_many_requests_are_read_page_by_page(tmp_path: Path) -> None:
    """None twice, none left out; the benchmarks do it with a hundred thousand, of the sandbox's API."""
    pages = Pages(10_000)
    with serving(pages) as url:
        found = truth_of(tmp_path, url).read(OURS)

    assert [r.creator for r in found] == list(range(10_000))
    assert pages.sizes == [500] * 20


def test_a_list_that_grows_too_old_between_two_pages_is_begun_anew(tmp_path: Path) -> None:
    """What was read of it is of another version, and forgotten."""
    pages = Pages(2_000, too_old=2)
    with serving(pages) as url:
        found = truth_of(tmp_path, url).read(OURS)

    assert [r.creator for r in found] == list(range(1_998))
    assert len(pages.sizes) == 2 + 2 + 4


def test_a_list_that_grows_too_old_again_and_again_is_no_truth(tmp_path: Path) -> None:
    """It is told, and nothing is made up of its parts."""
    with (
        serving(Pages(2_000, too_old=99)) as url,
        pytest.raises(TruthError, match=r"grew too old between two pages 3 times \(410\)"),
    ):
        truth_of(tmp_path, url).read(OURS)


def paged(folder: str) -> list[Any]:
    """Watch after a list of several pages; each watch is too old, as an event of a good answer says."""
    import gevent

    pages = Pages(1_200, too_old=1)
    with serving(pages) as url:
        watch = RequestWatch(truth_of(Path(folder), url), OURS)
        watch.start()
        with gevent.Timeout(30):
            while watch.gaps < 2:
                gevent.sleep(0.02)
        watch.stop()
    return [watch.seen, pages.watched[:2]]


def test_a_watch_follows_from_the_version_of_the_first_page(tmp_path: Path) -> None:
    """However many pages came after it."""
    assert patched_process.call("test_cluster_records", "paged", str(tmp_path)) == [1_199, ["7", "7"]]


def test_pods_are_counted_over_all_their_lives(tmp_path: Path) -> None:
    """A pod that went is an exit, its heir a start, a container's restart both; not ready is not running."""
    cluster = FakeCluster()
    cluster.run_example()
    cluster.ready_after_reads = 0
    with serving_cluster(cluster):
        kubeconfig = fake_kubeconfig(tmp_path, cluster.url)
        endpoints = Endpoints(
            kubeconfig=kubeconfig,
            context="kind-test",
            pods_namespace="default",
            pods={"gateway": "app=gateway"},
        )
        ask = Components(endpoints)
        first = ask()
        (pod,) = cluster.matching("default", {"app": "gateway"})
        pod["status"]["containerStatuses"][0]["restartCount"] = 2
        restarted = ask()
        cluster.end_pod(pod)
        replaced = ask()
        cluster.pods.clear()
        gone = ask()

    def counts(values: Any) -> list[float]:
        return [values[f"{key}:gateway"] for key in ("running", "starts", "exits", "killed")]

    assert counts(first) == [1.0, 1.0, 0.0, 0.0]
    assert counts(restarted) == [1.0, 3.0, 2.0, 0.0]
    assert counts(replaced)[1:] == [4.0, 3.0, 0.0]
    assert counts(gone) == [0.0, 4.0, 4.0, 0.0]
    assert first["pod_ready:gateway-0"] == 1.0


def test_an_api_that_refuses_is_no_answer(tmp_path: Path) -> None:
    """So that the probe's observation is a bad one, and nothing is made up."""
    cluster = FakeCluster()
    cluster.refuse = lambda *_: (403, {"message": "pods is forbidden", "code": 403})
    with serving_cluster(cluster):
        endpoints = Endpoints(
            kubeconfig=fake_kubeconfig(tmp_path, cluster.url),
            context="kind-test",
            pods_namespace="default",
            pods={"gateway": "app=gateway"},
        )
        with pytest.raises(OSError, match="forbidden"):
            Components(endpoints)()


def recorded(folder: str) -> list[Any]:
    """Follow a pod that restarts and one that comes later; return the log, the events and the questions."""
    import gevent

    from chaos_hooks.pod_records import PodRecords

    later = threading.Event()
    asked: list[str] = []

    def pod(name: str, restarts: int) -> dict[str, Any]:
        status = {"name": "main", "restartCount": restarts, "ready": True, "image": "i", "imageID": "i"}
        state = {"state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}}
        metadata = {"name": name, "uid": f"uid-{name}"}
        return {"metadata": metadata, "status": {"containerStatuses": [status | state]}}

    def answer(request: Request) -> None:
        path = request.path
        asked.append(path)
        if "/log?" in path:
            path.split("/")[6]
            since = "since" if "sinceSeconds" in path else "all"
            # As of a live stream: the answer has no length, comes in parts, and ends with the connection.
            request.send_response(200)
            request.send_header("Connection", "close")
            request.end_headers()
            for part in (f"2026-03-01T12:00:0{len(asked) % 9}Z {since} li", "ne\n"):
                request.wfile.write(part.encode())
                request.wfile.flush()
            request.close_connection = True
            later.wait(20)
            return None
        if path.split("?")[0].endswith("/events"):
            involved = {"kind": "Pod", "name": "gateway-0"}
            event = {"metadata": {"name": "e"}, "type": "Warning", "reason": "BackOff", "message": "again"}
            times = {"lastTimestamp": "2026-03-01T12:00:05Z", "involvedObject": involved, "count": 3}
            body: dict[str, Any] = {"metadata": {}, "items": [event | times]}
        else:
            body = {
                "metadata": {},
                "items": [pod("gateway-0", 0), *([pod("gateway-1", 0)] if len(asked) > 3 else [])],
            }
        return request.reply(200, json.dumps(body), Content_Type="application/json")

    path = Path(folder)
    (path / "logs").mkdir()
    with serving(answer) as url:
        endpoints = Endpoints(
            kubeconfig=fake_kubeconfig(path, url),
            context="kind-test",
            pods_namespace="default",
            pods={"gateway": "app=gateway"},
        )
        records = PodRecords(endpoints, path)
        records.start()
        log = path / "logs" / "gateway.log"
        with gevent.Timeout(30):
            while "gateway-1: all line" not in log.read_text():
                gevent.sleep(0.05)
        later.set()
        records.stop()
    return [sorted(log.read_text().splitlines()), json.loads((path / "events.json").read_text())]


def test_logs_are_streamed_and_events_kept(tmp_path: Path) -> None:
    """A pod that was there from the run's begin on, one that came later from its own; both in one file."""
    lines, told = patched_process.call("test_cluster_records", "recorded", str(tmp_path))

    assert any(line.endswith("gateway-0: since line") for line in lines)
    assert any(line.endswith("gateway-1: all line") for line in lines)
    assert all(line.startswith("2026-03-01T12:00:0") for line in lines)
    assert told["events"] == [
        {
            "at": "2026-03-01T12:00:05+00:00",
            "type": "Warning",
            "reason": "BackOff",
            "object": "Pod/gateway-0",
            "count": 3,
            "message": "again",
        }
    ]
