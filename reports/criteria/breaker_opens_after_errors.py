"""The circuit breaker opens soon after so many errors in a row, or sooner.

While a dependency refuses everything, every call fails: errors counted since the fault began are in a row.
"""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown, within
from reports.history import History, Observation
from reports.interval import Interval

EACH_REPLICA = True


def check(
    history: History,
    *,
    within_s: float,
    errors: int = 10,
    component: str = "kubernetes",
    metric: str = "k8s_errors.429",
    fault: str = "",
) -> Finding:
    """Time it from the sample that shows the last of the errors to the one that shows the breaker open."""
    what = f"breaker of {component} open after {errors} errors"
    wanted = f"{what} within {within_s:g} s"
    on = signals.while_on(history, fault)
    if on is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    key = f"breaker.{component}"
    every = [o for o in history.samples(signals.METRICS) if o.ok]
    samples = [o for o in every if key in o.values]
    if not samples or not counters.known(every, metric):
        mend = f"map metrics.{key} and metrics.{metric} in the target file, and keep /metrics up"
        return unknown(wanted, "breaker or errors were in no sample", len(samples), mend)
    before = [o for o in samples if o.answered_s < on.earliest_s]
    if not before or before[-1].values[key] != signals.CLOSED:
        mend = "begin the fault later, after steady state"
        return unknown(wanted, "the breaker was not seen closed before the fault", len(samples), mend)
    opened = signals.opened(samples, component, on.earliest_s)
    last = counters.reached(every, metric, errors, on.earliest_s)
    if opened and last:
        return within(within_s, opened.since(last), what, len(samples))
    growth = counters.grown(every, metric, on.earliest_s)
    counted = growth.total if growth else 0.0
    if opened and counted:
        got = f"open at {opened.latest_s:.2f} s, with no more than {counted:g} errors"
        return passed(wanted, got, len(samples), {"errors": counted})
    if last is None:
        got = f"only {counted:g} of {errors} errors were counted"
        return unknown(wanted, got, len(samples), "raise the rate, or let the fault last longer")
    return _never(samples, last, on, wanted, within_s)


def _never(samples: list[Observation], last: Interval, on: Interval, wanted: str, within_s: float) -> Finding:
    watched_s = min(samples[-1].asked_s, on.latest_s) - last.latest_s
    gap_s, _ = signals.longest_gap(samples, last.latest_s, last.latest_s + within_s)
    numbers = {"watched_s": watched_s, "limit_s": within_s}
    if watched_s > within_s and gap_s < 1.0:
        return failed(wanted, f"still not open after {watched_s:.1f} s", len(samples), numbers=numbers)
    got = f"never seen open, but watched for only {max(0.0, watched_s):.1f} s with gaps up to {gap_s:.1f} s"
    return unknown(wanted, got, len(samples), "let the fault last longer, with /metrics up", numbers=numbers)
