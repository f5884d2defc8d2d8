"""What all replicas did together, as samples of one Gateway: counters added, gauges of the worst."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from reports import counters, replicas, signals
from reports.history import Observation
from reports.replicas import Replica

# What is no counter: of these the largest counts, as the worst replica's.
_LARGEST = ("breaker.", "redis_pool.", "k8s_queue", "buffer.size")


def together(observations: Iterable[Observation]) -> list[Observation]:
    """Return the metrics of all replicas at each answer of one.

    A sample is good when the latest answer of each replica that was there is. Whenever a replica restarts, or
    goes, all counters begin at 0 again, as those of one process would, and its last counts may be missing; so
    whoever reads counters across restarts reads these rightly. One that comes brings what it has counted.
    """
    known = list(observations)
    lives = {one.probe: one for one in replicas.of(known)}
    sums = _Sums()
    found = []
    answers = sorted((o for o in known if o.probe in lives and not o.overslept), key=lambda o: o.answered_s)
    for o in answers:
        one = lives[o.probe]
        if o.asked_s < one.came_s or o.answered_s > one.went_s:
            continue
        sums.leave(probe for probe, other in lives.items() if other.went_s < o.answered_s)
        sums.take(one, o)
        awaited = [p for p, r in lives.items() if r.came_s <= o.asked_s <= r.went_s and p not in sums.latest]
        if not awaited:
            found.append(sums.sample(o))
    return found


def worst(latest: Iterable[Observation]) -> Observation | None:
    """Return the latest answers of all replicas as one, for who only wants to know how it stands."""
    known = list(latest)
    if not known:
        return None
    bad = [o for o in known if not o.ok]
    values = _joined([o.values for o in known], sum)
    asked_s, answered_s = min(o.asked_s for o in known), max(o.answered_s for o in known)
    return Observation(signals.METRICS, asked_s, answered_s, not bad, values, bad[0].error if bad else "")


def largest(key: str) -> bool:
    """Return whether a metric is no counter, so that the largest counts."""
    return key.startswith(_LARGEST)


class _Sums:
    """Runs along the answers: the latest of each replica, and what all counted since the counters began."""

    def __init__(self) -> None:
        self.latest: dict[str, Observation] = {}
        self._good: dict[str, Observation] = {}
        self._counted: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._begun = 1.0

    def leave(self, probes: Iterable[str]) -> None:
        for probe in list(probes):
            self.latest.pop(probe, None)
            if self._good.pop(probe, None):
                self._begin_anew()

    def take(self, one: Replica, o: Observation) -> None:
        self.latest[one.probe] = o
        if not o.ok:
            return
        before = self._good.get(one.probe)
        self._good[one.probe] = o
        counts = {key: value for key, value in o.values.items() if not _apart(key)}
        if before is None:
            self._add(counts)
        elif _anew(before, o):
            self._begin_anew()
            self._add(counts)
        else:
            self._add({key: value - before.values.get(key, 0.0) for key, value in counts.items()})

    def sample(self, o: Observation) -> Observation:
        asked_s = min(each.asked_s for each in self.latest.values())
        bad = [each for each in self.latest.values() if not each.ok]
        if bad:
            return Observation(signals.METRICS, asked_s, o.answered_s, False, error=bad[0].error)
        values = _joined([each.values for each in self.latest.values()], lambda _: math.nan)
        gauges = {key: value for key, value in values.items() if largest(key)}
        self._shown = dict(self._counted)
        counted = {**self._counted, counters.PROCESS_START: self._begun}
        return Observation(signals.METRICS, asked_s, o.answered_s, True, {**gauges, **counted})

    def _add(self, counts: Mapping[str, float]) -> None:
        for key, value in counts.items():
            self._counted[key] = self._counted.get(key, 0.0) + value

    def _begin_anew(self) -> None:
        self._begun += 1.0
        # What was counted while no sample was good was not shown yet, and stays.
        self._counted = {key: value - self._shown.get(key, 0.0) for key, value in self._counted.items()}
        self._shown = {}


def _anew(before: Observation, now: Observation) -> bool:
    """Return whether a replica's process is another one, by its start or by a counter that fell."""
    starts = [o.values.get(counters.PROCESS_START) for o in (before, now)]
    if None not in starts and starts[0] != starts[1]:
        return True
    return any(now.values.get(k, 0.0) < v for k, v in before.values.items() if not _apart(k))


def _apart(key: str) -> bool:
    return key == counters.PROCESS_START or largest(key)


def _joined(each: Iterable[Mapping[str, float]], add: Callable[[list[float]], float]) -> dict[str, float]:
    by_key: dict[str, list[float]] = {}
    for values in each:
        for key, value in values.items():
            by_key.setdefault(key, []).append(value)
    return {key: max(values) if largest(key) else add(values) for key, values in by_key.items()}
