"""The breaker opens because of a fault, not by itself: never without one, and during one it does not flap."""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation
from reports.interval import Interval

EACH_REPLICA = True


def check(
    history: History, *, component: str = "redis", at_most: int = 3, grace_s: float = 5.0, fault: str = ""
) -> Finding:
    """Find when the breaker left and re-entered the closed state.

    FAIL if it opened while no fault was on, nor one had been within ``grace_s`` seconds; or if it closed more
    than ``at_most`` times in all, for each fault: one that is back to normal has no need to close again.
    """
    wanted = f"breaker of {component} opens for a fault only, and closes at most {at_most} times for each"
    opened, closed = f"breaker_opened.{component}", f"breaker_closed.{component}"
    every = [o for o in history.samples(signals.METRICS) if o.ok]
    if len(every) < 2 or not counters.known(every, opened):
        mend = f"map metrics.{opened} and metrics.{closed} in the target file, and keep /metrics up"
        return unknown(wanted, "its openings are in no sample", len(every), mend)
    spans = [signals.while_on(history, i.name) for i in history.injections]
    on = [Interval(s.earliest_s, s.latest_s + grace_s) for s in spans if s]
    stray = [
        at for at in signals.rises(every, opened, every[0].asked_s) if not any(_meets(at, s) for s in on)
    ]
    if stray:
        examples = [f"it opened in {at}, with no fault on" for at in stray]
        got = f"opened {len(stray)} times without a fault, first by {stray[0].latest_s:.2f} s"
        return failed(wanted, got, len(every), examples, {"stray": float(len(stray))})
    if history.run.faults_planned and not on:
        return unknown(wanted, "the fault never began", len(every), "see fault_bit")
    return _flaps(wanted, every, closed, at_most * max(1, len(on)))


def _flaps(wanted: str, every: list[Observation], closed: str, at_most: int) -> Finding:
    growth = counters.grown(every, closed)
    if growth is None:
        mend = f"map metrics.{closed} in the target file"
        return unknown(wanted, "how often it closed is in no sample", len(every), mend)
    got = f"it closed {growth.total:g} times"
    numbers = {"closed": growth.total}
    if growth.total > at_most:
        return failed(wanted, got, len(every), numbers=numbers)
    return passed(wanted, got, len(every), numbers)


def _meets(one: Interval, other: Interval) -> bool:
    return one.earliest_s <= other.latest_s and other.earliest_s <= one.latest_s
