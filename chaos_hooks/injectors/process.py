"""Kill or pause a component through the target's control API, which starts it again when the lease ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import requests

from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

# The lease outlasts the fault: the Conductor heals on time, the lease only when the Conductor is gone.
_LEASE_MARGIN_S = 10.0
_TIMEOUT_S = 15.0


class Injector:
    """Options: ``component`` (a name or a role, such as redis-primary), ``signal`` (KILL or TERM)."""

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        unknown = set(fault.options) - {"component", "signal"}
        if unknown or "component" not in fault.options:
            raise ValueError(
                f"takes component and signal, got {', '.join(sorted(fault.options)) or 'nothing'}"
            )
        self._url = endpoints.control_url
        self._clock = clock
        self._fault = fault
        self._component = str(fault.options["component"])
        self._signal = str(fault.options.get("signal", "KILL"))

    def available(self) -> str:
        """Say whether there is a control API, and a component of that name or role, running."""
        if not self._url:
            return "the target has no control_url; use a target that starts a sandbox, or another injector"
        try:
            self._find()
        except InjectionError as problem:
            return str(problem)
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Kill it, and return when its parent reaped it.

        Raises:
            InjectionError: if it could not be killed, or nobody saw it die.
        """
        found = self._find()
        name = str(found["name"])
        write_undo({"control_url": self._url, "component": name})
        body = {"signal": self._signal, "for_s": self._fault.for_s + _LEASE_MARGIN_S}
        asked_s = self._clock.now()
        answer = self._call("POST", f"/components/{name}/kill", body)
        answered_s = self._clock.now()
        died = Interval(asked_s, max(asked_s, answered_s - float(answer["died_ago_s"])))
        line = f"{name} (process {answer['pid']}, {found['role']}) ended by SIG{answer['signal']} in {died}"
        return Effect(died, True, (line,))

    def heal(self, undo: Undo) -> Effect:
        """Start it again and wait until it is ready; if it runs already, that is said."""
        name = undo["component"]
        asked_s = self._clock.now()
        answer = self._call("POST", f"/components/{name}/start", {}, str(undo["control_url"]))
        answered_s = self._clock.now()
        how = "was running already" if answer["already_running"] else "started again"
        line = f"{name} {how} (process {answer['pid']}), ready at {answered_s:.2f} s"
        return Effect(Interval(asked_s, answered_s), True, (line,))

    def sweep(self, undo: Undo) -> str:
        """Start what an earlier run left dead; a control API that is gone took its components along."""
        try:
            return self.heal(undo).evidence[0]
        except InjectionError as problem:
            if isinstance(problem.__cause__, requests.ConnectionError):
                return f"{undo['component']}: its whole target is gone"
            raise

    def _find(self) -> Mapping[str, Any]:
        components = self._call("GET", "/components", None)["components"]
        named = [c for c in components if self._component in (c["name"], c["role"])]
        if not named:
            known = sorted({c["name"] for c in components} | {c["role"] for c in components if c["role"]})
            raise InjectionError(f"no component {self._component!r}; there are: {', '.join(known)}")
        if named[0]["state"] != "running":
            raise InjectionError(f"{named[0]['name']} is {named[0]['state']}; start it first")
        found: Mapping[str, Any] = named[0]
        return found

    def _call(self, method: str, path: str, body: object, url: str = "") -> Mapping[str, Any]:
        address = (url or self._url) + path
        try:
            with requests.Session() as session:
                session.trust_env = False  # A proxy of the environment cannot reach this machine's loopback.
                answer = session.request(method, address, json=body, timeout=_TIMEOUT_S)
            value: Mapping[str, Any] = answer.json()
            if not isinstance(value, dict):
                raise ValueError(f"wanted a JSON object, got {value!r}")
        except (requests.RequestException, ValueError) as problem:
            raise InjectionError(f"{method} {path}: {type(problem).__name__}") from problem
        if answer.status_code != 200:
            raise InjectionError(f"{method} {path}: {value.get('error', answer.status_code)}")
        return value
