"""Delete pods through the Kubernetes API: their controller makes new ones, with other UIDs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import gevent

from chaos_hooks import pods
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.json_api import Refused
from chaos_hooks.kubernetes_api import KubernetesApi
from chaos_hooks.pods import Pod
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

_GRACE_S = {"kill": 0, "delete": 30}
_GONE_WITHIN_S = 30.0  # beyond the grace
_BACK_WITHIN_S = 60.0
_HEALED_WITHIN_S = 60.0
_POLL_S = 0.1
_MOST_PODS = 6


class Injector:
    """Options: ``component`` (a name of the target's endpoints.pods, such as gateway), or ``selector``
    (app=gateway); ``action``: kill (at once, as in a crash) or delete (SIGTERM, then ``grace``, 30s);
    ``count``: so many pods, the first by name, or all (1); ``at_most`` (6): more matching pods are refused.

    A pod without a controller is refused: nobody would replace it. Nothing has to be undone; inject returns
    when as many others are ready, or tells that they are not, and heal looks again.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        options = fault.options
        unknown = set(options) - {"component", "selector", "action", "grace_s", "count", "at_most"}
        if unknown or len(options.keys() & {"component", "selector"}) != 1:
            given = ", ".join(sorted(options)) or "nothing"
            raise ValueError(
                f"takes component or selector, and action, grace, count and at_most, got {given}"
            )
        self._action = str(options.get("action", "kill"))
        if self._action not in _GRACE_S:
            raise ValueError(f"action: unknown {self._action!r}; there are: {', '.join(_GRACE_S)}")
        if "grace_s" in options and self._action == "kill":
            raise ValueError("grace: a kill has none; write action: delete, or leave it out")
        self._grace_s = int(options.get("grace_s", _GRACE_S[self._action]))
        self._count = options.get("count", 1)
        is_whole = isinstance(self._count, int) and not isinstance(self._count, bool)
        if self._count != "all" and not (is_whole and self._count > 0):
            raise ValueError(f"count: {self._count!r} is neither 'all' nor a whole number above 0")
        self._labels = _labels(endpoints.pods, options)
        self._most = int(options.get("at_most", _MOST_PODS))
        self._endpoints = endpoints
        self._clock = clock
        self._fault = fault

    def available(self) -> str:
        """Say whether the pods are there, ready, replaced by a controller, and not too many."""
        if not self._endpoints.kubeconfig:
            return "the target has no kubeconfig; name one under endpoints, or use another injector"
        if not self._endpoints.pods_namespace:
            return "the target has no pods_namespace; name it under endpoints"
        try:
            self._chosen(self._find(self._api()))
        except InjectionError as problem:
            return str(problem)
        return ""

    def preview(self) -> tuple[str, ...]:
        """Return which pods would be deleted, were it now."""
        chosen = self._chosen(self._find(self._api()))
        told = f"{self._action} {pods.listed(chosen)}, grace {self._grace_s} s"
        return (told, f"matches {pods.listed(self._find(self._api()))} ({pods.selector_of(self._labels)})")

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Delete them by name and UID; return when they are gone and as many others are ready.

        Raises:
            InjectionError: if one could not be deleted, or did not go.
        """
        api = self._api()
        found = self._find(api)
        chosen = self._chosen(found)
        undo = {
            "kubeconfig": self._endpoints.kubeconfig,
            "context": self._endpoints.context,
            "namespace": self._endpoints.pods_namespace,
            "selector": pods.selector_of(self._labels),
            "uids": {pod.name: pod.uid for pod in chosen},
            "ready": sum(pod.ready for pod in found),
            "options": dict(self._fault.options),
        }
        write_undo(undo)
        asked_s = self._clock.now()
        for pod in chosen:
            self._delete(api, pod)
        gone_s = self._await_gone(api, {pod.uid for pod in chosen})
        died = Interval(asked_s, gone_s)
        lines = [f"pod {pod.name} with UID {pod.uid} is gone in {died}" for pod in chosen]
        known = {pod.uid for pod in found}
        back = self._await_ready(api, undo, known, gone_s + _BACK_WITHIN_S)
        if back is None:
            late = f"{_BACK_WITHIN_S:g} s after it there are not as many ready as before ({undo['ready']})"
            return Effect(died, True, (*lines, late))
        at, heirs = back
        told = ", ".join(f"{pod.name} with UID {pod.uid}" for pod in heirs)
        return Effect(died, True, (*lines, f"{told} ready in {at}, {at.since(died)} after it"), ended=at)

    def heal(self, undo: Undo) -> Effect:
        """Wait until as many pods are ready as before it.

        Raises:
            InjectionError: if they are not in time; their controller has to be looked at.
        """
        api = KubernetesApi(undo["kubeconfig"], undo["context"])
        asked_s = self._clock.now()
        old = set(undo["uids"].values())
        back = self._await_ready(api, undo, old, asked_s + _HEALED_WITHIN_S)
        if back is None:
            raise InjectionError(
                f"pods {undo['selector']} of {undo['namespace']}: {undo['ready']} were ready before, and are "
                f"not again within {_HEALED_WITHIN_S:g} s; look at their controller's events"
            )
        return Effect(back[0], True, (f"{undo['ready']} pods {undo['selector']} are ready",))

    def sweep(self, undo: Undo) -> str:
        """See whether what an earlier run deleted has been replaced."""
        return self.heal(undo).evidence[0]

    def _api(self) -> KubernetesApi:
        return KubernetesApi(self._endpoints.kubeconfig, self._endpoints.context)

    def _find(self, api: KubernetesApi) -> list[Pod]:
        namespace, selector = self._endpoints.pods_namespace, pods.selector_of(self._labels)
        found = [pods.read(item) for item in api.pods(namespace, selector)]
        if not found:
            raise InjectionError(f"no pod matches {selector} in {namespace}; mend endpoints.pods")
        if len(found) > self._most:
            listed = pods.listed(found)
            raise InjectionError(f"{len(found)} pods match {selector} ({listed}), more than {self._most}")
        return found

    def _chosen(self, found: list[Pod]) -> list[Pod]:
        ready = [pod for pod in found if pod.ready and not pod.leaving]
        wanted = len(found) if self._count == "all" else int(self._count)
        if len(ready) < wanted:
            raise InjectionError(f"{len(ready)} of {pods.listed(found)} are ready, wanted {wanted}")
        alone = [pod for pod in ready[:wanted] if not pod.owner]
        if alone:
            raise InjectionError(f"pod {pods.listed(alone)} has no controller, so nobody would replace it")
        return ready[:wanted]

    def _delete(self, api: KubernetesApi, pod: Pod) -> None:
        try:
            api.delete_pod(self._endpoints.pods_namespace, pod.name, pod.uid, self._grace_s)
        except Refused as problem:
            if problem.status not in (404, 409):
                raise
            # 409: there is another of its name, so the one that was meant is gone as well.
            raise InjectionError(f"pod {pod.name} with UID {pod.uid} went before it was deleted") from None

    def _await_gone(self, api: KubernetesApi, uids: set[str]) -> float:
        end_s = self._clock.now() + self._grace_s + _GONE_WITHIN_S
        selector = pods.selector_of(self._labels)
        while True:
            now = self._read(api, self._endpoints.pods_namespace, selector, end_s)
            left = [pod for pod in now if pod.uid in uids]
            if not left:
                return self._clock.now()
            if self._clock.now() >= end_s:
                raise InjectionError(f"{pods.listed(left)} did not go; its node may be away")
            gevent.sleep(_POLL_S)

    def _await_ready(
        self, api: KubernetesApi, undo: Undo, old: set[str], end_s: float
    ) -> tuple[Interval, list[Pod]] | None:
        """Return when as many were ready as before, between two readings, and which are not ``old``."""
        before_s = self._clock.now()
        while True:
            now = self._read(api, undo["namespace"], undo["selector"], end_s)
            read_s = self._clock.now()
            ready = [p for p in now if p.ready and not p.leaving and p.uid not in undo["uids"].values()]
            if len(ready) >= undo["ready"]:
                return Interval(before_s, read_s), [pod for pod in ready if pod.uid not in old]
            if read_s >= end_s:
                return None
            before_s = read_s
            gevent.sleep(_POLL_S)

    def _read(self, api: KubernetesApi, namespace: str, selector: str, end_s: float) -> list[Pod]:
        """Return the pods; an API server that is busy is asked again until then."""
        while True:
            try:
                return [pods.read(item) for item in api.pods(namespace, selector)]
            except InjectionError:
                if self._clock.now() >= end_s:
                    raise
                gevent.sleep(_POLL_S)


def _labels(named: Mapping[str, str], options: Mapping[str, object]) -> dict[str, str]:
    if "selector" in options:
        return pods.labels_of(str(options["selector"]))
    return pods.component_labels(named, str(options["component"]))
