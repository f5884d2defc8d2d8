"""Between runs against a target that is not started anew: remove what one left, wait until it is steady."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import gevent
import redis
import requests

from chaos_hooks import preflight, probes, redis_set
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.options import Options
from chaos_hooks.probes import ProbeError, Question
from chaos_hooks.truth import Truth, TruthError
from reports.signals import CLOSED, METRICS, READY
from shapes.alerts import Naming
from shapes.endpoints import Endpoints
from shapes.target import Target

_PERIOD_S = 0.5
# What a Gateway keeps for later would end in the next run's account.
_EMPTY = ("buffer.size", "k8s_queue")
_PAGE = 500


class CoolDown:
    """Of one campaign. ``broken_off`` tells that nobody wants it any more."""

    def __init__(self, options: Options, say: Callable[[str], None], broken_off: Callable[[], bool]) -> None:
        self._options = options
        self._say = say
        self._broken_off = broken_off

    def concerns(self, target: Target) -> bool:
        """Return whether this target outlives a run."""
        return not target.start or bool(self._options.target_url)

    def clean(self, target: Target, naming: Naming) -> None:
        """Remove what the target file lets us remove of a finished run. What cannot be removed is told: the
        next run has ids and labels of its own, so that it is judged rightly all the same."""
        asked = target.cool_down
        try:
            endpoints = self._endpoints(target)
            if asked.delete_resources:
                count = Truth(endpoints, target.resources).delete(naming)
                self._say(f"cool-down: {count} RemediationRequests of the last run deleted")
            if asked.redis_keys:
                count = _delete_keys(endpoints, asked.redis_keys)
                self._say(f"cool-down: {count} keys deleted in Redis ({', '.join(asked.redis_keys)})")
        except (SetupError, TruthError, InjectionError, redis.RedisError, OSError) as problem:
            self._say(f"cool-down: not all could be removed: {problem}")

    def lacks(self, target: Target) -> str:
        """Wait until the target is steady for a while; return what it still lacks when its time is
        over; nothing if it was broken off.

        Steady is: ready, all breakers closed, nothing buffered or queued, as far as the target shows that.
        """
        asked = target.cool_down
        try:
            questions = probes.questions(target, self._endpoints(target))
        except SetupError as problem:
            return str(problem)
        wanted = {name: ask for name, ask in questions.items() if name in (READY, METRICS)}
        began_s = time.monotonic()
        steady_since_s: float | None = None
        self._say(f"cool-down: until steady for {asked.steady_for_s:g} s")
        while not self._broken_off():
            now_s, lack = time.monotonic(), _lacks(wanted)
            steady_since_s = None if lack else steady_since_s or now_s
            if steady_since_s is not None and now_s - steady_since_s >= asked.steady_for_s:
                self._say(f"cool-down: steady after {steady_since_s - began_s:.1f} s")
                return ""
            if now_s - began_s > asked.within_s:
                told = lack or f"not steady for {asked.steady_for_s:g} s"
                return (
                    f"the target was not steady within {asked.within_s:g} s after the run before: {told}; "
                    "mend it, or give the target's cool_down a longer within"
                )
            gevent.sleep(_PERIOD_S)
        return ""

    def _endpoints(self, target: Target) -> Endpoints:
        found = preflight.complete(target.endpoints, target, self._options)
        preflight.guard(found, self._options)
        return found


def _lacks(questions: Mapping[str, Question]) -> str:
    for name, ask in questions.items():
        try:
            values = ask()
        except (ProbeError, requests.RequestException, OSError, ValueError) as problem:
            return f"{name}: {type(problem).__name__}: {problem}"[:200]
        for key, value in values.items():
            if key.startswith("breaker.") and value != CLOSED:
                return f"{key} is not closed"
            if key in _EMPTY and value:
                return f"{key} is {value:g}, not 0"
    return ""


def _delete_keys(endpoints: Endpoints, patterns: tuple[str, ...]) -> int:
    primary, _ = redis_set.discover(endpoints.sentinels, endpoints.sentinel_master)
    count = 0
    with redis_set.client(primary) as server:
        for pattern in patterns:
            keys = list(server.scan_iter(match=pattern, count=_PAGE))
            for begin in range(0, len(keys), _PAGE):
                count += int(server.unlink(*keys[begin : begin + _PAGE]))
    return count
