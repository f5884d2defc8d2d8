"""The guard of a cluster: nothing is loaded, read or broken there that the target file does not allow."""

from __future__ import annotations

import kubernetes.config
import yaml

from chaos_hooks.errors import SetupError
from chaos_hooks.kubernetes_api import IN_CLUSTER
from shapes import allow
from shapes.target import Endpoints, Target, is_loopback


def check(target: Target, endpoints: Endpoints) -> None:
    """Refuse a context or namespace that the target file does not allow.

    A context that looks like production must be named to the letter; a pattern does not allow it. A file
    that does not say what it allows may be used on a loopback API server only.

    Raises:
        SetupError: naming what is refused, and the field that would allow it.
    """
    if not endpoints.kubeconfig:
        return
    place = f"target {target.name}: allow"
    context, server = _context(endpoints)
    if any(map(allow.looks_like_production, (context, server))) and context not in target.allow.contexts:
        raise SetupError(
            f"{place}.contexts: {context!r} ({server}) looks like production; if you mean to break it, "
            "write its whole name there"
        )
    if not target.allow.given:
        if is_loopback(server):
            return
        raise SetupError(f"{place}: is missing, and {server} is not loopback; write what may be broken")
    if not allow.matches(context, target.allow.contexts):
        raise SetupError(f"{place}.contexts: does not allow {context!r}; add it, or take another kubeconfig")
    for field in ("namespace", "pods_namespace"):
        name = getattr(endpoints, field)
        if name and not allow.matches(name, target.allow.namespaces):
            raise SetupError(f"{place}.namespaces: does not allow endpoints.{field} {name!r}; add it")


def _context(endpoints: Endpoints) -> tuple[str, str]:
    """Return the context's name, and its API server."""
    if endpoints.kubeconfig == IN_CLUSTER:
        return IN_CLUSTER, "the cluster that this runs in"
    try:
        contexts, active = kubernetes.config.list_kube_config_contexts(endpoints.kubeconfig)
        found = {each["name"]: each["context"] for each in contexts}
        name = endpoints.context or active["name"]
        with open(endpoints.kubeconfig, encoding="utf-8") as file:
            clusters = {each["name"]: each["cluster"] for each in yaml.safe_load(file)["clusters"]}
        return name, str(clusters[found[name]["cluster"]]["server"])
    except (kubernetes.config.ConfigException, OSError, yaml.YAMLError, TypeError, LookupError) as problem:
        said = " ".join(str(problem).split())
        raise SetupError(
            f"endpoints.kubeconfig: {endpoints.kubeconfig}: {said}; mend it, or its context"
        ) from None
