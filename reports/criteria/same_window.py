"""A storm that the Gateway's restart cuts in two stays one storm: all its alerts end in one window."""

from __future__ import annotations

import numpy as np

from reports import signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome, Resource

_WANTED = "one window for the storm's alerts from before and after"


def check(history: History, *, phase: str = "storm", fault: str = "") -> Finding:
    """Find the windows of the phase's aggregated alerts: answered so, or found in an aggregated resource.

    What came before the storm was recognised has a resource of its own, and is none of it.
    """
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    if history.resources is None or not history.stable:
        return unknown(_WANTED, "the resources were not read, or still moved", 0, "lengthen settle")
    holder = _holders(history.resources)
    told = table.of(history)
    held = np.isin(told.subject, np.fromiter(holder, np.int64, len(holder)))
    rows = np.flatnonzero(told.are(Outcome.ACKED) & told.of_phase(phase) & (told.kinds("aggregated") | held))
    storm = told.some(rows)
    before = int(np.count_nonzero(storm.done_s <= began.earliest_s))
    after = int(np.count_nonzero(storm.begun_s >= began.latest_s))
    if not before or not after:
        got = f"{before} aggregated before the fault, {after} after it began"
        mend = f"begin the fault in the midst of a phase {phase!r} that is a storm"
        return unknown(_WANTED, got, len(storm), mend)
    windows = {holder[subject].window for subject in np.unique(told.subject[rows[held[rows]]]).tolist()}
    astray = [history.attempts[row] for row in rows[~held[rows]]]
    if len(windows - {""}) > 1 or astray:
        got = _got(windows, len(storm), len(astray))
        return failed(_WANTED, got, len(storm), _examples(history, windows, astray))
    if windows != windows - {""}:
        mend = "map resources.window in the target file to where the Gateway writes it"
        return unknown(_WANTED, "the resources name no window", len(storm), mend)
    got = f"one, for {len(storm)} alerts ({before} before, {after} after)"
    return passed(_WANTED, got, len(storm), {"alerts": float(len(storm))})


def _holders(resources: tuple[Resource, ...]) -> dict[int, Resource]:
    return {number: r for r in resources if r.aggregated for number in r.aggregated}


def _got(windows: set[str], storm: int, astray: int) -> str:
    return f"{len(windows)} windows, and {astray} of {storm} alerts in no aggregated resource"


def _examples(history: History, windows: set[str], astray: list[Attempt]) -> list[str]:
    found = [f"window {window}" for window in sorted(windows) if window]
    return found + [f"{history.run.token}-{a.number:07d}: answered {a.kind}, not aggregated" for a in astray]
