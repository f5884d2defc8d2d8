"""An alert that comes after its storm window expired opens a new window; it does not join the old one."""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome, Resource

_WANTED = "a new window after the fault began"


def check(history: History, *, fault: str = "") -> Finding:
    """Compare the windows, or else the aggregated resources, of the alerts from before and after: they may
    share none. Where not both have a window, a counter must tell of the new one: windows opened after the
    fault began, or, as a few late alerts are no storm, a buffer that expired after they came.
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
    return _counted(history, on.earliest_s, min(a.begun_s or 0.0 for a in after))


def _holders(history: History, attempts: list[Attempt]) -> list[Resource]:
    numbers = {n for a in attempts for n in (a.number, a.subject)}
    return [r for r in history.resources or () if r.creator in numbers or numbers & set(r.aggregated)]


def _joined(resource: Resource, old: list[Resource]) -> bool:
    """Return whether a resource of later alerts is, or has the window of, one of earlier alerts."""
    same = any(r.uid == resource.uid for r in old) and bool(resource.aggregated)
    return same or any(r.window == resource.window != "" for r in old)


def _counted(history: History, began_s: float, late_s: float) -> Finding:
    """Look at the counters, since the fault began and since the first late alert."""
    samples = history.samples(signals.METRICS)
    opened = counters.grown(samples, "windows_opened", began_s)
    # Only what was asked after the late alert came: the old buffer may expire right before it.
    expired = counters.grown([o for o in samples if o.asked_s >= late_s], "buffer.expired")
    known = [growth for growth in (opened, expired) if growth]
    if not known:
        mend = "map metrics.windows_opened or resources.window in the target file"
        return unknown(_WANTED, "neither window ids nor their counter are known", 0, mend)
    if opened and opened.total:
        got = f"{opened.total:g} opened after the fault began"
        return passed(_WANTED, got, opened.samples, {"opened": opened.total})
    if expired and expired.total:
        got = "a buffer of the late alerts' own, which expired in its turn"
        return passed(_WANTED, got, expired.samples, {"expired": expired.total})
    mend = "send enough alerts after the fault began that they open a window, or let their buffer expire"
    count = max(growth.samples for growth in known)
    return unknown(_WANTED, "none was opened, and no old one joined", count, mend)
