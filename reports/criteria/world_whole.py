"""What the run stands on stayed there: no component but the Gateway ended that no fault was to end.

Asked of every run whose target tells of its components, unless the scenario asks `no_cascade`, which convicts
what this only doubts: whether a fault brought it down or something else did, this does not ask.
"""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, passed, unknown
from reports.history import History, Observation

_WANTED = "no component ended but by a fault"
# Counts of exits lose nothing between two looks, so only the last look must not be too early.
_LAST_LOOK_S = 5.0


def check(history: History, *, gateway: str = "gateway") -> Finding:
    """Look for exits that the harness did not ask for, up to the end of the plan. It never fails: the Gateway
    is not to blame for a world that broke by itself."""
    looks = [o for o in history.samples(signals.COMPONENTS) if o.ok]
    names = sorted({k.removeprefix("exits:") for o in looks for k in o.values if k.startswith("exits:")})
    watched = [name for name in names if name != gateway]
    if not watched:
        mend = "keep the control API up; see the logs of the run folder"
        return unknown(_WANTED, "no component was seen", len(looks), mend)
    gone = [line for name in watched if (line := _gone(looks, name))]
    if gone:
        mend = "find in the logs of the run folder what ended it, and run it again"
        return unknown(_WANTED, "; ".join(gone), len(looks), mend, gone)
    early_s = signals.planned_end_s(history) - looks[-1].answered_s
    if early_s > _LAST_LOOK_S:
        mend = "keep the control API up to the end, and let the run end by itself"
        return unknown(_WANTED, f"last seen {early_s:.1f} s before the end", len(looks), mend)
    return passed(_WANTED, f"none of {len(watched)} did", len(looks))


def _gone(looks: list[Observation], name: str) -> str:
    growth = counters.grown(looks, f"exits:{name}")
    first = looks[0].values.get(f"exits:{name}", 0.0)
    if growth and growth.total and growth.first:
        again = f", {growth.total:g} times" if growth.total > 1 else ""
        return f"{name} ended by itself by {growth.first.latest_s:.1f} s{again}"
    return f"{name} had ended by itself before the first look" if first else ""
