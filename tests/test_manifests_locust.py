"""Master and workers for a cluster: valid as far as that can be told without one."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes.config
import pytest
import strict_kinds
import yaml

from chaos_hooks import options
from shapes import target
from shapes.document import Node

FOLDER = Path(__file__).resolve().parent.parent / "manifests/locust"
ITEMS = {
    f"{item['kind']}/{item['metadata']['name']}": item
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name not in ("cluster.yaml", "kustomization.yaml")
    for item in yaml.safe_load_all(path.read_text())
}
MASTER = ITEMS["Job/alertstorm-master"]["spec"]["template"]
WORKER = ITEMS["Deployment/alertstorm-worker"]["spec"]["template"]


PARSE = """
import json, sys
from locust.argument_parser import get_parser
from chaos_hooks import options
parser = get_parser(default_config_files=[])
options.add_to(parser)
print(json.dumps(vars(parser.parse_args(sys.argv[1:])), default=str))
"""


def arguments(pod: dict[str, Any]) -> argparse.Namespace:
    """Return a container's arguments as Locust takes them; it ends the test if it does not."""
    # Importing Locust patches a whole process.
    words = [sys.executable, "-c", PARSE, *pod["spec"]["containers"][0]["args"]]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CHAOS_", "LOCUST_"))}
    done = subprocess.run(
        words, cwd=FOLDER.parent.parent, env=env, capture_output=True, text=True, check=True, timeout=60
    )
    return argparse.Namespace(**json.loads(done.stdout))


@pytest.mark.parametrize("name", ITEMS)
def test_kubernetes_knows_every_field(name: str) -> None:
    """Against the models of its client; what only a cluster can tell is not told."""
    assert strict_kinds.faults_of(ITEMS[name]) == []


def test_locust_takes_the_arguments() -> None:
    """As many workers are expected as there are replicas, and they look where the Service is."""
    master, worker = arguments(MASTER), arguments(WORKER)
    service = ITEMS["Service/alertstorm-master"]

    assert (master.master, master.headless, worker.worker) == (True, True, True)
    assert master.expect_workers == ITEMS["Deployment/alertstorm-worker"]["spec"]["replicas"]
    assert worker.master_host == service["metadata"]["name"]
    assert worker.master_port == service["spec"]["ports"][0]["port"] == master.master_bind_port
    given, plain = options.read(worker), options.ungiven()
    assert {f for f in given.__slots__ if getattr(given, f) != getattr(plain, f)} == {"runs_dir"}


def test_only_workers_reach_the_masters_port() -> None:
    """The Service selects the master, the policy lets in workers, on that port alone."""
    policy = ITEMS["NetworkPolicy/alertstorm-master"]["spec"]
    service = ITEMS["Service/alertstorm-master"]["spec"]
    (rule,) = policy["ingress"]
    ports = {p["name"] for p in MASTER["spec"]["containers"][0]["ports"]}

    assert service["selector"].items() <= MASTER["metadata"]["labels"].items()
    assert policy["podSelector"]["matchLabels"].items() <= MASTER["metadata"]["labels"].items()
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= WORKER["metadata"]["labels"].items()
    assert {port["port"] for port in rule["ports"]} == {service["ports"][0]["targetPort"]} == ports


def test_no_pod_asks_for_more_than_it_needs() -> None:
    """Not root, no escalation, limits; a worker has no account, the master that of manifests/rbac."""
    account = yaml.safe_load((FOLDER.parent / "rbac/service-account.yaml").read_text())

    for pod in (MASTER, WORKER):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
    assert WORKER["spec"]["automountServiceAccountToken"] is False
    assert MASTER["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_the_target_and_the_kubeconfig_can_be_used() -> None:
    """As this tool and the Kubernetes client read them, and where they are mounted."""
    found = target.parse(
        Node("cluster.yaml", "", yaml.safe_load((FOLDER / "cluster.yaml").read_text())), "cluster"
    )
    mounts = {m["mountPath"] for m in MASTER["spec"]["containers"][0]["volumeMounts"]}
    kubeconfig = yaml.safe_load((FOLDER / "kubeconfig").read_text())
    contexts, active = kubernetes.config.list_kube_config_contexts(str(FOLDER / "kubeconfig"))

    assert found.start is None
    assert str(Path(found.endpoints.kubeconfig).parent) in mounts
    assert "/program/scenarios/targets/cluster.yaml" in mounts
    assert active == contexts[0]
    assert kubeconfig["users"][0]["user"] == {
        "tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"
    }
