"""Probes: they ask the target several times a second and write every answer down, whatever the load does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

import gevent
import redis
import requests
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos_hooks import cluster_probe, component_probe, replica_probes
from chaos_hooks.clock import RunClock
from chaos_hooks.line_file import LineFile
from chaos_hooks.metric_page import read_metrics, reader
from chaos_hooks.pod_metrics import UnaskedError
from reports import replica_sums
from reports.history import Observation
from reports.replicas import PREFIX, PRESENCE
from reports.signals import CLOSED, COMPONENTS, METRICS, READY, SENTINEL
from shapes.scenario import PROBE_EVERY_S, PROBE_GIVES_UP_S
from shapes.target import Endpoints, Metric, Target

PERIOD_S = PROBE_EVERY_S
# The components' supervisor asks the Sentinels for each answer, and its counts lose nothing in between.
_PERIODS_S = {COMPONENTS: 1.0, PRESENCE: 1.0}
_TIMEOUT_S = PROBE_GIVES_UP_S

Question = Callable[[], Mapping[str, float]]


class ProbeError(Exception):
    """The target gave no good answer; the message is short and says what came instead."""


class Prober:
    """One greenlet a probe: a probe that hangs does not delay the others."""

    def __init__(
        self,
        clock: RunClock,
        record: LineFile,
        fail: Callable[[BaseException], None],
        every_s: float = PERIOD_S,
    ) -> None:
        self._every_s = every_s
        self._clock = clock
        self._record = record
        self._fail = fail
        self._greenlets: dict[str, gevent.Greenlet] = {}
        self.latest: dict[str, Observation] = {}

    def start(self, questions: Mapping[str, Question]) -> None:
        """Begin to ask; each probe by itself, every ``every_s`` seconds, the components every second."""
        for name, question in questions.items():
            self.follow(name, question)

    def follow(self, name: str, question: Question) -> None:
        """Begin to ask one more."""
        greenlet = self._greenlets[name] = gevent.spawn(self._ask_for_ever, name, question)
        greenlet.link_exception(lambda g: self._fail(g.exception))

    def leave(self, name: str) -> None:
        """Ask it no more; what it answered last stands for nothing."""
        self._greenlets.pop(name).kill(block=False)
        self.latest.pop(name, None)

    def stop(self) -> None:
        """Stop asking."""
        gevent.killall(list(self._greenlets.values()))
        self._greenlets.clear()

    def note(self, seen: Observation) -> None:
        """Write down what was seen, be it by a probe or once."""
        self.latest[seen.probe] = seen
        self._record.append(asdict(seen))

    def looks_normal(self) -> bool:
        """Return whether the latest answers, as far as there are any, say ready and all breakers closed."""
        ready, metrics = self.latest.get(READY), self.latest.get(METRICS)
        states = [v for k, v in (metrics.values if metrics else {}).items() if k.startswith("breaker.")]
        return (ready is None or ready.ok) and all(state == CLOSED for state in states)

    def wait_normal(self, for_s: float) -> None:
        """Return when it looks normal, or after ``for_s``."""
        with gevent.Timeout(for_s, False):
            while not self.looks_normal():
                gevent.sleep(PERIOD_S)

    def _ask_for_ever(self, name: str, question: Question) -> None:
        due_s = self._clock.now()
        while True:
            if answer := self._ask(name, question):
                self.note(answer)
            if name.startswith(PREFIX) and (
                one := replica_sums.worst(o for n, o in self.latest.items() if n.startswith(PREFIX))
            ):
                self.latest[METRICS] = one
            # A slow answer skips the dates it missed: asking faster afterwards would tell nothing more.
            due_s = max(due_s + _PERIODS_S.get(name, self._every_s), self._clock.now())
            self._clock.sleep_until(due_s)

    def _ask(self, name: str, question: Question) -> Observation | None:
        asked_s = self._clock.now()
        try:
            with gevent.Timeout(_TIMEOUT_S):
                values = question()
        except gevent.Timeout:
            return Observation(
                name, asked_s, self._clock.now(), False, error=f"no answer in {_TIMEOUT_S:g} s"
            )
        except UnaskedError:
            return None
        except (ProbeError, requests.RequestException, redis.RedisError, OSError, ValueError) as problem:
            return Observation(name, asked_s, self._clock.now(), False, error=_short(problem))
        return Observation(name, asked_s, self._clock.now(), True, dict(values))


def questions(target: Target, endpoints: Endpoints) -> dict[str, Question]:
    """Return what can be asked of this target, by probe name."""
    found: dict[str, Question] = {}
    if endpoints.replicas:
        found[METRICS] = replica_probes.Together(endpoints, reader(target))
    elif endpoints.metrics_url:
        found[METRICS] = _Metrics(endpoints.metrics_url, target.metrics)
    if endpoints.ready_url:
        found[READY] = _Ready(endpoints.ready_url)
    if endpoints.control_url:
        found[COMPONENTS] = _Components(endpoints.control_url)
    elif cluster_probe.watches(endpoints):
        found[COMPONENTS] = cluster_probe.Components(endpoints)
    if endpoints.sentinels:
        found[SENTINEL] = _Sentinel(endpoints.sentinels, endpoints.sentinel_master)
    return found


class _Metrics:
    """The Gateway's own /metrics, reduced to what the target file maps."""

    def __init__(self, url: str, metrics: Mapping[str, Metric]) -> None:
        self._url = url
        self._metrics = metrics
        self._session = _session()

    def __call__(self) -> Mapping[str, float]:
        answer = self._session.get(self._url, timeout=_TIMEOUT_S, allow_redirects=False)
        if answer.status_code != 200:
            raise ProbeError(f"status {answer.status_code}")
        return read_metrics(answer.text, self._metrics)


class _Ready:
    """The Gateway's readiness."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = _session()

    def __call__(self) -> Mapping[str, float]:
        answer = self._session.get(self._url, timeout=_TIMEOUT_S, allow_redirects=False)
        if answer.status_code != 200:
            raise ProbeError(f"status {answer.status_code}")
        return {}


class _Components:
    """The target's processes, as their supervisor has them."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/components"
        self._session = _session()

    def __call__(self) -> Mapping[str, float]:
        answer = self._session.get(self._url, timeout=_TIMEOUT_S, allow_redirects=False)
        if answer.status_code != 200:
            raise ProbeError(f"status {answer.status_code}")
        return component_probe.read(answer.json())


class _Sentinel:
    """Who the primary is, as the first Sentinel that answers has it."""

    def __init__(self, addresses: tuple[str, ...], master: str) -> None:
        self._master = master
        self._clients = []
        for address in addresses:
            host, _, port = address.rpartition(":")
            # Protocol 2 is what every Sentinel speaks; the client's own choice begins with a HELLO 3.
            client = redis.Redis(host, int(port), socket_timeout=0.3, retry=Retry(NoBackoff(), 0), protocol=2)
            self._clients.append(client)

    def __call__(self) -> Mapping[str, float]:
        problem: Exception = ProbeError("no Sentinel is named")
        for client in self._clients:
            try:
                address = client.sentinel_get_master_addr_by_name(self._master)
            except (redis.RedisError, OSError) as error:
                problem = error
                continue
            if not isinstance(address, tuple):
                problem = ProbeError(f"the Sentinel knows no {self._master!r}")
                continue
            host, port = (part.decode() if isinstance(part, bytes) else part for part in address)
            return {f"primary:{host}:{port}": 1.0}
        raise ProbeError(_short(problem))


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _short(problem: Exception) -> str:
    cause: BaseException = problem
    while cause.__context__ is not None:
        cause = cause.__context__
    return f"{type(problem).__name__}: {cause}"[:200]
