"""The Gateway works normally before the first fault, and works normally again at the end.

Normal means: every known breaker closed, ready, alerts acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports import signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation, Outcome
from reports.table import Table

EACH_REPLICA = True

_WANTED = "breakers closed, ready, alerts acknowledged, before and at the end"
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of the run that must be normal, by what was seen in it."""

    name: str
    metrics: list[Observation]
    ready: list[Observation]
    alerts: Table

    def lacks(self) -> list[str]:
        """Return what was not seen at all."""
        looked = {
            "metrics with a breaker": [o for o in self.metrics if o.ok and _breakers(o)],
            "readiness": self.ready,
            "alerts": range(len(self.alerts)),
        }
        return [f"no {what} {self.name}" for what, found in looked.items() if not found]

    def wrong(self) -> list[str]:
        """Return what was not normal."""
        shut = [
            f"{key} was not closed at {o.answered_s:.2f} s ({self.name})"
            for o in self.metrics
            for key, value in sorted(_breakers(o).items())
            if o.ok and value != signals.CLOSED
        ]
        ready = [
            f"not ready at {o.answered_s:.2f} s ({self.name}): {o.error}" for o in self.ready if not o.ok
        ]
        bad = self.alerts.some(~self.alerts.are(Outcome.ACKED))
        told = zip(bad.number.tolist(), bad.due_s.tolist(), bad.told.tolist(), strict=True)
        answers = [(number, due_s, bad.tolds[place]) for number, due_s, place in told]
        alerts = [
            f"alert {number} {answer.outcome.value} {answer.kind} at {due_s:.2f} s ({self.name})"
            for number, due_s, answer in answers
        ]
        return [*shut, *ready, *alerts]


def check(history: History, *, stable_s: float = 2.0) -> Finding:
    """Look at all that was seen before the first fault (without a fault: in the first phase), and at the last
    ``stable_s`` seconds of each probe and the last alert, all after the last fault was healed."""
    begin_s = min((i.began.earliest_s for i in history.injections if i.began), default=None)
    healed_s = max((i.ended.latest_s for i in history.injections if i.ended), default=None)
    if not history.run.faults_planned and history.run.phases:
        begin_s = healed_s = history.run.phases[0].end_s
    if begin_s is None or healed_s is None or any(i.began and not i.ended for i in history.injections):
        return unknown(_WANTED, "a fault never began, or was never healed", 0, "see fault_bit")
    stretches = (_before(history, begin_s), _end(history, healed_s, stable_s))
    count = sum(len(s.metrics) + len(s.ready) + len(s.alerts) for s in stretches)
    wrong = [line for stretch in stretches for line in stretch.wrong()]
    if wrong:
        return failed(_WANTED, "; ".join(wrong[:2]), count, wrong[:_EXAMPLES])
    lacks = [line for stretch in stretches for line in stretch.lacks()]
    if lacks:
        mend = "lengthen the first and the last phase, with load, and map the breaker's metric"
        return unknown(_WANTED, "; ".join(lacks), count, mend)
    return passed(_WANTED, "both", count)


def _before(history: History, begin_s: float) -> _Stretch:
    def probe(name: str) -> list[Observation]:
        return [o for o in history.samples(name) if o.answered_s <= begin_s]

    usable = _usable(history)
    alerts = usable.some(usable.done_s <= begin_s)
    alerts = alerts.some(alerts.in_order(alerts.due_s))
    return _Stretch("before", probe(signals.METRICS), probe(signals.READY), alerts)


def _end(history: History, healed_s: float, stable_s: float) -> _Stretch:
    def probe(name: str) -> list[Observation]:
        samples = history.samples(name)
        from_s = max(healed_s, samples[-1].asked_s - stable_s) if samples else healed_s
        return [o for o in samples if o.asked_s >= from_s]

    # What was never begun is no word on the Gateway.
    usable = _usable(history)
    due = usable.some((usable.due_s >= healed_s) & ~np.isnan(usable.begun_s))
    last = due.some(due.in_order(due.due_s)[-1:])
    return _Stretch("at the end", probe(signals.METRICS), probe(signals.READY), last)


def _usable(history: History) -> Table:
    told = table.of(history)
    return told.some(~np.isin(told.number, np.array(sorted(history.run.unusable), np.int64)))


def _breakers(sample: Observation) -> dict[str, float]:
    return {key: value for key, value in sample.values.items() if key.startswith("breaker.")}
