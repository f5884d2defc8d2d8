"""The Gateway is back to normal soon: breaker closed, ready, every alert acknowledged, and it stays so."""

from __future__ import annotations

import math

from reports import signals
from reports.finding import Finding, failed, unknown, within
from reports.history import History, Injection
from reports.interval import Interval

EACH_REPLICA = True


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
    looks = {name: signals.seen(readings) for name, readings in sources.items()}
    count = sum(len(readings) for readings in looks.values())
    begin_s = injection.began.earliest_s
    turns = {name: signals.turned_good(readings, begin_s) for name, readings in sources.items()}
    back_by = {name: turn for name, turn in turns.items() if turn}
    if not any(signals.disturbed(readings, begin_s) for readings in looks.values()):
        mend = "nothing was disturbed, so no recovery could be timed; is it the right fault?"
        return unknown(wanted, "no bad reading after the fault began", count, mend)
    last = max(back_by, key=lambda name: back_by[name].latest_s)
    back = Interval(max(turn.earliest_s for turn in back_by.values()), back_by[last].latest_s)
    took = back.since(start)
    if math.isinf(back.latest_s):
        return _not_back(wanted, last, took, within_s, count)
    if took.earliest_s <= within_s and (blind := [name for name, readings in looks.items() if not readings]):
        mend = f"let the target file map metrics.breaker.{component} and name its endpoints"
        return unknown(wanted, f"in {took}, but {' and '.join(blind)} never seen", count, mend)
    seen_until_s = min((looks[n][-1].answered_s for n in ("breaker", "readiness") if looks[n]), default=0.0)
    if took.earliest_s <= within_s and seen_until_s - max(back.latest_s, start.latest_s) < stable_s:
        mend = "lengthen the last phase"
        return unknown(wanted, f"in {took}, but watched too shortly after", count, mend)
    return within(within_s, took, f"normal again ({last} last) after the fault is {after}", count)


def _start(injection: Injection | None, after: str) -> Interval | None:
    if injection is None or after not in ("injected", "healed"):
        return None
    return injection.began if after == "injected" else injection.ended


def _not_back(wanted: str, last: str, took: Interval, within_s: float, count: int) -> Finding:
    got = f"{last} was not seen good again; the last bad reading was {took.earliest_s:.1f} s after"
    numbers = {"earliest_s": took.earliest_s, "latest_s": math.inf, "limit_s": within_s}
    if took.earliest_s > within_s:
        return failed(wanted, got, count, numbers=numbers)
    return unknown(
        wanted, got, count, f"watch for longer than {within_s:g} s: lengthen the last phase", [], numbers
    )
