"""While the breaker is open its dependency is left alone: no call is made that could fail.

An open breaker lets one trial pass now and then, and each that fails opens it again, which is counted. Errors
beyond that are of calls that should not have been made.
"""

from __future__ import annotations

import itertools
import math

from reports import signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation

EACH_REPLICA = True


def check(
    history: History,
    *,
    component: str = "redis",
    metric: str = "redis_errors",
    settle_s: float = 1.0,
    at_most: int = 2,
) -> Finding:
    """Compare pairs of samples that both show the breaker open, from ``settle_s`` seconds after it opened:
    what was on its way by then may still fail.

    FAIL if more than ``at_most`` errors were counted in them beyond the trials.
    """
    wanted = f"no call of {component} while its breaker is open, but for trials"
    state, opened = f"breaker.{component}", f"breaker_opened.{component}"
    samples = [o for o in history.samples(signals.METRICS) if o.ok and state in o.values]
    if not any(metric in o.values for o in samples) or not any(opened in o.values for o in samples):
        mend = f"map metrics.{state}, metrics.{opened} and metrics.{metric} in the target file"
        return unknown(wanted, "breaker or errors are in no sample", len(samples), mend)
    pairs, first_open_s = [], 0.0
    for one, other in itertools.pairwise(samples):
        if one.values[state] == signals.CLOSED:
            first_open_s = other.answered_s
        both_open = one.values[state] == other.values[state] == signals.OPEN
        if both_open and one.asked_s >= first_open_s + settle_s:
            pairs.append((one, other))
    errors = sum(max(0.0, _grew(a, b, metric) - _grew(a, b, opened)) for a, b in pairs)
    got = f"{errors:g} errors beyond the trials, in {len(pairs)} pairs of samples"
    numbers = {"errors": errors, "pairs": float(len(pairs))}
    if errors > at_most:
        return failed(wanted, got, len(pairs), numbers=numbers)
    due_s = table.of(history).due_s.max(initial=-math.inf)
    if len(pairs) < 2 or not any(one.asked_s <= due_s for one, _ in pairs[:1] + pairs[-1:]):
        mend = "let the fault last longer, with load, so that the breaker is seen open for a while"
        return unknown(wanted, "it was not seen open for long enough", len(pairs), mend, numbers=numbers)
    return passed(wanted, got, len(pairs), numbers)


def _grew(one: Observation, other: Observation, key: str) -> float:
    before, now = one.values.get(key, 0.0), other.values.get(key, 0.0)
    return now - before if now >= before else now
