"""An alert that comes after its storm window expired opens a new window; it does not join the old one."""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome, Resource
from reports.interval import Interval

_WANTED = "a new window after the fault began"


def check(history: History, *, fault: str = "") -> Finding:
    """Compare the windows, or else the aggregated resources, of the alerts from before and after: they may
    share none. Where not both have a window, the counter of opened ones must have risen again.

    A few late alerts may open none, as they are no storm: that is UNKNOWN.
    """
    on = signals.while_on(history, fault)
    if on is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    injection = history.injection(fault)
    began = signals.began(injection) or on
    acked = [a for a in history.of(Outcome.ACKED) if a.kind != "resolved"]
    before = [a for a in acked if a.done_s is not None and a.done_s <= began.earliest_s]
    after = [a for a in acked if a.begun_s is not None and a.begun_s >= began.latest_s]
    if not before or not after:
        got = f"{len(before)} alerts acknowledged before the fault, {len(after)} after it began"
        return unknown(_WANTED, got, len(acked), "send at least one alert before and one after")
    old, new = _holders(history, before), _holders(history, after)
    both = sorted(r.window or r.name for r in new if _joined(r, old))
    if both:
        return failed(_WANTED, f"alerts from before and after share {len(both)}", len(acked), both)
    windows = [{r.window for r in holders if r.window} for holders in (old, new)]
    if all(windows):
        got = f"{len(windows[1])} new beside {len(windows[0])} from before"
        return passed(_WANTED, got, len(acked))
    return _counted(history, on)


def _holders(history: History, attempts: list[Attempt]) -> list[Resource]:
    numbers = {n for a in attempts for n in (a.number, a.subject)}
    return [r for r in history.resources or () if r.creator in numbers or numbers & set(r.aggregated)]


def _joined(resource: Resource, old: list[Resource]) -> bool:
    """Return whether a resource of later alerts is, or has the window of, one of earlier alerts."""
    same = any(r.uid == resource.uid for r in old) and bool(resource.aggregated)
    return same or any(r.window == resource.window != "" for r in old)


def _counted(history: History, on: Interval) -> Finding:
    samples = history.samples(signals.METRICS)
    growth = counters.grown(samples, "windows_opened", on.earliest_s)
    if growth is None:
        mend = "map metrics.windows_opened or resources.window in the target file"
        return unknown(_WANTED, "neither window ids nor their counter are known", 0, mend)
    if growth.total:
        got = f"{growth.total:g} opened after the fault began"
        return passed(_WANTED, got, growth.samples, {"opened": growth.total})
    mend = "send enough alerts after the fault began that they open a window"
    return unknown(_WANTED, "none was opened, and no old one joined", growth.samples, mend)
