"""The sandbox's API is held against Kubernetes' own machinery, call by call; what differs is named here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import real_api
import real_tools
from kubernetes_api_server import GROUP, PLURAL, VERSION, RunningServer, remediation_request, running_server

from sandbox.kubernetes_api.definitions import REMEDIATION_REQUESTS

pytestmark = real_tools.needs(*real_api.PROGRAMS)

NAMESPACE = "default"
ALL = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
JSON, MERGE, OPS, STRATEGIC = (
    "application/json",
    *(f"application/{kind}+json" for kind in ("merge-patch", "json-patch", "strategic-merge-patch")),
)


@dataclass
class Memory:
    """What a server's answers said so far: resource versions and uids differ, what they equal does not."""

    server: RunningServer
    names: dict[str, str] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any, kind: str) -> tuple[int, Any]:
        """Ask, with what was remembered filled in; return the status and the comparable body."""
        if callable(body):
            body = body(self.last)
        status, got = self.server.call(method, ALL + path, body, kind)
        if isinstance(got, dict) and isinstance(got.get("metadata"), dict) and "uid" in got["metadata"]:
            self.last = got
        return status, self.comparable(got)

    def comparable(self, value: Any, key: str = "") -> Any:
        """Give each version, uid and time a name by the order in which they come."""
        if isinstance(value, list):
            return [self.comparable(each, key) for each in value]
        if isinstance(value, dict):
            return {
                k: self.comparable(v, k)
                for k, v in sorted(value.items())
                if k not in ("managedFields", "continue")
            }
        if key in ("resourceVersion", "uid") and value:
            return self.names.setdefault(f"{key} {value}", f"{key} {len(self.names)}")
        if isinstance(value, str):
            value = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", value)
            for known, name in self.names.items():
                value = value.replace(known.split()[1], name) if known.startswith("uid ") else value
            value = re.sub(r"gen-[a-z0-9]{5}$", "gen-XXXXX", value)
        return value


def old(name: str) -> dict[str, Any]:
    """Return an object with a version that nothing has any more."""
    return remediation_request(name, metadata={"resourceVersion": "1"})


def changed(**spec: Any) -> Any:
    """Return the last object with another spec, and its resourceVersion as it was."""
    return lambda last: {**last, "spec": spec}


def unversioned(last: dict[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in last["metadata"].items() if k != "resourceVersion"}
    return {**last, "metadata": metadata}


def stale(last: dict[str, Any]) -> dict[str, Any]:
    return {**last, "metadata": {**last["metadata"], "resourceVersion": "1"}}


CALLS: dict[str, tuple[str, str, Any, str]] = {
    "create": ("POST", "", remediation_request("a", metadata={"labels": {"x": "1"}}), JSON),
    "create again": ("POST", "", remediation_request("a"), JSON),
    "get": ("GET", "/a", None, JSON),
    "get what is not there": ("GET", "/b", None, JSON),
    "replace": ("PUT", "/a", changed(n=1), JSON),
    "replace by the same": ("PUT", "/a", dict, JSON),
    "replace by what is stale": ("PUT", "/a", stale, JSON),
    "replace without version": ("PUT", "/a", unversioned, JSON),
    "replace what is not there": (
        "PUT",
        "/b",
        old("b"),
        JSON,
    ),
    "replace under another name": (
        "PUT",
        "/a",
        old("c"),
        JSON,
    ),
    "merge patch": ("PATCH", "/a", {"spec": {"m": 2, "n": None}}, MERGE),
    "merge patch that changes nothing": ("PATCH", "/a", {"spec": {"m": 2}}, MERGE),
    "merge patch of what is not there": ("PATCH", "/b", {"spec": {}}, MERGE),
    "merge patch of a stale version": (
        "PATCH",
        "/a",
        {**old("a"), "spec": {"q": 1}},
        MERGE,
    ),
    "json patch": ("PATCH", "/a", [{"op": "add", "path": "/spec/k", "value": [1]}], OPS),
    "json patch whose test fails": ("PATCH", "/a", [{"op": "test", "path": "/spec/k", "value": 2}], OPS),
    "strategic merge patch": ("PATCH", "/a", {"spec": {}}, STRATEGIC),
    "status": ("PATCH", "/a/status", {"status": {"phase": "Done"}, "spec": {"ignored": 1}}, MERGE),
    "status by the main door": ("PATCH", "/a", {"status": {"phase": "Ignored"}}, MERGE),
    "get the status": ("GET", "/a/status", None, JSON),
    "dry run": ("POST", "?dryRun=All", remediation_request("dry"), JSON),
    "after the dry run": ("GET", "/dry", None, JSON),
    "generate a name": ("POST", "", {**remediation_request(""), "metadata": {"generateName": "gen-"}}, JSON),
    "no name": ("POST", "", {**remediation_request(""), "metadata": {}}, JSON),
    "a name that is none": ("POST", "", remediation_request("Not_A_Name"), JSON),
    "a label that is none": ("POST", "", remediation_request("l", metadata={"labels": {"-": "?"}}), JSON),
    "another kind": ("POST", "", {**remediation_request("k"), "kind": "Other"}, JSON),
    "another version": ("POST", "", {**remediation_request("k"), "apiVersion": f"{GROUP}/v9"}, JSON),
    "another namespace": ("POST", "", remediation_request("k", metadata={"namespace": "elsewhere"}), JSON),
    "not JSON": ("POST", "", "{", JSON),
    "a field that is unknown, strictly": (
        "POST",
        "?fieldValidation=Strict",
        remediation_request("f", metadata={"nonsense": 1}),
        JSON,
    ),
    "delete with another uid": ("DELETE", "/a", {"preconditions": {"uid": "other"}}, JSON),
    "list by label": ("GET", "?labelSelector=x%3D1", None, JSON),
    "list by a label that none has": ("GET", "?labelSelector=x%3D2", None, JSON),
    "list by a selector that is none": ("GET", "?labelSelector=%3D%3D", None, JSON),
    "list by name": ("GET", "?fieldSelector=metadata.name%3Da", None, JSON),
    "list by a field that has no index": ("GET", "?fieldSelector=spec.m%3D2", None, JSON),
    "a finalizer": ("PATCH", "/a", {"metadata": {"finalizers": ["example.io/wait"]}}, MERGE),
    "delete what has a finalizer": ("DELETE", "/a", None, JSON),
    "it still stands": ("GET", "/a", None, JSON),
    "take the finalizer": ("PATCH", "/a", {"metadata": {"finalizers": None}}, MERGE),
    "it is gone": ("GET", "/a", None, JSON),
    "delete what is not there": ("DELETE", "/a", None, JSON),
    "delete all": ("DELETE", "", None, JSON),
    "list nothing": ("GET", "", None, JSON),
    "an unknown subresource": ("GET", "/a/scale", None, JSON),
}

# Not equal, and why. The status is compared for these, too.
DIFFERENT = {
    "not JSON": "the text is that of each language's JSON parser",
    "list by a selector that is none": "the text is that of another parser of the same grammar",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[tuple[int, Any]]]]:
    """Each call, in order, on both: [the real one's answer, ours]."""
    with (
        real_api.running(tmp_path_factory.mktemp("real")) as real,
        running_server(tmp_path_factory.mktemp("ours")) as ours,
    ):
        real_api.define(real, REMEDIATION_REQUESTS)
        memories = [Memory(real), Memory(ours)]
        yield {name: [memory.ask(*call) for memory in memories] for name, call in CALLS.items()}


@pytest.mark.parametrize("name", CALLS)
def test_call(name: str, answers: dict[str, list[tuple[int, Any]]]) -> None:
    """Status and body are the real ones, versions and uids equal where the real ones are."""
    (real_status, real_body), (status, body) = answers[name]

    assert status == real_status, (real_body, body)
    if name in DIFFERENT:
        assert body != real_body, f"is equal by now: {name}"
    else:
        assert body == real_body
