"""Break a cluster by a Chaos Mesh experiment of `manifests/chaos-mesh/`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

import gevent
import yaml

from chaos_hooks import experiment, experiment_evidence, experiment_watch, pods, redis_set
from chaos_hooks.clock import RunClock
from chaos_hooks.experiment import Experiment, Selection
from chaos_hooks.experiment_status import State
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.json_api import Refused
from chaos_hooks.kubernetes_api import MANAGED_BY, OWNER, KubernetesApi, Place
from chaos_hooks.pods import Pod
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

# Chaos Mesh counts a duration from the creation: it must outlast the injecting and the fault.
_LEASE_MARGIN_S = 30.0
_SHOWN_WITHIN_S = 10.0
_MOST_PODS = 6


class Injector:
    """Options: ``manifest``, a file's name in manifests/chaos-mesh; ``spec``, fields that are to differ from
    its own; ``primary: sentinel``: the pod that the Sentinels name primary, whatever its labels say;
    ``at_most`` (6): a selector that matches more pods is refused.

    The experiment is made for the target's namespace and pods, is created after a rehearsal by the API
    server, is never changed, and ends by its ``duration`` when nobody ends it. It counts as injected when
    every target's record says so; for a PodChaos the pods must show it, too.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        unknown = set(fault.options) - {"manifest", "spec", "primary", "at_most"}
        if unknown or "manifest" not in fault.options:
            given = ", ".join(sorted(fault.options)) or "nothing"
            raise ValueError(f"takes manifest, spec, primary and at_most, got {given}")
        self._by_sentinel = fault.options.get("primary")
        if self._by_sentinel not in (None, "sentinel"):
            raise ValueError(f"primary: {self._by_sentinel!r} is unknown; write sentinel, or leave it out")
        changes = fault.options.get("spec") or {}
        if not isinstance(changes, Mapping):
            raise ValueError(f"spec: wanted fields like {{timeOffset: 65s}}, got {changes!r}")
        item = experiment.read(str(fault.options["manifest"]), changes)
        lease_s = fault.for_s + _LEASE_MARGIN_S
        self._experiment = experiment.build(item, endpoints, fault.name, secrets.token_hex(4), lease_s)
        self._most = int(fault.options.get("at_most", _MOST_PODS))
        self._endpoints = endpoints
        self._clock = clock
        self._fault = fault
        self._created: tuple[Interval, str] | None = None

    def available(self) -> str:
        """Say whether Chaos Mesh would take it, it selects pods, not too many, and nothing is left over."""
        if not self._endpoints.kubeconfig:
            return "the target has no kubeconfig; name one under endpoints, or use another injector"
        try:
            api = self._api(self._endpoints.kubeconfig, self._endpoints.context)
            wanted = self._aimed(api)
            reason = self._wrong_selection(api, wanted)
            if reason:
                return reason
            left = api.listed(wanted.place, f"{MANAGED_BY}={OWNER}")
            if left:
                name = left[0]["metadata"]["name"]
                return f"{wanted.place} has {name!r} of an earlier run; run sweep, or delete it"
            api.create(wanted.place, wanted.body, rehearse=True)
        except Refused as problem:
            if problem.status == 404:
                return f"Chaos Mesh's {self._experiment.kind} is not installed there ({problem})"
            return f"the API server would not take it: {problem}"
        except InjectionError as problem:
            return str(problem)
        return ""

    def preview(self) -> tuple[str, ...]:
        """Return the object as it would be created, and the pods that its selectors match now."""
        api = self._api(self._endpoints.kubeconfig, self._endpoints.context)
        wanted = self._aimed(api)
        found = [f"matches {pods.listed(self._pods(api, each))} ({each})" for each in wanted.selections]
        return (yaml.safe_dump(dict(wanted.body), sort_keys=False).rstrip(), *found)

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Create it, and return when every target has it.

        Raises:
            InjectionError: if it is refused, selects nothing, or is not on everywhere in time; then it is
                deleted again.
        """
        api = self._api(self._endpoints.kubeconfig, self._endpoints.context)
        wanted = self._aimed(api)
        before = self._pods(api, wanted.selections[0])
        api.create(wanted.place, wanted.body, rehearse=True)
        undo = {
            "kubeconfig": self._endpoints.kubeconfig,
            "context": self._endpoints.context,
            "namespace": wanted.place.namespace,
            "plural": wanted.place.plural,
            "name": wanted.name,
            "options": dict(self._fault.options),
        }
        write_undo(undo)
        asked_s = self._clock.now()
        try:
            made = api.create(wanted.place, wanted.body)
            created = Interval(asked_s, self._clock.now())
            self._created = (created, made["metadata"].get("creationTimestamp", ""))
            state = experiment_watch.await_injected(api, wanted, self._clock)
            began, told = experiment_evidence.injected(state, created, self._clock.now())
            shown, line = self._await_shown(api, wanted, state, before)
        except InjectionError:
            self.heal(undo)
            raise
        made_line = f"{wanted.kind} {wanted.place.namespace}/{wanted.name} created in {created}"
        return Effect(began, shown, (made_line, *told, line))

    def heal(self, undo: Undo) -> Effect:
        """Delete it, and return when it is gone: Chaos Mesh keeps it until every target has recovered.

        Raises:
            InjectionError: if it cannot be deleted, or stays; what holds it is told.
        """
        api = self._api(undo["kubeconfig"], undo["context"])
        place = Place(experiment.GROUP, experiment.VERSION, undo["namespace"], undo["plural"])
        name, asked_s = str(undo["name"]), self._clock.now()
        last = experiment_watch.state(api, place, name)
        if last is None:
            return Effect(Interval(asked_s, self._clock.now()), True, (f"{name} is gone already",))
        if not last.ours:
            raise InjectionError(f"{place}/{name} was made by somebody else, and is left alone")
        early, cut_short = experiment_evidence.early(last, self._created, asked_s)
        try:
            api.delete(place, name)
        except Refused as problem:
            if problem.status != 404:
                raise
        last = experiment_watch.await_gone(api, place, name, last, self._clock)
        gone = Interval(asked_s, self._clock.now())
        told = experiment_evidence.recovered(last, gone)
        return Effect(early or gone, True, (*cut_short, f"{name} deleted, gone in {gone}", *told))

    def sweep(self, undo: Undo) -> str:
        """Delete what an earlier run left; one that is gone is over."""
        return "; ".join(self.heal(undo).evidence)

    def _aimed(self, api: KubernetesApi) -> Experiment:
        """Return it, aimed at the pod that the Sentinels name primary, if that was asked for."""
        if not self._by_sentinel:
            return self._experiment
        address, _ = redis_set.discover(self._endpoints.sentinels, self._endpoints.sentinel_master)
        host, namespace = address.rpartition(":")[0], self._experiment.place.namespace
        found = [pods.read(item) for item in api.pods(namespace)]
        named = [pod for pod in found if host in (pod.ip, pod.name) or host.startswith(f"{pod.name}.")]
        if len(named) != 1:
            raise InjectionError(f"the Sentinels' primary {address} is {pods.listed(named)} of {namespace}")
        return experiment.at_pod(self._experiment, named[0].name)

    def _wrong_selection(self, api: KubernetesApi, wanted: Experiment) -> str:
        for selection in wanted.selections:
            found = self._pods(api, selection)
            if not found:
                return f"no pod matches {selection}; mend endpoints.pods or pods_namespace"
            if len(found) > self._most:
                listed = pods.listed(found)
                return f"{len(found)} pods match {selection} ({listed}), more than at_most {self._most}"
        return ""

    def _pods(self, api: KubernetesApi, selection: Selection) -> list[Pod]:
        found = [pods.read(i) for i in api.pods(selection.namespace, pods.selector_of(selection.labels))]
        if selection.names:
            return [pod for pod in found if pod.name in selection.names]
        return [pod for pod in found if not selection.phases or pod.phase in selection.phases]

    def _await_shown(
        self, api: KubernetesApi, wanted: Experiment, state: State, before: list[Pod]
    ) -> tuple[bool, str]:
        if wanted.kind != "PodChaos":
            return True, "no other proof of it than Chaos Mesh's own records"
        targets = {record.target.split("/")[1] for record in state.records}
        struck = [pod for pod in before if pod.name in targets]
        end_s = self._clock.now() + _SHOWN_WITHIN_S
        while True:
            now = [pods.read(item) for item in api.pods(wanted.selections[0].namespace)]
            shown, line = experiment_evidence.shown(wanted.action, struck, now)
            if shown or self._clock.now() >= end_s:
                return shown, line
            gevent.sleep(experiment_watch.POLL_S)

    def _api(self, kubeconfig: str, context: str) -> KubernetesApi:
        return KubernetesApi(kubeconfig, context)
