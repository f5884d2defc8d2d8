"""Histories that hypothesis makes up: of the ledger and the store at random, and of the probes with faults.

`ledgers` know no mercy: ids that do not exist, counts of nought, resources of nobody. `runs` begin with a
history that passes and break a few things in it, so that every state of a Verdict is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import histories
from hypothesis import strategies as st

from reports.history import Asked, Attempt, History, Injection, Member, Observation, Outcome, Resource
from reports.interval import Interval
from reports.signals import CLOSED, OPEN

KINDS = {
    Outcome.ACKED: ("created", "duplicate", "aggregated", "resolved"),
    Outcome.REJECTED: ("safe", "unsafe"),
    Outcome.INDETERMINATE: ("answer", "body", "killed"),
    Outcome.UNSENT: ("connect", "stopped"),
}
PROBES = ("metrics", "ready", "sentinel")
Change = Callable[[History], History]


@st.composite
def attempts(draw: st.DrawFn, number: int) -> Attempt:
    """Return an alert of any outcome; of two alerts one repeats an earlier one's labels."""
    outcome = draw(st.sampled_from([Outcome.ACKED, *Outcome]))
    kind = draw(st.sampled_from(KINDS[outcome]))
    subject = draw(st.integers(0, number) | st.just(number))
    begun = {"begun_s": None, "done_s": None} if kind == "stopped" else {}
    return histories.attempt(number, outcome, subject=subject, kind=kind, **begun)


@st.composite
def resources(draw: st.DrawFn, name: str, planned: int) -> Resource:
    """Return a resource of one, of several, or of nobody; up to two numbers beyond the plan."""
    ids = st.integers(0, planned + 1)
    aggregated = draw(st.just(()) | st.lists(ids, max_size=3, unique=True).map(tuple))
    creator = draw(st.none() | ids)
    subject = draw(st.just(creator) | st.none() | ids)
    return Resource(name, f"uid-{name}", creator, subject, aggregated, draw(st.integers(0, 4)))


@st.composite
def ledgers(draw: st.DrawFn) -> History:
    """Return a history whose ledger and store were made up at random."""
    planned = draw(st.integers(0, 7))
    sent = tuple(draw(attempts(number)) for number in range(planned))
    store = tuple(draw(resources(f"rr-{k}", planned)) for k in range(draw(st.integers(0, 6))))
    return replace(
        histories.told(*sent, resources=draw(st.sampled_from([store, store, store, None]))),
        stable=draw(st.booleans()),
        sealed=draw(st.booleans()),
        ended=draw(st.sampled_from(["completed", "completed", "interrupted", ""])),
    )


@st.composite
def storms(draw: st.DrawFn) -> History:
    """Return such a history, of whose resources some have members."""
    told = draw(ledgers())
    ids = st.none() | st.integers(0, len(told.attempts) + 1)
    some = st.lists(st.builds(Member, ids, ids, st.integers(0, 3)), max_size=3).map(tuple)
    store = told.resources and tuple(
        replace(r, members=draw(st.just(()) | some), name=draw(st.sampled_from([r.name, "rr-same"])))
        for r in told.resources
    )
    return replace(told, resources=store)


def window() -> st.SearchStrategy[tuple[float, float]]:
    """Return a time of the plan that is longer than what may be missed without notice."""
    return st.tuples(st.integers(-1, 10), st.floats(2.1, 9.0)).map(lambda w: (float(w[0]), w[0] + w[1]))


def within(o: Observation, probe: str, at: tuple[float, float]) -> bool:
    """Tell whether a probe asked in that time."""
    return o.probe == probe and at[0] <= o.asked_s < at[1]


def changed(probe: str, at: tuple[float, float], **changes: Any) -> Change:
    """Return what makes a probe see something else for a time."""
    return lambda told: replace(
        told,
        observations=tuple(replace(o, **changes) if within(o, probe, at) else o for o in told.observations),
    )


def unseen(probe: str, at: tuple[float, float]) -> Change:
    """Return what takes away what a probe saw in that time."""
    return lambda told: replace(
        told, observations=tuple(o for o in told.observations if not within(o, probe, at))
    )


def fields(**changes: Any) -> Change:
    """Return what replaces fields of a history."""
    return lambda told: replace(told, **changes)


@st.composite
def disturbances(draw: st.DrawFn) -> Change:
    """Return one thing that breaks, or only shakes, a history."""
    probe, at = draw(st.sampled_from(PROBES)), draw(window())
    short = (at[0], at[0] + draw(st.floats(0.1, 3.0)))
    state = {"breaker.redis": draw(st.sampled_from([OPEN, CLOSED])), "breaker_opened.redis": 3.0}
    began = draw(st.none() | st.floats(0.5, 9.0).map(lambda s: Interval(s, s + 0.05)))
    ended = draw(st.none() | st.floats(3.0, 9.5).map(lambda s: Interval(s, s + 0.05)))
    fault: Injection = histories.injection(began=began, ended=ended, bit=began is not None)
    outcome = draw(st.sampled_from(Outcome))
    more: dict[str, Any] = {"due_s": draw(st.floats(0.0, 9.5)), "done_s": draw(st.floats(9.6, 12.0))}
    return draw(
        st.sampled_from(
            [
                changed(probe, short, ok=False, values={}, error="no answer in 1 s"),
                changed(probe, at, ok=False, values={}, error="refused"),
                changed("metrics", short, values=state),
                changed("metrics", at, values={}),
                unseen(probe, short),
                fields(injections=(fault,)),
                lambda told: _with_attempt(told, outcome, more),
                lambda told: replace(told, resources=told.resources and told.resources[1:]),
                fields(stable=False),
            ]
        )
    )


@st.composite
def promises(draw: st.DrawFn) -> tuple[Asked, ...]:
    """Return all promises, or a single one; with limits that are met, missed and in between."""
    limit_s = st.sampled_from([0.1, 0.3, 0.9, 2.0, 5.0, 30.0])
    every = (
        *histories.EVERY[:4],
        Asked("breaker_opens", {"within_s": draw(limit_s)}),
        Asked("fallback_seen", {}),
        Asked(
            "recovery", {"within_s": draw(limit_s), "after": draw(st.sampled_from(["healed", "injected"]))}
        ),
        Asked("metrics_continuous", {"max_gap_s": draw(st.sampled_from([0.1, 2.0, 60.0]))}),
        Asked("sentinel_promotes", {"within_s": draw(limit_s)}),
    )
    return draw(st.sampled_from([histories.EVERY, every, *((asked,) for asked in every)]))


@st.composite
def runs(draw: st.DrawFn) -> History:
    """Return a history that passes, but for a few things that broke."""
    told = histories.history(draw(st.integers(1, 12)), promises=draw(promises()))
    for change in draw(st.lists(disturbances(), max_size=3)):
        told = change(told)
    return told


def _with_attempt(told: History, outcome: Outcome, more: dict[str, Any]) -> History:
    number = len(told.attempts)
    run = replace(told.run, planned=number + 1)
    return replace(told, run=run, attempts=(*told.attempts, histories.attempt(number, outcome, **more)))
