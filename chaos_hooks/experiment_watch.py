"""Waiting for an experiment: until it is on for every target, and until it is gone."""

from __future__ import annotations

import gevent

from chaos_hooks import experiment_evidence, experiment_status
from chaos_hooks.clock import RunClock
from chaos_hooks.experiment import Experiment
from chaos_hooks.experiment_status import State
from chaos_hooks.injection import InjectionError
from chaos_hooks.json_api import Refused
from chaos_hooks.kubernetes_api import KubernetesApi, Place

INJECTED_WITHIN_S = 20.0
GONE_WITHIN_S = 60.0
# Its conditions are written before its targets are looked up, so for a moment it always selects nothing.
NOTHING_AFTER_S = 3.0
POLL_S = 0.25
_SAYS = "; Chaos Mesh says: "


def state(api: KubernetesApi, place: Place, name: str) -> State | None:
    """Return what an experiment says now; None when it is gone.

    Raises:
        InjectionError: if it cannot be read.
    """
    try:
        return experiment_status.read(api.get(place, name))
    except Refused as problem:
        if problem.status == 404:
            return None
        raise


def await_injected(api: KubernetesApi, wanted: Experiment, clock: RunClock) -> State:
    """Return its state when every target has it.

    Raises:
        InjectionError: if it selects nothing, is deleted by somebody, or is not on everywhere in time.
    """
    began_s, last, problem = clock.now(), None, ""
    while True:
        try:
            now = state(api, wanted.place, wanted.name)
        except InjectionError as error:
            problem = f"; {error}"  # An API server may be busy; there is time.
        else:
            if now is None:
                raise InjectionError(f"{wanted.name} was deleted by somebody else")
            last = now
        waited_s = clock.now() - began_s
        if last is not None and last.injected:
            return last
        if last is not None and last.selects_nothing:
            told = _warnings(api, wanted)
            if _SAYS in told or waited_s >= NOTHING_AFTER_S:
                raise InjectionError(f"{wanted.name} selects no pod{told}")
        if waited_s >= INJECTED_WITHIN_S:
            what = f"{wanted.name} is not on everywhere after {INJECTED_WITHIN_S:g} s: {last}{problem}"
            raise InjectionError(what + _warnings(api, wanted))
        gevent.sleep(POLL_S)


def await_gone(api: KubernetesApi, place: Place, name: str, last: State, clock: RunClock) -> State:
    """Return the last state that was read before it was gone.

    Raises:
        InjectionError: if it stays; what holds it is told.
    """
    end_s = clock.now() + GONE_WITHIN_S
    while True:
        problem: InjectionError | None = None
        now: State | None = last
        try:
            now = state(api, place, name)
        except InjectionError as error:
            problem = error  # It was asked to go; an API server that is busy changes nothing.
        if now is None:
            return last
        last = now
        if clock.now() >= end_s:
            raise problem or InjectionError(experiment_evidence.stuck(place, name, now, GONE_WITHIN_S))
        gevent.sleep(POLL_S)


def _warnings(api: KubernetesApi, wanted: Experiment) -> str:
    try:
        uid = str(api.get(wanted.place, wanted.name)["metadata"]["uid"])
        told = api.events(wanted.place.namespace, uid)
    except InjectionError as problem:
        return f"; its events cannot be read ({problem})"
    return f"{_SAYS}{told[-1]}" if told else ""
