"""What the probes and the ledger tell of the Gateway's state over time, as criteria read it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from reports import counters, table
from reports.answers import Answers, Reading, answers
from reports.history import History, Injection, Observation
from reports.interval import Interval
from reports.table import Table

METRICS, READY, SENTINEL, COMPONENTS = "metrics", "ready", "sentinel", "components"
CLOSED, HALF_OPEN, OPEN = 0.0, 1.0, 2.0
# Longer than this without a sample, and nothing is known of what happened in between. One hung probe is
# shorter (it is given up after a second), so a single missed sample is innocent.
BLIND_S = 2.0


def health(history: History, component: str) -> dict[str, Sequence[Reading]]:
    """Return what shows whether the Gateway works normally, by source: breaker, readiness, its answers.

    A scrape that failed, or does not hold the breaker's state, says nothing of the breaker. A source without
    one reading is empty.
    """
    key = f"breaker.{component}"
    breaker = [
        Reading(o.asked_s, o.answered_s, o.values[key] == CLOSED, _breaker_word(o.values[key]))
        for o in history.samples(METRICS)
        if o.ok and key in o.values
    ]
    ready = [
        Reading(o.asked_s, o.answered_s, o.ok, "ready" if o.ok else f"not ready ({o.error})")
        for o in history.samples(READY)
    ]
    end_s = planned_end_s(history)
    return {
        "breaker": _with_blind(breaker, max(0.0, history.came_s), min(end_s, history.went_s)),
        "readiness": _with_blind(ready, 0.0, end_s),
        "answers": history.once("answers", lambda: answers(history)),
    }


def planned_end_s(history: History) -> float:
    """Return when the plan's last phase ends: until then the probes had to look."""
    return max((phase.end_s for phase in history.run.phases), default=0.0)


def turned_good(readings: Iterable[Reading], from_s: float) -> Interval | None:
    """Return when the last reading that was answered after ``from_s`` and not good gave way to good ones.

    The earliest is when the last bad one was asked (``from_s`` if nothing was bad, but nobody looked for a
    while). The latest is the first good answer to a question asked after all that was answered: until then
    it may have been bad; infinite when there is none. None when all was good.
    """
    if isinstance(readings, Answers):
        return readings.turned_good(from_s)
    known = list(readings)
    not_good = [r for r in known if not r.good and r.answered_s >= from_s]
    if not not_good:
        return None
    bad = [r.asked_s for r in not_good if r.good is False]
    last_s = max(r.answered_s for r in not_good)
    good = [r.answered_s for r in known if r.good and r.asked_s >= last_s]
    return Interval(max(bad, default=from_s), min(good, default=math.inf))


def seen(readings: Sequence[Reading]) -> Sequence[Reading]:
    """Return the readings at which somebody looked."""
    return readings if isinstance(readings, Answers) else [r for r in readings if r.good is not None]


def disturbed(readings: Sequence[Reading], from_s: float) -> bool:
    """Return whether one of them was bad that came after ``from_s``."""
    if isinstance(readings, Answers):
        return readings.disturbed(from_s)
    return any(r.good is False and r.answered_s >= from_s for r in readings)


def just_before(samples: list[Observation], from_s: float) -> Observation | None:
    """Return the last good sample before ``from_s``, unless nobody looked for so long between it and the next
    one that what came in that time may have come before ``from_s``."""
    good = [o for o in samples if o.ok]
    before = [o for o in good if o.answered_s < from_s]
    if not before:
        return None
    next_s = min((o.answered_s for o in good if o.answered_s >= from_s), default=from_s)
    return before[-1] if next_s - before[-1].asked_s <= BLIND_S else None


def became(samples: list[Observation], key: str, value: float, from_s: float) -> Interval | None:
    """Return when a sampled value first became ``value`` after ``from_s``: after the sample before was asked,
    before this one was answered."""
    before_s = from_s
    for sample in samples:
        if not sample.ok or key not in sample.values:
            continue
        if sample.values[key] == value and sample.answered_s >= from_s:
            return Interval(before_s, sample.answered_s)
        before_s = max(from_s, sample.asked_s)
    return None


def rises(samples: list[Observation], key: str, from_s: float) -> list[Interval]:
    """Return every time at which a counter rose after ``from_s``.

    As Prometheus reads counters: one that fell began again at zero (a restart), so what it shows then was
    counted since; one with labels is absent from the metrics until it counts for the first time.
    """
    found = []
    last: Observation | None = None
    for sample in samples:
        if not sample.ok:
            continue
        if last and sample.answered_s >= from_s:
            before, now = last.values.get(key, 0.0), sample.values.get(key, 0.0)
            if now > before or 0.0 < now < before:
                found.append(Interval(max(from_s, last.asked_s), sample.answered_s))
        last = sample
    return found


def opened(samples: list[Observation], component: str, from_s: float) -> Interval | None:
    """Return when a breaker opened after ``from_s``: by its state, or, as it may open and close between two
    samples, by the counter of its changes."""
    seen = became(samples, f"breaker.{component}", OPEN, from_s)
    counted = rises(samples, f"breaker_opened.{component}", from_s)
    return min([*([seen] if seen else []), *counted[:1]], key=lambda i: i.latest_s, default=None)


def while_on(history: History, fault: str) -> Interval | None:
    """Return from when to when a fault was on, as widely as it may have been: to the end of the last phase if
    nobody saw it end; None if it never began."""
    injection = history.injection(fault)
    if injection is None or injection.began is None:
        return None
    end_s = max((p.end_s for p in history.run.phases), default=math.inf)
    if injection.ended and math.isfinite(injection.ended.latest_s):
        end_s = injection.ended.latest_s
    return Interval(injection.began.earliest_s, max(injection.began.latest_s, end_s))


def due_within(history: History, span: Interval) -> Table:
    """Return the alerts that fell due in a span; they are why the Gateway had anything to do in it."""
    told = table.of(history)
    return told.some((told.due_s >= span.earliest_s) & (told.due_s <= span.latest_s))


def was_asked(history: History, from_s: float, until_s: float) -> bool | None:
    """Return whether the Gateway had alerts to work on in a window: those that were begun; of a replica those
    that it counted as received itself, as nobody else knows which it got. None if that cannot be told."""
    if not history.replica:
        begun_s = table.of(history).begun_s
        return bool(((from_s <= begun_s) & (begun_s <= until_s)).any())
    growth = counters.grown(history.samples(METRICS), "received", from_s, until_s)
    return None if growth is None else growth.total > 0


def longest_gap(samples: list[Observation], begin_s: float, end_s: float) -> tuple[float, float]:
    """Return the longest time without a good sample in a window, and when it began."""
    marks = [begin_s, *(o.answered_s for o in samples if o.ok and begin_s <= o.answered_s <= end_s), end_s]
    marks.sort()
    gaps = [(later - earlier, earlier) for earlier, later in itertools.pairwise(marks)]
    return max(gaps, default=(0.0, begin_s))


def began(injection: Injection | None) -> Interval | None:
    """Return when a fault really began, if it did."""
    return injection.began if injection else None


def _with_blind(readings: list[Reading], from_s: float, until_s: float) -> list[Reading]:
    """Add the stretches longer than `BLIND_S` in which nobody looked, between these times."""
    if not readings:
        return []
    looks = [(r.asked_s, r.answered_s) for r in readings]
    edges = [(min(from_s, looks[0][0]),) * 2, *looks, (max(until_s, looks[-1][1]),) * 2]
    blind = [
        Reading(since_s, until, None, "not looked at")
        for (asked_s, since_s), (until, answered_s) in itertools.pairwise(edges)
        if answered_s - asked_s > BLIND_S
    ]
    return [*readings, *blind]


def _breaker_word(state: float) -> str:
    words = {CLOSED: "closed", HALF_OPEN: "half-open", OPEN: "open"}
    return f"breaker {words.get(state, f'in the unknown state {state:g}')}"
