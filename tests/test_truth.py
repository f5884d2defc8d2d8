"""The truth: a run's RemediationRequests as the Kubernetes API has them, all of them, or an error."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from kubernetes_api_server import REQUESTS, RunningServer, remediation_request, running_server
from small_server import Request, serving

from chaos_hooks import request_list, truth
from chaos_hooks.errors import SetupError
from chaos_hooks.truth import Truth, TruthError, resource_of
from reports.history import Resource
from shapes.alerts import ID_ANNOTATION, Naming
from shapes.target import Endpoints, ResourceRules

OURS, OTHERS = Naming("0123abcd"), Naming("99999999")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One Kubernetes-compatible API for the module."""
    with running_server(tmp_path_factory.mktemp("api")) as running:
        yield running


def reader(server: RunningServer, namespace: str) -> Truth:
    """Return the truth of a namespace."""
    return Truth(Endpoints(kubeconfig=str(server.kubeconfig), namespace=namespace), ResourceRules())


def create(server: RunningServer, namespace: str, number: int, naming: Naming = OURS) -> None:
    """Create what the Gateway makes of an alert."""
    spec = {
        "signalName": "PodCrashed",
        "signalAnnotations": {ID_ANNOTATION: naming.alert_id(number)},
        "signalLabels": {"pod": naming.pod(number)},
        "deduplication": {"occurrenceCount": number + 1},
    }
    body = remediation_request(f"rr-{naming.token}-{number}", spec=spec)
    status, answer = server.call("POST", REQUESTS.format(namespace), body)
    assert status == 201, answer


def test_all_of_the_run_are_read_over_several_pages(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None twice, none left out at a page's edge; those of other runs, and of nobody, are not ours."""
    monkeypatch.setattr(request_list, "PAGE", 3)
    namespace = server.new_namespace()
    for number in range(7):
        create(server, namespace, number)
    for number in range(3):
        create(server, namespace, number, OTHERS)
    server.call("POST", REQUESTS.format(namespace), remediation_request("by-hand"))
    create(server, server.new_namespace(), 7)
    found = reader(server, namespace).read(OURS)

    assert [(r.name, r.creator, r.subject, r.aggregated, r.count) for r in found] == [
        (f"rr-0123abcd-{n}", n, n, (), n + 1) for n in range(7)
    ]
    assert len({r.uid for r in found}) == 7


def between_readings(do: Callable[[], None]) -> Any:
    """Return a gevent whose sleep does something else first."""

    def sleep(_: float) -> None:
        do()
        gevent.sleep(0.01)

    return types.SimpleNamespace(sleep=sleep, Timeout=gevent.Timeout)


def test_readings_are_taken_until_two_agree(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Gateway still creates three after the last answer; all are in the truth."""
    namespace, numbers = server.new_namespace(), iter(range(3))
    truth_of = reader(server, namespace)

    def create_next() -> None:
        for number in numbers:
            create(server, namespace, number)
            return

    monkeypatch.setattr(truth, "gevent", between_readings(create_next))
    found, stable = truth_of.read_until_stable(OURS, 60.0)

    assert ([r.creator for r in found], stable) == ([0, 1, 2], True)


def test_what_never_holds_still_is_not_stable(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is created between any two readings: the last one is returned, and so marked."""
    namespace = server.new_namespace()
    made: list[int] = []

    def create_one_more() -> None:
        made.append(len(made))
        create(server, namespace, made[-1])

    monkeypatch.setattr(truth, "gevent", between_readings(create_one_more))
    found, stable = reader(server, namespace).read_until_stable(OURS, 0.5)

    assert not stable
    assert {r.creator for r in found} == set(made[: len(found)])
    assert len(made) >= len(found) > 0


def test_an_api_that_is_gone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing read is not the same as nothing there."""
    monkeypatch.setattr(truth, "_BETWEEN_READINGS_S", 0.05)
    with running_server(tmp_path) as server:
        gone = reader(server, "default")
        assert gone.read_until_stable(OURS, 30.0) == ([], True)
    with pytest.raises(TruthError, match="listing remediationrequests: "):
        gone.read(OURS)
    with pytest.raises(TruthError, match="listing remediationrequests: "):
        gone.read_until_stable(OURS, 0.2)


def test_a_missing_definition_is_an_error(server: RunningServer) -> None:
    """A CRD that is not there, or is called otherwise, is no empty list."""
    rules = ResourceRules(plural="remediations")
    wrong = Truth(Endpoints(kubeconfig=str(server.kubeconfig), namespace="default"), rules)
    with pytest.raises(TruthError, match="listing remediations: 404"):
        wrong.read(OURS)


def at(url: str, folder: Path) -> Truth:
    """Return the truth of an API at a URL."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return Truth(Endpoints(kubeconfig=str(folder / "kubeconfig"), namespace="n"), ResourceRules())


def test_too_many_requests_is_told_at_once(tmp_path: Path) -> None:
    """Asked once, not again after Retry-After: what waits unseen cannot be reported."""
    asked: list[str] = []

    def throttle(request: Request) -> None:
        asked.append(request.path)
        request.reply(429, "slow down", Retry_After="30")

    with serving(throttle) as url, pytest.raises(TruthError, match="429"):
        at(url, tmp_path).read(OURS)

    assert len(asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        *("hello", "[]", "{}", "null", '{"items": null}', '{"items": []}'),
        '{"items": [{"spec": {"signalLabels": {"pod": "chaos-0123abcd-0000001"}}}], "metadata": {}}',
    ],
)
def test_an_answer_that_is_no_list_is_an_error(tmp_path: Path, body: str) -> None:
    """Whatever answers with 200 in the API's place is not believed, and breaks nothing."""
    with (
        serving(lambda request: request.reply(200, body, Content_Type="application/json")) as url,
        pytest.raises(TruthError, match="the answer is no list of resources"),
    ):
        at(url, tmp_path).read(OURS)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client takes it from there; a proxy elsewhere cannot reach this machine's loopback."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert reader(server, server.new_namespace()).read(OURS) == []


@pytest.mark.parametrize(
    "text", ["", "hello", "a: [b", "[]", "\x00", "kind: Config", "clusters: 3\ncurrent-context: x"]
)
def test_a_kubeconfig_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    """Naming the file, whatever the client makes of it."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(SetupError, match=r"^endpoints\.kubeconfig: .*kubeconfig.*; mend it$"):
        Truth(Endpoints(kubeconfig=str(path), namespace="n"), ResourceRules())


@pytest.mark.parametrize("endpoints", [Endpoints(namespace="n"), Endpoints(kubeconfig="k")])
def test_without_an_address_nothing_can_be_read(endpoints: Endpoints) -> None:
    """Both are needed, and named."""
    with pytest.raises(SetupError, match=r"endpoints\.kubeconfig and endpoints\.namespace are needed"):
        Truth(endpoints, ResourceRules())


META = {"name": "rr", "uid": "u"}


@pytest.mark.parametrize(
    ("spec", "resource"),
    [
        ({"signalAnnotations": {ID_ANNOTATION: "0123abcd-0000004"}}, Resource("rr", "u", 4, None, (), 1)),
        (
            {"signalLabels": {"pod": "chaos-0123abcd-0000002"}, "deduplication": {"occurrenceCount": 3}},
            Resource("rr", "u", None, 2, (), 3),
        ),
        (
            {"affectedResources": ["a:Pod:chaos-0123abcd-0000009", "a:Pod:chaos-0123abcd-0000001", "x"]},
            Resource("rr", "u", None, None, (1, 9), 1),
        ),
        ({"signalAnnotations": {ID_ANNOTATION: "99999999-0000004"}}, None),
        ({"signalAnnotations": None, "signalLabels": {"pod": "api-1"}}, None),
        ({}, None),
    ],
)
def test_alerts_are_recognised_where_the_release_keeps_them(
    spec: dict[str, Any], resource: Resource | None
) -> None:
    """By annotation, by pod, by a storm's members; an object that names none of the run is not of it."""
    assert resource_of({"metadata": META, "spec": spec}, OURS, ResourceRules()) == resource
