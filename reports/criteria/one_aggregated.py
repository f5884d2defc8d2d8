"""A storm ends in exactly one aggregated RemediationRequest."""

from __future__ import annotations

import numpy as np

from reports import stored, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "1 aggregated RemediationRequest for the storm"


def check(history: History, *, phase: str = "storm") -> Finding:
    """Count the aggregated resources that hold an alert of the phase; they all have one alertname."""
    if history.resources is None or not history.stable:
        return unknown(_WANTED, "the resources were not read, or still moved", 0, "lengthen settle")
    told, store = table.of(history), stored.of(history)
    sent = told.some(told.of_phase(phase) & ~told.are(Outcome.UNSENT))
    acked = int(np.count_nonzero(sent.are(Outcome.ACKED)))
    if not acked:
        mend = f"name the phase that is a storm; no alert of a phase {phase!r} was acknowledged"
        return unknown(_WANTED, "no storm", 0, mend)
    named = np.isin(store.aggregated.number, np.concatenate((sent.number, sent.subject)))
    holding = table.distinct(store.aggregated.resource[named]).tolist()
    found = sorted((history.resources[k] for k in holding), key=lambda r: (r.name, r.uid))
    numbered = {"found": float(len(found)), "acked": float(acked)}
    if len(found) == 1:
        got = f"{found[0].name}, holding {len(found[0].aggregated)} of {acked} acknowledged alerts"
        return passed(_WANTED, got, acked, numbered)
    examples = [f"{r.name}: {len(r.aggregated)} alerts, window {r.window or 'not named'}" for r in found]
    return failed(_WANTED, f"{len(found)} for {acked} alerts", acked, examples, numbered)
