"""A real Alertmanager between the sender and the Gateway: checked, pushed to, watched, and left as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gevent
import requests
from prometheus_client.parser import text_string_to_metric_families

from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.orders import Orders
from chaos_hooks.routing import RoutingError, longest, receivers
from reports import messenger
from reports.history import Observation
from reports.messenger import Pace
from shapes import push
from shapes.alerts import Naming
from shapes.scenario import Scenario
from shapes.target import AnswerRules, Endpoints, Target

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
START = ("--alertmanager", "on")  # What a start command is given, so that what it starts has one.
_TIMEOUT_S = 3.0
_HELD_TIMEOUT_S = 30.0
_PEER_S = 15.0  # --cluster.peer-timeout: so long each peer waits for those before it.
_POLL_S = 0.2
_AT_ONCE = 500
# Its own counters, by the names that the judge reads; only those of webhooks.
_METRICS = {
    "alertmanager_notifications_total": messenger.BEGUN,
    "alertmanager_notifications_failed_total": messenger.GIVEN_UP,
    "alertmanager_notification_requests_total": messenger.TRIES,
    "alertmanager_notification_requests_failed_total": messenger.FAILED_TRIES,
}
_STARTED = "process_start_time_seconds"


def lacks(scenario: Scenario, target: Target) -> str:
    """Return why a scenario cannot go through an Alertmanager here; empty if it can."""
    if not scenario.through:
        return ""
    if all(promise.criterion in push.not_asked(scenario.relayed) for promise in scenario.promises):
        return "none of its criteria can be decided through an Alertmanager"
    if scenario.relayed and not target.start:
        return "a relay can only stand behind an Alertmanager that the run starts; leave 'relay' out"
    if target.endpoints.alertmanager_url:
        return ""
    if not target.start:
        return f"target {target.name} names no Alertmanager; write endpoints.alertmanager_url and _receiver"
    if any(map(shutil.which, PROGRAMS)):
        return ""
    return f"there is no {' or '.join(PROGRAMS)} on PATH (Debian's package: prometheus-alertmanager)"


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One that is there, with the receiver that posts to the Gateway and how long it may keep alerts back."""

    url: str
    receiver: str
    version: str
    pace: Pace

    @property
    def facts(self) -> dict[str, str]:
        """Return what the run's record says of it; by these the judge knows that it stood in between."""
        return {
            messenger.FACT: f"Alertmanager {self.version} at {self.url}, receiver {self.receiver}",
            messenger.WAIT_FACT: f"{self.pace.group_wait_s:g}",
            messenger.INTERVAL_FACT: f"{self.pace.group_interval_s:g}",
        }

    def orders(self, direct: Orders, scenario: Scenario) -> Orders:
        """Return the orders by which the alerts are pushed here. The Gateway's headers, which may hold its
        token, are left out; its trace would end here, so none is begun."""
        return replace(
            direct,
            url=self.url + push.PATH,
            headers={},
            answers=AnswerRules(acked={}, bodiless=push.PUSHED),
            traced=False,
            pushed_until_s=scenario.load_s + push.FIRES_S,
        )

    def question(self) -> Callable[[], Mapping[str, float]]:
        """Return the probe of its metrics."""
        session = _session()

        def ask() -> Mapping[str, float]:
            answer = session.get(f"{self.url}/metrics", timeout=1.0, allow_redirects=False)
            answer.raise_for_status()
            return read_metrics(answer.text)

        return ask

    def held(self, naming: Naming, clock: RunClock) -> Observation:
        """Return how many of the run's alerts it holds, sends to the receiver, and neither silences nor
        inhibits, as its API says now."""
        asked_s = clock.now()
        try:
            found = self._ours(naming)
        except (requests.RequestException, ValueError, LookupError, TypeError) as problem:
            error = f"{type(problem).__name__}: {problem}"[:200]
            return Observation(messenger.HELD, asked_s, clock.now(), False, error=error)
        routed = sum(any(r["name"] == self.receiver for r in each["receivers"]) for each in found)
        loud = sum(each["status"]["state"] != "suppressed" for each in found)
        values = {"held": float(len(found)), "routed": float(routed), "unsuppressed": float(loud)}
        return Observation(messenger.HELD, asked_s, clock.now(), True, values)

    def wait_delivered(self, clock: RunClock, say: Callable[[str], None]) -> None:
        """Return when it owes nothing, or is gone for so long as it may keep an alert back, or when three of
        its flushes and a minute are over. Only the judge decides whether it owed something at the end."""
        ask, begun_s = self.question(), clock.now()
        longest_s = self.pace.longest_s
        say(f"waiting for Alertmanager to deliver, {longest_s:g} s at least")
        good: list[Observation] = []
        while (now_s := clock.now()) < begun_s + 3 * (longest_s + self.pace.flush_s) + 60.0:
            try:
                good.append(Observation(messenger.PROBE, now_s, clock.now(), True, ask()))
            except (requests.RequestException, ValueError):
                if now_s - (good[-1].answered_s if good else begun_s) > longest_s:
                    say("Alertmanager does not answer any more")
                    return
            if good and not messenger.owed(good, begun_s, self.pace):
                return
            gevent.sleep(_POLL_S)
        say("Alertmanager still owes alerts; going on without them")

    def dismiss(self, naming: Naming, clock: RunClock, say: Callable[[str], None]) -> None:
        """Resolve the run's alerts, which would else fire on for an hour; tell if that cannot be done."""
        keys, now = ("labels", "annotations", "startsAt", "generatorURL"), clock.rfc3339(clock.now())
        try:
            found = [{**{k: each[k] for k in keys}, "endsAt": now} for each in self._ours(naming)]
            with _session() as session:
                for first in range(0, len(found), _AT_ONCE):
                    some = found[first : first + _AT_ONCE]
                    session.post(self.url + push.PATH, json=some, timeout=_HELD_TIMEOUT_S).raise_for_status()
        except (requests.RequestException, ValueError, LookupError, TypeError) as problem:
            say(f"the run's alerts stay in Alertmanager for an hour ({type(problem).__name__})")

    def _ours(self, naming: Naming) -> list[dict[str, Any]]:
        wanted = f'{naming.rules.object_label}=~"chaos-{naming.token}-.*"'
        with _session() as session:
            answer = session.get(self.url + push.PATH, params={"filter": wanted}, timeout=_HELD_TIMEOUT_S)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


def connect(endpoints: Endpoints) -> Alertmanager:
    """Return the Alertmanager that the target names, after it told its version and configuration.

    Raises:
        SetupError: if it does not answer, or has no receiver of that name.
    """
    url, name = endpoints.alertmanager_url.rstrip("/"), endpoints.alertmanager_receiver
    if not url:
        raise SetupError("endpoints.alertmanager_url: is missing; the scenario says 'through: alertmanager'")
    try:
        with _session() as session:
            answer = session.get(f"{url}/api/v2/status", timeout=_TIMEOUT_S, allow_redirects=False)
        answer.raise_for_status()
        told = answer.json()
        config, version = told["config"]["original"], str(told["versionInfo"]["version"])
        peers = len(told["cluster"].get("peers") or [])
        known = receivers(config)
        if name not in known:
            listed = ", ".join(sorted(known)) or "(none)"
            raise SetupError(
                f"endpoints.alertmanager_receiver: it has no {name!r} with a webhook; there are: {listed}"
            )
        wait_s, interval_s = longest(config, name)
    except (requests.RequestException, RoutingError, ValueError, LookupError, TypeError) as problem:
        what = f"{type(problem).__name__}: {problem}"[:200]
        raise SetupError(
            f"endpoints.alertmanager_url: {url}: {what}; start Alertmanager, or mend it"
        ) from None
    return Alertmanager(url, name, version, Pace(wait_s + _PEER_S * max(0, peers - 1), interval_s))


def read_metrics(text: str) -> dict[str, float]:
    """Return its counters of webhook notifications, summed over their other labels, and when it was started.

    Raises:
        ValueError: if it is not the Prometheus text format.
    """
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _STARTED:
                values[messenger.STARTED] = sample.value
            elif sample.name in _METRICS and sample.labels.get("integration") == "webhook":
                name = _METRICS[sample.name]
                values[name] = values.get(name, 0.0) + sample.value
    return values


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
