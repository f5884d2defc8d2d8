"""Kill a component through the target's control API, which starts it again when the lease ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent

from chaos_hooks import json_api
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

# The lease outlasts the fault: the Conductor heals on time, the lease only when the Conductor is gone.
_LEASE_MARGIN_S = 10.0
_RETURN_WITHIN_S = 30.0
_POLL_S = 0.05


class Injector:
    """Options: ``component`` (a name or a role, such as redis-primary), ``signal`` (KILL or TERM) and
    ``restart_after`` (a duration): die as a pod does, which its supervisor replaces. Then the fault ends by
    itself, and inject returns when the next process runs; without it, it is dead until it is healed.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        unknown = set(fault.options) - {"component", "signal", "restart_after_s"}
        if unknown or "component" not in fault.options:
            raise ValueError(
                "takes component, signal and restart_after (a duration), "
                f"got {', '.join(sorted(fault.options)) or 'nothing'}"
            )
        self._url = endpoints.control_url
        self._clock = clock
        self._fault = fault
        self._component = str(fault.options["component"])
        self._signal = str(fault.options.get("signal", "KILL"))
        self._restart_after_s: float | None = fault.options.get("restart_after_s")

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
        """Kill it, and return when its parent reaped it; with restart_after, when the next one runs.

        Raises:
            InjectionError: if it could not be killed, or nobody saw it die.
        """
        found = self._find()
        name = str(found["name"])
        write_undo({"control_url": self._url, "component": name, "options": dict(self._fault.options)})
        body: dict[str, Any] = {"signal": self._signal}
        if self._restart_after_s is None:
            body["for_s"] = self._fault.for_s + _LEASE_MARGIN_S
        else:
            body["restart_after_s"] = self._restart_after_s
        asked_s = self._clock.now()
        answer = self._call("POST", f"/components/{name}/kill", body)
        answered_s = self._clock.now()
        died = Interval(asked_s, max(asked_s, answered_s - float(answer["died_ago_s"])))
        line = f"{name} (process {answer['pid']}, {found['role']}) ended by SIG{answer['signal']} in {died}"
        if self._restart_after_s is None:
            return Effect(died, True, (line,))
        back = self._await_return(name, answer["pid"], answered_s + self._restart_after_s + _RETURN_WITHIN_S)
        if back is None:
            late = f"not running again {_RETURN_WITHIN_S:g} s after its restart was due"
            return Effect(died, True, (line, late))
        pid, started = back
        gap = started.since(died)
        told = f"{name} runs again as process {pid} (was {answer['pid']}), {gap} after its death"
        return Effect(died, True, (line, told), ended=started)

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
            if json_api.is_gone(problem):
                return f"{undo['component']}: its whole target is gone"
            raise

    def _await_return(self, name: str, old_pid: int, until_s: float) -> tuple[int, Interval] | None:
        """Return the next process and when it was started; None when there is none in time."""
        while self._clock.now() < until_s:
            asked_s = self._clock.now()
            components = self._call("GET", "/components", None)["components"]
            answered_s = self._clock.now()
            now = next((c for c in components if c["name"] == name), None)
            if now and now["state"] == "running" and now["pid"] != old_pid:
                ago_s = float(now["started_ago_s"])
                return now["pid"], Interval(asked_s - ago_s, answered_s - ago_s)
            gevent.sleep(_POLL_S)
        return None

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
        value = json_api.call(method, (url or self._url) + path, body)
        if not isinstance(value, dict):
            raise InjectionError(f"{method} {path}: answered {value!r}, wanted a JSON object")
        return value
