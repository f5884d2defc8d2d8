"""Properties of all criteria of the plan: none raises, none passes on nothing, each says what to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_histories import PASS, UNKNOWN, answer, check

from reports import verdict
from reports.finding import Finding
from reports.history import (
    Asked,
    Attempt,
    History,
    Injection,
    Observation,
    Outcome,
    PhaseSpan,
    Resource,
)
from reports.interval import Interval
from reports.log import Log, LogLine

OPTIONS: dict[str, dict[str, Any]] = {
    "all_created": {},
    "backoff_grows": {"steps": [1, 2, 4]},
    "backoff_steps": {},
    "breaker_opens_after_errors": {"within_s": 10.0},
    "buffer_bounded": {"at_most": 100},
    "buffer_recovered": {},
    "bypass_seen": {},
    "cache_spares_api": {"at_least": 0.5},
    "conflicts_seen": {},
    "count_exact": {},
    "expiry_counted": {},
    "logs_alive": {},
    "new_window": {},
    "no_cascade": {},
    "one_aggregated": {"phase": "chaos"},
    "pool_bounded": {},
    "queue_bounded": {"below": 1000},
    "restarted_within": {"within_s": 10.0},
    "retry_success": {"at_least": 0.99},
    "same_window": {"phase": "chaos"},
    "steady_state": {},
    "timeouts_detected": {},
}
KEYS = [
    "breaker.kubernetes",
    "k8s_errors.429",
    "k8s_backoff.1",
    "k8s_backoff.2",
    "k8s_backoff.4",
    "k8s_backoff.8",
    "k8s_backoff.inf",
    "redis_errors.timeout",
    "redis_pool.active",
    "redis_pool.max",
    "k8s_queue",
    "k8s_queries.dedup_check",
    "dedup_hits",
    "buffer.size",
    "buffer.bypasses",
    "buffer.expired",
    "buffer.recovered",
    "windows_opened",
    "process_start",
    "fallbacks",
    "updates.conflicts",
    "updates.retried",
    "updates.exhausted",
    "update_backoff.0.1",
    "update_backoff.0.2",
    "starts:gateway",
    "exits:gateway",
    "killed:gateway",
    "running:gateway",
    "pid:gateway",
    "starts:redis-0",
    "exits:redis-0",
]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_criterion_states_its_promise_and_takes_its_options(name: str) -> None:
    """As a scenario asks for it; nothing at all is UNKNOWN, with a mend."""
    nothing = History(histories.run(planned=0, phases=()), ())
    module = verdict.load_criterion(Asked(name, OPTIONS[name]))

    assert (module.__doc__ or "").splitlines()[0].endswith(".")
    assert answer(name, nothing, **OPTIONS[name])[0] is UNKNOWN


times = st.floats(0, 10).map(lambda s: round(s, 2))
counts = st.integers(0, 12).map(float)
intervals = st.tuples(times, times).map(lambda pair: Interval(min(pair), max(pair)))
some_values = st.dictionaries(st.sampled_from(KEYS), counts, max_size=12)


@st.composite
def a_sample(draw: st.DrawFn) -> Observation:
    """Return a look of any probe; one that failed has no values."""
    at_s, ok = draw(times), draw(st.booleans())
    probe = draw(st.sampled_from(["metrics", "metrics", "ready", "components"]))
    return Observation(probe, at_s, at_s + 0.01, ok, draw(some_values) if ok else {})


@st.composite
def an_attempt(draw: st.DrawFn, number: int) -> Attempt:
    """Return an alert with any fate."""
    outcome = draw(st.sampled_from(list(Outcome)))
    kind = draw(st.sampled_from(["created", "duplicate", "aggregated", "resolved", "safe"]))
    subject, due_s = draw(st.integers(0, number)), draw(times)
    begun_s = draw(st.none() | st.just(due_s))
    done_s = None if begun_s is None else draw(st.none() | st.just(due_s + 0.02))
    return Attempt(number, subject, "chaos", due_s, outcome, kind, begun_s, begun_s, done_s, 201)


@st.composite
def a_resource(draw: st.DrawFn) -> Resource:
    """Return a resource of any alerts."""
    ids = st.none() | st.integers(0, 5)
    members = tuple(draw(st.lists(st.integers(0, 5), max_size=3)))
    uid = draw(st.sampled_from(["a", "b", "c"]))
    window = draw(st.sampled_from(["", "w-1", "w-2"]))
    return Resource(f"rr-{uid}", uid, draw(ids), draw(ids), members, draw(st.integers(0, 4)), window)


@st.composite
def a_history(draw: st.DrawFn) -> History:
    """Return any record: looks, alerts, truth and faults that may miss or contradict each other."""
    began, ended = draw(st.none() | intervals), draw(st.none() | intervals)
    faults = [Injection("f", "process", 2.0, 3.0, began, ended if began else None, True)]
    lines = draw(
        st.lists(st.builds(LogLine, st.none() | times, st.sampled_from(["x", "breaker"])), max_size=4)
    )
    return History(
        histories.run(phases=draw(st.sampled_from([(), (PhaseSpan("chaos", 0.0, 10.0),)]))),
        tuple(draw(an_attempt(n)) for n in range(draw(st.integers(0, 5)))),
        tuple(draw(st.sampled_from([[], faults]))),
        tuple(draw(st.lists(a_sample(), max_size=12))),
        draw(st.none() | st.lists(a_resource(), max_size=3).map(tuple)),
        draw(st.booleans()),
        logs=draw(st.sampled_from([(), (Log("gateway", tuple(lines)),)])),
    )


@settings(max_examples=150, deadline=None)
@given(told=a_history())
def test_none_raises_and_none_passes_on_nothing(told: History) -> None:
    """Whatever is recorded, each criterion answers; PASS rests on samples, UNKNOWN says what to change."""
    for name, options in OPTIONS.items():
        finding = check(name, told, **options)

        assert isinstance(finding, Finding)
        assert finding.status is not PASS or finding.samples > 0
        assert finding.status is not UNKNOWN or finding.mend
        assert finding.wanted
        assert finding.got


@settings(max_examples=60, deadline=None)
@given(told=a_history())
def test_without_looks_and_truth_nothing_passes_or_fails(told: History) -> None:
    """The alerts' outcomes alone decide none of these, but for logs and alerts that were seen to go wrong."""
    for name, options in OPTIONS.items():
        if name in ("logs_alive", "steady_state"):
            continue
        assert answer(name, replace(told, observations=(), resources=None), **options)[0] is UNKNOWN
