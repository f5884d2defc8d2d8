"""What is known of an Alertmanager that stands between the sender and the Gateway: whether it kept its word.

It answers 200 to what it takes into its memory, and posts it later, as often as it needs. So an alert that it
took and that is in no RemediationRequest is the Gateway's loss only if Alertmanager delivered it. Its own
counters prove that (notify/notify.go, RetryStage): a notification is counted when it begins, each try of it
when the try ends, and a notification that was given up until the group's next flush as failed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from reports import table
from reports.history import History, Observation, Outcome

# What a probe of its metrics saw; and what its API said once, after the load, of the alerts that it holds.
PROBE, HELD = "alertmanager", "alertmanager_held"
STARTED, BEGUN, GIVEN_UP = "process_start", "notifications", "notifications_failed"
TRIES, FAILED_TRIES = "tries", "tries_failed"
COUNTS = (BEGUN, GIVEN_UP, TRIES, FAILED_TRIES)
# The facts of the target by which a run is known to go through one, and how long it waits before it posts.
FACT, WAIT_FACT, INTERVAL_FACT = "through", "alertmanager_group_wait_s", "alertmanager_group_interval_s"
SLACK_S = 1.0  # A flush begins a little after it is due, and what it begins is counted a little later.
LEAST_FLUSH_S = 10.0  # notify.MinTimeout
MEND = "see logs/alertmanager.log and its metrics; keep it up, route the alerts to the Gateway, silence none"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long an Alertmanager may keep an alert back: in a new group, and in one that it has posted of."""

    group_wait_s: float
    group_interval_s: float

    @property
    def longest_s(self) -> float:
        """Return how long after a push its notification has begun, and after a failure the next one."""
        return max(self.group_wait_s, self.group_interval_s) + SLACK_S

    @property
    def flush_s(self) -> float:
        """Return how long it tries until it gives a notification up, or a try that hangs has failed."""
        return max(self.group_interval_s, LEAST_FLUSH_S) + SLACK_S


def stands_between(history: History) -> bool:
    """Return whether the alerts went through an Alertmanager."""
    return bool(history.run.target_facts.get(FACT))


def meaning(history: History) -> str:
    """Return what "acknowledged" means in a run through an Alertmanager; empty of any other."""
    told = "acknowledged means that Alertmanager took it; it posts it to the Gateway later, at its own times"
    return told if stands_between(history) else ""


def doubt(history: History) -> str:
    """Return why an alert that it took may not have been delivered; empty if all were, or none is between."""
    if not stands_between(history):
        return ""
    looks = history.samples(PROBE)
    good = [o for o in looks if o.ok]
    if not good:
        return "Alertmanager was never seen"
    return _changed(history, good) or _not_held(history) or owed(good, last_push_s(history), _pace(history))


def owed(good: Iterable[Observation], pushed_s: float, pace: Pace) -> str:
    """Return what it still owes by the last look; empty if nothing.

    Args:
        good: the looks that were answered, in order.
        pushed_s: when the last alert was pushed.
    """
    looks = list(good)
    last = looks[-1]
    lacks = [name for name in COUNTS if name not in last.values]
    if lacks:
        return f"Alertmanager's metrics have no {' and no '.join(lacks)}"
    why = _by_counts(looks, pushed_s, pace)
    if not why:
        return ""
    # What is begun of resolved alerts that nobody wants to hear of is counted, and never tried, so that the
    # counts may never meet. But what is not delivered fails again and again: in time each failure is seen.
    failed_s = _last_rise_s(looks, FAILED_TRIES)
    since_s = max(pushed_s, failed_s or 0.0)
    return "" if last.asked_s >= since_s + pace.longest_s + pace.flush_s else why


def _by_counts(looks: list[Observation], pushed_s: float, pace: Pace) -> str:
    """Return what its counts leave open; they may say too much, and never too little."""
    last = looks[-1]
    on = under_way(last.values)
    if on > 0:
        return f"Alertmanager was still trying to deliver {on:g} notifications at {last.answered_s:.1f} s"
    given_up_s = _last_rise_s(looks, GIVEN_UP)
    if given_up_s is not None and last.asked_s < given_up_s + pace.longest_s:
        return f"Alertmanager gave a notification up at {given_up_s:.1f} s, and its next try was not seen"
    if last.asked_s < pushed_s + pace.longest_s:
        return (
            f"Alertmanager was last seen at {last.asked_s:.1f} s; what was pushed at {pushed_s:.1f} s it may "
            f"keep back for {pace.longest_s:g} s"
        )
    return ""


def under_way(values: Mapping[str, float]) -> float:
    """Return how many notifications were begun and neither delivered nor given up."""
    return values[BEGUN] - values[GIVEN_UP] - (values[TRIES] - values[FAILED_TRIES])


def last_push_s(history: History) -> float:
    """Return when the last alert was pushed; 0 if none was."""
    told = table.of(history)
    done_s = np.nan_to_num(told.done_s)
    pushed_s = np.where(done_s != 0.0, done_s, told.due_s)
    return float(pushed_s.max()) if len(told) else 0.0


def figures(first: Observation, last: Observation) -> dict[str, float]:
    """Return by how much each of its counters grew."""
    return {name: last.values[name] - first.values.get(name, 0.0) for name in COUNTS if name in last.values}


def _pace(history: History) -> Pace:
    facts = history.run.target_facts
    return Pace(float(facts.get(WAIT_FACT, "30")), float(facts.get(INTERVAL_FACT, "300")))


def _changed(history: History, good: list[Observation]) -> str:
    begun_s = min(table.ordered(table.of(history).begun_s)[:1].tolist(), default=0.0)
    if good[0].asked_s > begun_s:
        return f"Alertmanager was first seen at {good[0].asked_s:.1f} s, after the first alert"
    first = good[0].values.get(STARTED)
    other = next((o for o in good if o.values.get(STARTED) != first), None)
    if first is None:
        return "Alertmanager's metrics do not tell when it was started"
    return f"Alertmanager was started anew by {other.answered_s:.1f} s: what it held is gone" if other else ""


def _not_held(history: History) -> str:
    told = [o for o in history.samples(HELD) if o.ok]
    alerts = table.of(history)
    taken = len(table.distinct(alerts.subject[alerts.are(Outcome.ACKED)]))
    if not told:
        return "Alertmanager was not asked which alerts it held"
    values = told[-1].values
    for name, words in (
        ("held", "held only {} of {} alerts after the load"),
        ("routed", "sends only {} of {} alerts to the Gateway's receiver"),
        ("unsuppressed", "sends only {} of {} alerts: the others are silenced or inhibited"),
    ):
        if values.get(name, 0.0) < taken:
            return "Alertmanager " + words.format(f"{values.get(name, 0.0):g}", taken)
    return ""


def _last_rise_s(looks: list[Observation], key: str) -> float | None:
    """Return when a counter was last seen to have grown; None if never, since before the first look."""
    found = None
    for one, other in itertools.pairwise(looks):
        if other.values.get(key, 0.0) > one.values.get(key, 0.0):
            found = other.answered_s
    return found
