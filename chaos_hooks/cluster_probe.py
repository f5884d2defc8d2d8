"""The components of a cluster as a probe sees them: pods by selector, counted over all their lives."""

from __future__ import annotations

from collections.abc import Mapping

from chaos_hooks import pods
from chaos_hooks.injection import InjectionError
from chaos_hooks.kubernetes_api import KubernetesApi
from chaos_hooks.pods import Pod
from shapes.target import Endpoints


class Components:
    """Answers as a supervisor's list of components does, see `component_probe`, for each of the target's
    ``endpoints.pods``: ``running:NAME`` is 1 when it has pods and all are ready; ``starts:NAME`` counts their
    containers' starts, and ``exits:NAME`` restarts and pods that went. ``killed`` is 0: it ends none.
    ``pid:NAME`` is another number for each life of a component's only pod.

    Beside that ``pod_of:NAME/POD`` for each that is there, ``pod_ready:POD`` and ``pod_restarts:POD``.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._api: KubernetesApi | None = None
        self._known: dict[str, dict[str, int]] = {name: {} for name in endpoints.pods}
        self._gone: dict[str, set[str]] = {name: set() for name in endpoints.pods}

    def __call__(self) -> Mapping[str, float]:
        """Ask once.

        Raises:
            OSError: if the API does not answer, or refuses.
        """
        try:
            self._api = self._api or KubernetesApi(self._endpoints.kubeconfig, self._endpoints.context)
            found = {
                name: self._api.pods(self._endpoints.pods_namespace, selector)
                for name, selector in self._endpoints.pods.items()
            }
        except InjectionError as problem:
            raise OSError(str(problem)) from None
        values: dict[str, float] = {}
        for name, items in found.items():
            values |= self._count(name, [pods.read(item) for item in items])
        return values

    def _count(self, name: str, found: list[Pod]) -> dict[str, float]:
        known, gone = self._known[name], self._gone[name]
        for pod in found:
            known[pod.uid] = max(sum(pod.restarts), known.get(pod.uid, 0))
        gone |= known.keys() - {pod.uid for pod in found}
        restarts = sum(known.values())
        values = {
            f"running:{name}": float(bool(found) and all(pod.ready for pod in found)),
            f"starts:{name}": float(len(known) + restarts),
            f"exits:{name}": float(len(gone) + restarts),
            f"killed:{name}": 0.0,
        }
        if (
            len(found) == 1
        ):  # Which life of which pod it is: no process's number, but as good for telling them apart.
            values[f"pid:{name}"] = float(int(found[0].uid.replace("-", "")[:8], 16) + sum(found[0].restarts))
        for pod in found:
            values |= {
                f"pod_of:{name}/{pod.name}": 1.0,
                f"pod_ready:{pod.name}": float(pod.ready),
                f"pod_restarts:{pod.name}": sum(pod.restarts),
            }
        return values


def watches(endpoints: Endpoints) -> bool:
    """Return whether there are pods to be seen, and nobody else who tells of components."""
    named = endpoints.kubeconfig and endpoints.pods_namespace and endpoints.pods
    return bool(named) and not endpoints.control_url
