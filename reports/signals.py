"""What the probes and the ledger tell of the Gateway's state over time, as criteria read it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from reports.history import Attempt, History, Injection, Observation, Outcome
from reports.interval import Interval

METRICS, READY, SENTINEL, COMPONENTS = "metrics", "ready", "sentinel", "components"
CLOSED, HALF_OPEN, OPEN = 0.0, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the Gateway: good or bad at some instant in [asked_s, answered_s]."""

    asked_s: float
    answered_s: float
    good: bool
    what: str


def health(history: History, component: str) -> dict[str, list[Reading]]:
    """Return what shows whether the Gateway works normally, by source: breaker, readiness, its answers."""
    key = f"breaker.{component}"
    breaker = [
        Reading(o.asked_s, o.answered_s, o.ok and o.values.get(key) == CLOSED, _breaker_word(o, key))
        for o in history.samples(METRICS)
    ]
    ready = [
        Reading(o.asked_s, o.answered_s, o.ok, "ready" if o.ok else f"not ready ({o.error})")
        for o in history.samples(READY)
    ]
    answers = [
        Reading(
            a.begun_s if a.begun_s is not None else a.due_s,
            a.done_s,
            a.outcome is Outcome.ACKED,
            f"alert {a.number} {a.outcome.value} {a.kind}",
        )
        for a in sorted(history.attempts, key=lambda a: (a.due_s, a.number))
        if a.done_s is not None
    ]
    return {"breaker": breaker, "readiness": ready, "answers": answers}


def turned_good(readings: Iterable[Reading], from_s: float) -> Interval | None:
    """Return when the last bad reading that was answered after ``from_s`` gave way to good ones.

    The latest is infinite when no good one followed; None when none was bad.
    """
    ordered = sorted(readings, key=lambda r: (r.asked_s, r.answered_s))
    bad = [r for r in ordered if not r.good and r.answered_s >= from_s]
    if not bad:
        return None
    last = max(bad, key=lambda r: r.asked_s)
    good = [r.answered_s for r in ordered if r.good and r.asked_s >= last.asked_s]
    return Interval(last.asked_s, min(good, default=math.inf))


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
    """Return every time at which a counter rose after ``from_s``; a fall (a restart) is no rise."""
    found = []
    last: Observation | None = None
    for sample in samples:
        if not sample.ok or key not in sample.values:
            continue
        if last and sample.answered_s >= from_s and sample.values[key] > last.values[key]:
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


def due_within(history: History, span: Interval) -> list[Attempt]:
    """Return the alerts that fell due in a span; they are why the Gateway had anything to do in it."""
    return [a for a in history.attempts if span.earliest_s <= a.due_s <= span.latest_s]


def longest_gap(samples: list[Observation], begin_s: float, end_s: float) -> tuple[float, float]:
    """Return the longest time without a good sample in a window, and when it began."""
    marks = [begin_s, *(o.answered_s for o in samples if o.ok and begin_s <= o.answered_s <= end_s), end_s]
    marks.sort()
    gaps = [(later - earlier, earlier) for earlier, later in itertools.pairwise(marks)]
    return max(gaps, default=(0.0, begin_s))


def began(injection: Injection | None) -> Interval | None:
    """Return when a fault really began, if it did."""
    return injection.began if injection else None


def _breaker_word(sample: Observation, key: str) -> str:
    if not sample.ok:
        return f"metrics not to be had ({sample.error})"
    words = {CLOSED: "closed", HALF_OPEN: "half-open", OPEN: "open"}
    return f"breaker {words.get(sample.values.get(key, -1.0), 'not in the metrics')}"
