"""The sweep by hand: what the journals of earlier runs name, and what bears this tool's label there."""

from __future__ import annotations

from pathlib import Path

from chaos_hooks import experiment, guarding, preflight
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.json_api import Refused
from chaos_hooks.kubernetes_api import MANAGED_BY, OWNER, KubernetesApi, Place
from shapes.target import Endpoints, Target


def sweep(runs: Path, against: Target | None, clock: RunClock) -> tuple[list[str], bool]:
    """Heal and delete; return what was found, and whether nothing is left. ``against`` names the cluster.

    Raises:
        SetupError: if the cluster is not allowed, or a journal's fault is still on.
    """
    endpoints = against.endpoints if against else Endpoints()
    told = preflight.sweep(runs, endpoints, clock)
    good = True
    if against and endpoints.kubeconfig and endpoints.pods_namespace:
        guarding.check(against, endpoints)
        lines, good = _experiments(endpoints)
        told += lines
    return told or ["nothing was left behind"], good


def _experiments(endpoints: Endpoints) -> tuple[list[str], bool]:
    try:
        api = KubernetesApi(endpoints.kubeconfig, endpoints.context)
    except InjectionError as problem:
        raise SetupError(f"endpoints.kubeconfig: {problem}; mend it") from None
    told, good = [], True
    for kind, plural in sorted(experiment.PLURALS.items()):
        place = Place(experiment.GROUP, experiment.VERSION, endpoints.pods_namespace, plural)
        try:
            for item in api.listed(place, f"{MANAGED_BY}={OWNER}"):
                name = item["metadata"]["name"]
                api.delete(place, name)
                told.append(f"{kind} {endpoints.pods_namespace}/{name} is being deleted")
        except InjectionError as problem:
            # 404: that kind is not installed, so there is none of it.
            if not (isinstance(problem, Refused) and problem.status == 404):
                told.append(f"{kind}: {problem}; look for it by hand")
                good = False
    return told, good
