"""A component that was killed is back soon: as another process, and ready."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports import signals
from reports.answers import Reading
from reports.finding import Finding, failed, unknown, within
from reports.history import History, Observation
from reports.interval import Interval


def check(history: History, *, within_s: float, component: str = "gateway", fault: str = "") -> Finding:
    """Time it from the fault's real beginning to the first readiness after the last unreadiness; where that
    was too short to be seen, to the first readiness after another process was seen. The readiness is the
    Gateway's, whatever the component."""
    what = f"{component} restarted and ready"
    wanted = f"{what} within {within_s:g} s"
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    ready = signals.health(history, "")["readiness"]
    lives = [(o.asked_s, o.answered_s, o.values.get(f"pid:{component}")) for o in _looks(history)]
    before = [pid for _, answered_s, pid in lives if pid is not None and answered_s <= began.earliest_s]
    after = [(asked_s, at_s, pid) for asked_s, at_s, pid in lives if asked_s >= began.latest_s]
    if not before or not after or not ready:
        mend = "use a target with a control_url that lists this component, and begin the fault a second later"
        return unknown(wanted, "its process was not seen before and after", len(lives), mend)
    new = [(asked_s, at_s) for asked_s, at_s, pid in after if pid is not None and pid != before[-1]]
    count = len(ready) + len(lives)
    if not new:
        dead = all(pid is None for _, _, pid in after)
        got = "no process of it" if dead else "still the same process"
        return _not_yet(wanted, got, after[-1][0] - began.latest_s, within_s, count)
    not_yet = [asked_s for asked_s, _, _ in lives if asked_s < new[0][0]]
    back = _back(ready, began, Interval(max(began.earliest_s, not_yet[-1]), new[0][1]))
    if math.isinf(back.latest_s):
        watched_s = max(r.asked_s for r in ready) - began.latest_s
        return _not_yet(wanted, "another process, but not ready", watched_s, within_s, count)
    return within(within_s, back.since(began), what, count)


def _looks(history: History) -> list[Observation]:
    return [o for o in history.samples(signals.COMPONENTS) if o.ok]


def _back(ready: Sequence[Reading], began: Interval, seen: Interval) -> Interval:
    turn = signals.turned_good(ready, began.earliest_s)
    if turn:
        return turn
    good = [r.answered_s for r in ready if r.good and r.asked_s >= seen.latest_s]
    return Interval(seen.earliest_s, min(good, default=math.inf))


def _not_yet(wanted: str, got: str, watched_s: float, within_s: float, count: int) -> Finding:
    told = f"{got} {max(0.0, watched_s):.1f} s after"
    numbers = {"earliest_s": max(0.0, watched_s), "latest_s": math.inf, "limit_s": within_s}
    if watched_s > within_s:
        return failed(wanted, told, count, numbers=numbers)
    mend = f"watch for longer than {within_s:g} s: lengthen the last phase"
    return unknown(wanted, told, count, mend, numbers=numbers)
