"""Kubeconfig: the files by which a Gateway and the harness each find the sandbox's Kubernetes API."""

from pathlib import Path

import yaml


def render(server: str, namespace: str) -> str:
    """A kubeconfig with one cluster, one user and one context, all named sandbox.

    server: URL of the API, plain http. The token is there because some clients ask for a user name without
    one; the API takes any.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": server}}],
        "users": [{"name": "sandbox", "user": {"token": "sandbox"}}],
        "contexts": [
            {"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": namespace}}
        ],
        "current-context": "sandbox",
    }
    return yaml.safe_dump(config, sort_keys=False)


def write(path: Path, server: str, namespace: str) -> None:
    """Write the file; raises OSError."""
    path.write_text(render(server, namespace), encoding="utf-8")
