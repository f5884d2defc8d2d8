"""Refuse, delay or reset requests of the Gateway to its Kubernetes API: by the fault layer of a sandbox's
API, or, in a cluster, by the admission webhook of `chaos_hooks.throttling_webhook`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from chaos_hooks import json_api
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

_LEASE_MARGIN_S = 10.0
_OPTIONS = (
    "status",
    "retry_after_s",
    "verbs",
    "resource",
    "path_prefix",
    "burst",
    "share",
    "delay_s",
    "reset",
)


class Injector:
    """Options, all of them optional:

    ``status`` (429): the answer's code. ``retry_after`` (a duration in whole seconds): the Retry-After that
    comes with it, none without. ``verbs`` (a list, such as [create, update]), ``resource`` (a plural) and
    ``path_prefix``: which requests; all without them. ``burst``: only so many requests are refused.
    ``share`` (such as 30%): of the requests, by chance. ``delay`` (a duration): before the answer; without a
    status, the request is served after it. ``reset: true``: the connection instead of an answer.

    The webhook knows writes only (verbs create, update, patch, delete), and of the rest status, retry_after,
    resource, burst and share. It refuses the others, in words, when the fault is to begin.

    That it bit is known when it is healed: the API then says how many requests it answered so.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        for name in fault.options:
            if name not in _OPTIONS:
                known = ", ".join(option.removesuffix("_s") for option in _OPTIONS)
                hint = "; write it with its unit, like 10s" if f"{name}_s" in _OPTIONS else ""
                raise ValueError(f"does not take {name} {fault.options[name]!r}{hint}; it takes {known}")
        self._url = endpoints.faults_url
        self._outlives = endpoints.outlives_us
        self._clock = clock
        self._fault = fault
        self._order = _order(fault)

    def available(self) -> str:
        """Say whether there is a fault layer, and no fault of this name on."""
        if not self._url:
            return (
                "the target has no faults_url; use a target that starts a sandbox, or the toxiproxy injector"
            )
        try:
            listed = json_api.call("GET", f"{self._url}/faults")["faults"]
        except InjectionError as problem:
            return str(problem)
        if any(fault["name"] == self._fault.name and fault["active"] for fault in listed):
            return f"a fault {self._fault.name!r} is on there already; wait until its lease is over"
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Switch it on; nobody can have met it yet, so nothing of it was seen.

        Raises:
            InjectionError: if the API does not take it.
        """
        undo = {
            "faults_url": self._url,
            "name": self._fault.name,
            "options": dict(self._fault.options),
            # The end of its lease, for a sweep that cannot reach the server.
            "over_unix_s": time.time() + self._order["for_s"] if self._outlives else 0.0,
        }
        write_undo(undo)
        asked_s = self._clock.now()
        json_api.call("POST", f"{self._url}/faults", self._order, ok=(201,))
        began = Interval(asked_s, self._clock.now())
        return Effect(began, False, (f"armed in {began}: {_describe(self._order)}",))

    def heal(self, undo: Undo) -> Effect:
        """Switch it off, and tell from its count whether it bit; one that is off already stays off."""
        url = f"{undo['faults_url']}/faults/{quote(str(undo['name']), safe='')}"
        asked_s = self._clock.now()
        answer = json_api.call("DELETE", url)
        now_s = self._clock.now()
        at, hits = Interval(asked_s, now_s), answer["hits"]
        if hits is None:
            line = (
                "it was not on any more, and nobody knows what it did: healed before, or the API began anew"
            )
            return Effect(at, True, (line,))
        off = "switched off" if answer["was_active"] else "its lease was over before it was healed"
        if hits["count"] == 0:
            return Effect(at, True, (f"{off}; no request met it",), bit=False)
        first_s, last_s = now_s - hits["first_ago_s"], now_s - hits["last_ago_s"]
        met = f"{hits['count']} requests met it, the first at {first_s:.2f} s, the last at {last_s:.2f} s"
        return Effect(at, True, (f"{off}; {met}",), bit=True)

    def sweep(self, undo: Undo) -> str:
        """Switch off what an earlier run left on; an API that is gone took its faults along. One in a cluster
        may only be out of reach: there it counts when its lease is over."""
        try:
            return self.heal(undo).evidence[0]
        except InjectionError as problem:
            over_unix_s = undo.get("over_unix_s", 0.0)
            if not json_api.is_gone(problem) or time.time() < over_unix_s:
                raise
            return f"{undo['name']}: {'its lease is over' if over_unix_s else 'the API that knew it is gone'}"


def _order(fault: Fault) -> dict[str, Any]:
    options = fault.options
    for name in ("status", "burst"):
        value = options.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: {value!r} is no whole number above 0")
    verbs = options.get("verbs")
    if verbs is not None and not (isinstance(verbs, list) and all(isinstance(verb, str) for verb in verbs)):
        raise ValueError(f"verbs: {verbs!r} is no list; write [create, update]")
    retry_after_s = options.get("retry_after_s")
    if retry_after_s is not None and not float(retry_after_s).is_integer():
        raise ValueError(f"retry_after: {retry_after_s:g}s; the header carries whole seconds only")
    silent = bool(options.get("reset")) or "delay_s" in options
    return {
        "name": fault.name,
        "verbs": verbs,
        "resource": options.get("resource"),
        "path_prefix": options.get("path_prefix"),
        "status": options.get("status", None if silent else 429),
        "retry_after_s": None if retry_after_s is None else int(retry_after_s),
        "delay_s": options.get("delay_s", 0.0),
        "reset": bool(options.get("reset", False)),
        "probability": options.get("share", 1.0),
        "times": options.get("burst"),
        "for_s": fault.for_s + _LEASE_MARGIN_S,
    }


def _describe(order: Mapping[str, Any]) -> str:
    which = " ".join(filter(None, ("/".join(order["verbs"] or ["every request"]), order["resource"] or "")))
    how = "reset" if order["reset"] else f"answered {order['status']}" if order["status"] else "served"
    after = f" after {order['delay_s']:g} s" if order["delay_s"] else ""
    again = f", Retry-After {order['retry_after_s']} s" if order["retry_after_s"] is not None else ""
    return f"{which} {how}{after}{again}"
