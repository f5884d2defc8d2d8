"""Break the network between the Gateway and what it needs, in a Toxiproxy or a proxy with its HTTP API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from chaos_hooks import json_api, tcp_probe, toxics
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.json_api import Refused
from chaos_hooks.lease import Lease
from chaos_hooks.tcp_probe import Sight
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

_BEFORE_WAIT_S = 2.0
_LOOK_WITHIN_S = 6.0
_ANY_HOST = ("", "0.0.0.0", "::")


class Injector:
    """Options: ``proxy`` (a name or a list), ``action`` with its own options, or ``toxics``, a list as
    Toxiproxy's API takes them. ``toxicity`` (such as 30%): of connections. ``probe`` (redis or http): what
    is asked through the proxy for evidence; redis for proxies of that name, else http.

    Actions: ``partition`` (bytes stall, none is lost), ``down`` (refused), ``latency`` (latency, jitter),
    ``timeout`` (after), ``reset_peer`` (after), ``limit_data`` (bytes), ``slicer`` (average_size,
    size_variation, delay); all but the first two with ``direction``: upstream, downstream or both.

    A proxy whose port is reached elsewhere than it listens, as through kubectl port-forward, is looked at
    where the target's proxy_addresses say. Toxiproxy has no leases: a watchdog heals when this process
    cannot.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        self._plan = toxics.plan(fault.name, fault.options)
        named = fault.options.get("proxy")
        self._names: list[str] = [named] if isinstance(named, str) else list(named or ())
        if not self._names:
            raise ValueError("proxy: is missing; name one, or a list of them")
        self._probe = fault.options.get("probe", "")
        if self._probe not in ("", *tcp_probe.PROTOCOLS):
            raise ValueError(f"probe: {self._probe!r} is none of {', '.join(tcp_probe.PROTOCOLS)}")
        self._url = endpoints.proxy_url.rstrip("/")
        self._addresses = endpoints.proxy_addresses
        self._outlives = endpoints.outlives_us
        self._clock = clock
        self._fault = fault
        self._lease: Lease | None = None

    def available(self) -> str:
        """Say whether there is such a proxy, enabled, and no toxic of this fault's on it."""
        if not self._url:
            return (
                "the target has no proxy_url; start it with a Toxiproxy in between, or use another injector"
            )
        try:
            listed = json_api.call("GET", f"{self._url}/proxies")
        except InjectionError as problem:
            return str(problem)
        ours = {toxic.name for toxic in self._plan.toxics}
        for name in self._names:
            if name not in listed:
                return f"there is no proxy {name!r}; there are: {', '.join(sorted(listed)) or '(none)'}"
            if not listed[name]["enabled"]:
                return f"proxy {name!r} is disabled already; enable it first"
            if ours & {toxic["name"] for toxic in listed[name]["toxics"]}:
                return f"proxy {name!r} has toxics of a fault {self._fault.name!r} already; remove them first"
            sight = self._look(listed[name], _BEFORE_WAIT_S) if name in self._addresses else None
            if sight and sight.how != tcp_probe.ANSWERED:
                return (
                    f"proxy {name!r} does not answer at {self._addresses[name]} ({sight}); forward its port"
                )
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Break every named proxy, read it back, and look through it as a client.

        Raises:
            InjectionError: if one could not be broken as asked; then those that were are healed again.
        """
        states = {name: self._get(self._url, name) for name in self._names}
        before = {name: self._look(state, _BEFORE_WAIT_S) for name, state in states.items()}
        undo = {
            "proxy_url": self._url,
            "toxics": [toxic.name for toxic in self._plan.toxics],
            "enabled": {name: state["enabled"] for name, state in states.items()},
            "outlives": self._outlives,
            "options": dict(self._fault.options),
        }
        write_undo(undo)
        self._lease = Lease(self._fault, undo)
        asked_s = self._clock.now()
        try:
            for name in self._names:
                self._break(name)
            began = Interval(asked_s, self._clock.now())
            self._lease.confirm()
        except InjectionError:
            self.heal(undo)
            raise
        evidence, shown = [f"{self._plan.what} on {', '.join(self._names)} in {began}, read back"], True
        for name, state in states.items():
            line, shows = self._prove(state, before[name])
            evidence.append(f"{name}: {line}")
            shown = shown and shows
        return Effect(began, shown, tuple(evidence))

    def heal(self, undo: Undo) -> Effect:
        """Remove this fault's toxics and no others; enable what was enabled before it.

        Raises:
            InjectionError: if the proxy cannot be asked, or still has them.
        """
        url, evidence = str(undo["proxy_url"]), []
        asked_s = self._clock.now()
        for name, was_enabled in undo["enabled"].items():
            evidence.append(f"{name}: {self._mend(url, name, undo['toxics'], was_enabled)}")
        healed = Interval(asked_s, self._clock.now())
        if self._lease is not None:
            evidence.append(self._lease.release())
        return Effect(healed, True, tuple(evidence))

    def sweep(self, undo: Undo) -> str:
        """Heal what an earlier run left behind; a proxy that is gone took its toxics along, unless it is in a
        cluster: there it may only be out of reach.
        """
        try:
            return "; ".join(self.heal(undo).evidence)
        except InjectionError as problem:
            if json_api.is_gone(problem) and not undo.get("outlives"):
                return f"{', '.join(undo['enabled'])}: the whole proxy server is gone"
            raise

    def _break(self, name: str) -> None:
        place = f"{self._url}/proxies/{quote(name, safe='')}"
        for toxic in self._plan.toxics:
            json_api.call("POST", f"{place}/toxics", toxic.as_json())
        if self._plan.disable:
            json_api.call("POST", place, {"enabled": False})
        state = self._get(self._url, name)
        for toxic in self._plan.toxics:
            if not toxic.stands_in(state["toxics"]):
                raise InjectionError(
                    f"{name}: took toxic {toxic.name}, but not as asked; check its attributes"
                )
        if state["enabled"] == self._plan.disable:
            raise InjectionError(f"{name}: did not become {'disabled' if self._plan.disable else 'enabled'}")

    def _mend(self, url: str, name: str, ours: list[str], was_enabled: bool) -> str:
        place = f"{url}/proxies/{quote(name, safe='')}"
        try:
            state = self._get(url, name)
        except Refused as problem:
            if problem.status == 404:
                return "the proxy is not there any more"
            raise
        found = [toxic["name"] for toxic in state["toxics"] if toxic["name"] in ours]
        for toxic in found:
            # 404: somebody else, such as the watchdog, was faster.
            json_api.call("DELETE", f"{place}/toxics/{quote(toxic, safe='')}", ok=(204, 404))
        disabled = self._plan.disable and was_enabled and not state["enabled"]
        if disabled:
            json_api.call("POST", place, {"enabled": True})
        state = self._get(url, name)
        left = [toxic["name"] for toxic in state["toxics"] if toxic["name"] in ours]
        if left or (disabled and not state["enabled"]):
            raise InjectionError(f"{name}: could not be mended; left: {', '.join(left) or 'disabled'}")
        missing = len(ours) - len(found)
        return "; ".join(
            [f"{len(found)} toxics removed"] * bool(found)
            + [f"{missing} toxics were gone already"] * bool(missing)
            + ["enabled again"] * disabled
            + ["was enabled already"] * (self._plan.disable and not disabled)
        )

    def _prove(self, state: Mapping[str, Any], before: Sight) -> tuple[str, bool]:
        end_s = time.monotonic() + _LOOK_WITHIN_S
        for _ in range(self._plan.looks):
            now = self._look(state, self._plan.wait_s)
            if before.how == tcp_probe.ANSWERED and self._plan.shows(before, now):
                return f"a client saw it: {now}; before: {before}", True
            if time.monotonic() > end_s:
                break
        return f"a client did not see it: {now}; before: {before}", False

    def _look(self, state: Mapping[str, Any], wait_s: float) -> Sight:
        listen = self._addresses.get(state["name"], str(state["listen"]))
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        if host in _ANY_HOST:
            host = urlsplit(self._url).hostname or "127.0.0.1"
        protocol = self._probe or ("redis" if "redis" in state["name"] else "http")
        questions = tcp_probe.enough(protocol, self._plan.least_bytes)
        return tcp_probe.look(host, int(port), protocol, questions, wait_s)

    def _get(self, url: str, name: str) -> Mapping[str, Any]:
        state: Mapping[str, Any] = json_api.call("GET", f"{url}/proxies/{quote(name, safe='')}")
        return state
