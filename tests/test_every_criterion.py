"""What holds of every criterion there is, those of tomorrow too: each file in reports/criteria/ is asked.

An option that has no default, or a limit that has no margin tested here, makes a test fail that says so.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import any_history
import histories
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_histories import FAIL, PASS, UNKNOWN, check, looks, seen, steps
from test_criteria_plan_properties import a_history
from test_criteria_plan_restart import restart
from test_criteria_plan_whole import logged
from test_volley_spread import of_volley
from test_volley_spread import told as volley

from reports import verdict
from reports.accounting import account
from reports.finding import Finding, Status
from reports.history import Asked, History, Member, Outcome
from reports.verdict import judge

T = TypeVar("T")
NAMES = verdict.criterion_names()
SOME = settings(max_examples=70, deadline=None)
# What a scenario must say, by the option's name.
NEEDED: dict[str, Any] = {"within_s": 5.0, "at_most": 4, "below": 5, "steps": [1, 2, 4]}
# Which way a limit is looser: up or down.
LOOSER = {
    "within_s": 1,
    "max_gap_s": 1,
    "at_most": 1,
    "below": 1,
    "p99_s": 1,
    "max_s": 1,
    "at_least": -1,
    "grace_s": 1,
}
# Numbers that are no limit: what is waited for, or counted.
NO_LIMIT = {
    ("recovery", "stable_s"): "how long it must stay good before it is judged",
    ("steady_state", "stable_s"): "how long before the end is looked at",
    ("backoff_grows", "retry_after_s"): "what the dependency asks for",
    ("breaker_opens_after_errors", "errors"): "where the clock starts",
    ("buffer_recovered", "within_s"): "how long must have been watched before it may fail",
    ("expiry_counted", "within_s"): "how long must have been watched before it may fail",
    ("breaker_spares", "settle_s"): "what was on its way is not looked at for so long",
    ("pool_returns", "quiet_s"): "how long before the end is looked at",
    ("ready_honest", "within_s"): "how long the readiness may lag before it is looked at",
}
# A gap in what was seen makes it UNKNOWN, and is no measure of the Gateway.
BLIND = {(name, "max_gap_s") for name in ("buffer_bounded", "pool_bounded", "queue_bounded")}


@functools.cache
def options_of(name: str) -> dict[str, inspect.Parameter]:
    """Return the options that a criterion takes."""
    module = verdict.load_criterion(Asked(name, asked_of(name)))
    return {
        p.name: p for p in inspect.signature(module.check).parameters.values() if p.kind is p.KEYWORD_ONLY
    }


@functools.cache
def asked_of(name: str) -> dict[str, Any]:
    """Return the options that it cannot go without."""
    function = importlib.import_module(f"reports.criteria.{name}").check
    needed = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    empty = inspect.Parameter.empty
    return {n: NEEDED[n] for n in needed if inspect.signature(function).parameters[n].default is empty}


@functools.cache
def limits_of(name: str) -> set[str]:
    """Return those of its options that are numbers, and so may be limits."""
    return {
        n
        for n, p in options_of(name).items()
        if (n in NEEDED and n != "steps")
        or (isinstance(p.default, int | float) and not isinstance(p.default, bool))
    }


@st.composite
def anything(draw: st.DrawFn) -> History:
    """Return any history of the three kinds; now and then its resources have members of their own."""
    told = draw(any_history.ledgers() | any_history.runs() | a_history())
    if not told.resources or not draw(st.booleans()):
        return told
    ids = st.none() | st.integers(0, len(told.attempts))
    member = st.builds(Member, ids, ids, st.integers(0, 3))
    first = replace(told.resources[0], members=tuple(draw(st.lists(member, max_size=3))))
    return replace(told, resources=(first, *told.resources[1:]))


@pytest.mark.parametrize("name", NAMES)
def test_it_states_its_promise_and_nothing_is_unknown(name: str) -> None:
    """The first line is a sentence; of a run of which nothing is known it says UNKNOWN, with a mend."""
    module = verdict.load_criterion(Asked(name, asked_of(name)))
    nothing = History(histories.run(planned=0, phases=()), ())
    found = check(name, nothing, **asked_of(name))

    assert (module.__doc__ or "").splitlines()[0].endswith(".")
    assert (found.status, bool(found.mend)) == (UNKNOWN, True)


@SOME
@given(told=anything())
def test_it_answers_whatever_was_recorded(told: History) -> None:
    """It never raises; PASS rests on samples, UNKNOWN says what to change, all say wanted and got."""
    for name in NAMES:
        found = check(name, told, **asked_of(name))

        assert isinstance(found, Finding), name
        assert found.samples > 0 or found.status is not PASS, name
        assert bool(found.mend) is (found.status is UNKNOWN), name
        assert found.wanted, name
        assert found.got, name
        assert all(isinstance(value, int | float) for value in found.numbers.values()), name


@SOME
@given(told=anything(), chance=st.randoms(use_true_random=False))
def test_the_order_of_the_record_does_not_matter(told: History, chance: random.Random) -> None:
    """Attempts, resources, observations and injections may stand in any order: the same finding, word for
    word. Only looks of one probe at one instant have no order of their own, so there is one of each."""

    def shuffled(values: Sequence[T]) -> tuple[T, ...]:
        return tuple(chance.sample(values, len(values)))

    told = replace(told, observations=tuple({(o.probe, o.asked_s): o for o in told.observations}.values()))
    again = replace(
        told,
        attempts=shuffled(told.attempts),
        resources=told.resources and shuffled(told.resources),
        observations=shuffled(told.observations),
        injections=shuffled(told.injections),
    )

    for name in NAMES:
        assert check(name, again, **asked_of(name)) == check(name, told, **asked_of(name)), name


@settings(max_examples=200, deadline=None)
@given(told=anything())
def test_the_sums_agree(told: History) -> None:
    """Planned is the sum of the outcomes; acknowledged is accounted for or lost; each number at most once."""
    told = replace(told, run=replace(told.run, planned=len(told.attempts)))
    found = account(told)
    outcomes = [len(told.of(outcome)) for outcome in Outcome]

    assert found.planned == sum(outcomes) == found.acked + found.rejected + found.indeterminate + found.unsent
    kept = found.created + found.deduplicated + found.aggregated + found.resolved
    assert found.acked == kept + len(found.lost)
    assert found.adds_up
    assert len(set(found.lost)) == len(found.lost)
    assert set(found.lost) <= {a.number for a in told.of(Outcome.ACKED)}
    assert set(found.recovered) <= {a.number for a in told.of(Outcome.INDETERMINATE)}


@settings(max_examples=60, deadline=None)
@given(told=anything())
def test_a_run_that_asks_for_all_of_them_has_a_finding_of_each(told: History) -> None:
    """No criterion is left out of a verdict, none is there twice, none crashes in it."""
    promises = tuple(Asked(name, asked_of(name)) for name in NAMES)
    findings = judge(replace(told, run=replace(told.run, promises=promises))).findings

    assert sorted(f.criterion for f in findings) == NAMES
    assert not [f for f in findings if "crashed" in f.got]


@SOME
@given(told=anything(), values=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)))
def test_a_looser_limit_never_convicts(told: History, values: tuple[float, float]) -> None:
    """What passes with a limit passes with a looser one; what does not fail does not fail then."""
    for name, option in ((n, o) for n in NAMES for o in sorted(limits_of(n))):
        if (name, option) in NO_LIMIT:
            continue
        scale = 1.0 if LOOSER[option] < 0 else 8.0
        tight, loose = (value * scale for value in sorted(values, reverse=LOOSER[option] < 0))
        found = [check(name, told, **{**asked_of(name), option: limit}).status for limit in (tight, loose)]

        assert found[0] is not PASS or found[1] is PASS, (name, option)
        assert found[0] is FAIL or found[1] is not FAIL, (name, option)


@dataclass(frozen=True)
class Margin:
    """A history and an option, its value at which the criterion still passes, and the one at which it has
    failed (None: never, it is UNKNOWN then)."""

    name: str
    option: str
    told: History
    holds_at: float
    broken_at: float | None
    more: dict[str, Any]


def margin(
    name: str, option: str, told: History, holds_at: float, broken_at: float | None, **more: Any
) -> Any:
    return pytest.param(Margin(name, option, told, holds_at, broken_at, more), id=f"{name}-{option}")


def cached(hits: float, queries: float) -> History:
    rise = (0.0, 0.0), (1.0, 1.0)
    return seen(
        lambda at: {
            "dedup_hits": hits * steps(*rise)(at),
            "k8s_queries.dedup_check": queries * steps(*rise)(at),
        }
    )


def retried(good: float, bad: float) -> History:
    rise = steps((0.0, 0.0), (1.0, 1.0))
    return seen(lambda at: {"updates.retried": good * rise(at), "updates.exhausted": bad * rise(at)})


PLAIN = histories.history(10)
BEYOND = 7.0 + 1e-9
GAUGE = steps((2.0, 7.0), (4.0, 3.0))
BROKEN = histories.history(10, observations=looks("metrics", lambda at_s: {"x": 1.0}, down=(3.0, 5.0)))
LATE = histories.history(10)
LATE = replace(
    LATE, attempts=tuple(replace(a, begun_s=a.due_s + (0.5 if a.number == 4 else 0.1)) for a in LATE.attempts)
)
ERRORS = seen(
    lambda at_s: {
        "breaker.kubernetes": steps((3.0, 2.0))(at_s),
        "k8s_errors.429": steps((2.2, 10.0))(at_s),
    }
)
OPEN = seen(
    lambda at_s: {
        "breaker.redis": steps((3.0, 2.0))(at_s),
        "breaker_opened.redis": steps((3.0, 1.0), (8.0, 2.0))(at_s),
        "breaker_closed.redis": steps((4.0, 2.0))(at_s),
        "redis_errors": steps((6.0, 3.0))(at_s),
    }
)
MARGINS = [
    # Breaker seen open at 2.41 s, closed at 2.2 s; the fault began in [2.00, 2.05].
    margin("breaker_opens", "within_s", PLAIN, 0.41, 0.15),
    # Another primary seen at 3.01 s, the old one at 2.8 s.
    margin("sentinel_promotes", "within_s", PLAIN, 1.01, 0.75),
    # The breaker was half-open at 5.8 s and closed at 6.01 s; the fault ended in [5.00, 5.05].
    margin("recovery", "within_s", PLAIN, 1.01, 0.75),
    # The tenth error in [2.0, 2.21], open in [2.8, 3.01].
    margin("breaker_opens_after_errors", "within_s", ERRORS, 1.01, 0.59),
    # Not ready at 3.8 s, ready at 4.01 s, as another process; the fault began in [2.00, 2.05].
    margin("restarted_within", "within_s", histories.history(10, observations=restart()), 2.01, 1.75),
    margin("metrics_continuous", "max_gap_s", BROKEN, 2.2, 2.2),
    margin("logs_alive", "max_gap_s", logged((2.0, "x"), (3.5, "x"), (5.0, "x")), 1.5, 1.5),
    margin("load_on_time", "p99_s", LATE, 0.5, None),
    margin("load_on_time", "max_s", LATE, 0.5, None, p99_s=1.0),
    margin("volley_spread", "within_s", volley(of_volley(2.0), of_volley(2.25, 2)), 0.25, None),
    margin("buffer_bounded", "at_most", seen(lambda at: {"buffer.size": GAUGE(at)}), 7.0, 7.0),
    # Below is strict: at the bound it is broken already.
    margin("queue_bounded", "below", seen(lambda at: {"k8s_queue": GAUGE(at)}), BEYOND, BEYOND),
    # Three errors while it was open; it closed twice for one fault; it opened in [7.80, 8.01], 2.75 s
    # after the fault was over at the latest.
    margin("breaker_spares", "at_most", OPEN, 3.0, 3.0),
    margin("breaker_steady", "at_most", OPEN, 2.0, 2.0),
    margin("breaker_steady", "grace_s", OPEN, 2.75, 2.75),
    margin("cache_spares_api", "at_least", cached(3, 1), 0.75, 0.75),
    margin("retry_success", "at_least", retried(3, 1), 0.75, 0.75),
]
TESTED = {(m.values[0].name, m.values[0].option) for m in MARGINS}


def test_every_limit_has_its_margin_tested_or_is_none() -> None:
    """A new criterion, or a new number in an old one, must say which it is."""
    numbers = {(name, option) for name in NAMES for option in limits_of(name)}

    missing = numbers - TESTED - BLIND - set(NO_LIMIT)
    assert not missing, f"add to MARGINS, or to NO_LIMIT with a reason: {sorted(missing)}"


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("epsilon", [1e-6, 1e-3])
def test_at_the_limit_and_a_little_beside_it(margin: Margin, epsilon: float) -> None:
    """At what was measured it holds, and with a little more room; with a little less it does not. It fails
    only when even the earliest is beyond; in between it is too close to call."""

    def status(limit: float) -> Status:
        return check(margin.name, margin.told, **{margin.option: limit, **margin.more}).status

    tighter = -epsilon * LOOSER[margin.option]
    assert status(margin.holds_at - tighter) is PASS
    assert status(margin.holds_at + tighter) is not PASS
    if margin.broken_at is None:
        assert status(margin.holds_at + tighter) is UNKNOWN
    elif margin.broken_at != margin.holds_at:
        assert status(margin.holds_at + tighter) is UNKNOWN
        assert status(margin.broken_at - tighter) is UNKNOWN
        assert status(margin.broken_at + tighter) is FAIL
    else:
        assert status(margin.broken_at + tighter) is FAIL


@pytest.mark.parametrize("acked", [1, 3, 299, 2995])
def test_zero_loss_has_no_margin(acked: int) -> None:
    """One lost of any number is a loss; the bound is exact: so many show it, one less does not."""
    told = histories.history(acked, promises=(Asked("zero_loss", {}),))

    assert judge(told).findings[0].status is PASS
    assert judge(replace(told, resources=(told.resources or ())[1:])).findings[0].status is FAIL
    bound = judge(told).loss_bound or 1.0
    assert math.isclose((1 - bound) ** acked, 0.05)
