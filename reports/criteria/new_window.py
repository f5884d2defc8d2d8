"""An alert that comes after its storm window expired opens a new window; it does not join the old one."""

from __future__ import annotations

import numpy as np

from reports import counters, signals, stored, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome, Resource
from reports.table import Table

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
    told = table.of(history)
    acked = told.some(told.are(Outcome.ACKED) & ~told.kinds("resolved"))
    before = acked.some(acked.done_s <= began.earliest_s)
    after = acked.some(acked.begun_s >= began.latest_s)
    if not len(before) or not len(after):
        got = f"{len(before)} alerts acknowledged before the fault, {len(after)} after it began"
        return unknown(_WANTED, got, len(acked), "send at least one alert before and one after")
    old, new = _holders(history, before), _holders(history, after)
    uids, opened = {r.uid for r in old}, {r.window for r in old if r.window}
    both = sorted(
        r.window or r.name for r in new if (r.uid in uids and r.aggregated) or r.window in opened
    )  # A resource of later alerts is, or has the window of, one of earlier alerts.
    if both:
        return failed(_WANTED, f"alerts from before and after share {len(both)}", len(acked), both)
    windows = [{r.window for r in holders if r.window} for holders in (old, new)]
    if all(windows):
        got = f"{len(windows[1])} new beside {len(windows[0])} from before"
        return passed(_WANTED, got, len(acked))
    return _counted(history, on.earliest_s, float(after.begun_s.min()))


def _holders(history: History, alerts: Table) -> list[Resource]:
    numbers = np.concatenate((alerts.number, alerts.subject))
    store = stored.of(history)
    holds = np.isin(store.creator, numbers)
    holds[store.aggregated.resource[np.isin(store.aggregated.number, numbers)]] = True
    return [history.resources[k] for k in np.flatnonzero(holds)] if history.resources else []


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
