"""kubectl against the server: what a person in front of the sandbox types."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes_api_server import PLURAL, REQUESTS, RunningServer, remediation_request, running_server

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(
    KUBECTL is None, reason="there is no kubectl on PATH; install it to run these"
)

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]
NAME = f"{PLURAL}/a"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("kubectl-cache"))


@pytest.fixture
def namespace(server: RunningServer) -> str:
    return server.new_namespace()


@pytest.fixture
def kubectl(server: RunningServer, namespace: str, cache: str) -> Kubectl:
    """Run kubectl in the test's namespace; it must succeed unless `fails` is given."""

    def run(*arguments: str, given: Any = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
        options = ["--kubeconfig", str(server.kubeconfig), "--cache-dir", cache, "--namespace", namespace]
        done = subprocess.run(
            [str(KUBECTL), *options, *arguments],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done

    return run


def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl) -> None:
    first, second = remediation_request("a", spec={"n": 1}), remediation_request("a", spec={"m": 2})
    assert kubectl("apply", "-f", "-", given=first).stdout.endswith("created\n")
    assert kubectl("apply", "-f", "-", given=first).stdout.endswith("unchanged\n")
    assert kubectl("apply", "-f", "-", given=second).stdout.endswith("configured\n")
    assert json.loads(kubectl("get", NAME, "-o", "json").stdout)["spec"] == {"m": 2}
    assert kubectl("apply", "--server-side", "-f", "-", given=second).stdout.endswith("serverside-applied\n")
    assert kubectl("apply", "-f", "-", given=second).stderr == ""


def test_apply_of_a_core_object_needs_no_warning(kubectl: Kubectl) -> None:
    for value, outcome in (("v", "created\n"), ("w", "configured\n"), ("w", "unchanged\n")):
        given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": value}}
        done = kubectl("apply", "-f", "-", given=given)
        assert (done.stdout.endswith(outcome), done.stderr) == (True, "")


def test_get_by_name_list_and_label(kubectl: Kubectl) -> None:
    for name, team in (("a", "red"), ("b", "blue")):
        kubectl("create", "-f", "-", given=remediation_request(name, metadata={"labels": {"team": team}}))
    names = ("-o", "jsonpath={.items[*].metadata.name}")
    assert kubectl("get", PLURAL, *names).stdout == "a b"
    assert kubectl("get", PLURAL, "-l", "team=blue", *names).stdout == "b"
    assert kubectl("get", "remediationrequest", "a").stdout.split()[:3] == ["NAME", "AGE", "a"]
    assert "NotFound" in kubectl("get", NAME + "x", fails=True).stderr
    assert "Signal Name:" in kubectl("describe", NAME).stdout


def test_patch_label_and_annotate(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=remediation_request("a"))
    kubectl("patch", NAME, "--type=merge", "-p", '{"spec":{"n":1}}')
    kubectl("patch", NAME, "--type=json", "-p", '[{"op":"replace","path":"/spec/n","value":2}]')
    kubectl("label", NAME, "team=red")
    kubectl("annotate", NAME, "note=yes")
    got = json.loads(kubectl("get", NAME, "-o", "json").stdout)
    assert got["spec"]["n"] == 2
    assert (got["metadata"]["labels"], got["metadata"]["annotations"]) == ({"team": "red"}, {"note": "yes"})
    refused = kubectl("patch", NAME, "--type=strategic", "-p", "{}", fails=True)
    assert "strategic-merge-patch+json is not supported" in refused.stderr


def test_replace_of_an_old_version_conflicts(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=remediation_request("a"))
    old = json.loads(kubectl("get", NAME, "-o", "json").stdout)
    kubectl("patch", NAME, "--type=merge", "-p", '{"spec":{"n":1}}')
    refused = kubectl("replace", "-f", "-", given={**old, "spec": {"n": 2}}, fails=True)
    assert "Error from server (Conflict)" in refused.stderr
    assert "the object has been modified" in refused.stderr


def test_wait_for_a_status_that_comes_while_it_waits(
    server: RunningServer, namespace: str, cache: str, kubectl: Kubectl
) -> None:
    kubectl("create", "-f", "-", given=remediation_request("a"))
    options = ["--kubeconfig", str(server.kubeconfig), "--cache-dir", cache, "--namespace", namespace]
    condition = "--for=jsonpath={.status.overallPhase}=Completed"
    command = [str(KUBECTL), *options, "wait", NAME, condition, "--timeout=60s"]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        watches = f'resource="{PLURAL}",subresource="",verb="WATCH"'
        while watches not in server.call("GET", "/metrics")[1] and waiting.poll() is None:
            pass
        assert waiting.poll() is None, "it waits as long as the status is not there"
        path, body = f"{REQUESTS.format(namespace)}/a/status", {"status": {"overallPhase": "Completed"}}
        assert server.call("PATCH", path, body, "application/merge-patch+json")[0] == 200
        output, _ = waiting.communicate(timeout=60)
    finally:
        waiting.kill()
        waiting.wait()
    assert (waiting.returncode, output.endswith("condition met\n")) == (0, True)


def test_delete_by_name_and_by_label(kubectl: Kubectl) -> None:
    for name, team in (("a", "red"), ("b", "blue"), ("c", "blue")):
        kubectl("create", "-f", "-", given=remediation_request(name, metadata={"labels": {"team": team}}))
    assert '"a" deleted' in kubectl("delete", NAME).stdout
    assert kubectl("delete", PLURAL, "-l", "team=blue").stdout.count("deleted") == 2
    assert "No resources found" in kubectl("get", PLURAL).stderr


def test_questions_about_the_cluster(kubectl: Kubectl, namespace: str) -> None:
    assert "remediationrequests" in kubectl("api-resources").stdout
    assert kubectl("auth", "can-i", "create", PLURAL).stdout == "yes\n"
    assert "Server Version: v1." in kubectl("version").stdout
    assert "FIELD: spec <Object>" in kubectl("explain", f"{PLURAL}.spec").stdout
    assert "deleted" in kubectl("delete", "namespace", namespace).stdout
