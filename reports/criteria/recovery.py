"""The Gateway is back to normal soon: breaker closed, ready, every alert acknowledged, and it stays so."""

from __future__ import annotations

import math

from reports import signals
from reports.finding import Finding, failed, unknown, within
from reports.history import History, Injection
from reports.interval import Interval


def check(
    history: History,
    *,
    within_s: float,
    after: str = "healed",
    component: str = "redis",
    fault: str = "",
    stable_s: float = 2.0,
) -> Finding:
    """Time it from the fault's beginning (``after: injected``) or end (``after: healed``) to the end of the
    last bad reading, be it the breaker, the readiness or an alert that was not acknowledged.
    """
    wanted = f"normal again within {within_s:g} s after the fault is {after}"
    injection = history.injection(fault)
    start = _start(injection, after)
    if start is None or injection is None or injection.began is None:
        return unknown(
            wanted, f"the fault was never {after}", 0, "see fault_bit; 'after' is injected or healed"
        )
    sources = signals.health(history, component)
    count = sum(len(readings) for readings in sources.values())
    begin_s = injection.began.earliest_s
    turns = {name: signals.turned_good(readings, begin_s) for name, readings in sources.items()}
    bad = {name: turn for name, turn in turns.items() if turn}
    if not bad:
        mend = "nothing was disturbed, so no recovery could be timed; is it the right fault?"
        return unknown(wanted, "no bad reading after the fault began", count, mend)
    last = max(bad, key=lambda name: bad[name].latest_s)
    back = Interval(max(t.earliest_s for t in bad.values()), bad[last].latest_s)
    took = back.since(start)
    seen_until_s = max((r.answered_s for readings in sources.values() for r in readings), default=0.0)
    if math.isinf(back.latest_s):
        return _not_back(wanted, last, took, within_s, count)
    if seen_until_s - back.latest_s < stable_s and took.earliest_s <= within_s:
        mend = "lengthen the last phase"
        return unknown(wanted, f"in {took}, but watched too shortly after", count, mend)
    return within(within_s, took, f"normal again ({last} last) after the fault is {after}", count)


def _start(injection: Injection | None, after: str) -> Interval | None:
    if injection is None or after not in ("injected", "healed"):
        return None
    return injection.began if after == "injected" else injection.ended


def _not_back(wanted: str, last: str, took: Interval, within_s: float, count: int) -> Finding:
    got = f"{last} was still bad {took.earliest_s:.1f} s after"
    numbers = {"earliest_s": took.earliest_s, "latest_s": math.inf, "limit_s": within_s}
    if took.earliest_s > within_s:
        return failed(wanted, got, count, numbers=numbers)
    return unknown(
        wanted, got, count, f"watch for longer than {within_s:g} s: lengthen the last phase", [], numbers
    )
