"""A storm ends in exactly one aggregated RemediationRequest."""

from __future__ import annotations

from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "1 aggregated RemediationRequest for the storm"


def check(history: History, *, phase: str = "storm") -> Finding:
    """Count the aggregated resources that hold an alert of the phase; they all have one alertname."""
    if history.resources is None or not history.stable:
        return unknown(_WANTED, "the resources were not read, or still moved", 0, "lengthen settle")
    sent = [a for a in history.attempts if a.phase == phase and a.outcome is not Outcome.UNSENT]
    acked = [a for a in sent if a.outcome is Outcome.ACKED]
    if not acked:
        mend = f"name the phase that is a storm; no alert of a phase {phase!r} was acknowledged"
        return unknown(_WANTED, "no storm", 0, mend)
    numbers = {n for a in sent for n in (a.number, a.subject)}
    found = sorted(
        (r for r in history.resources if numbers & set(r.aggregated)), key=lambda r: (r.name, r.uid)
    )
    numbered = {"found": float(len(found)), "acked": float(len(acked))}
    if len(found) == 1:
        got = f"{found[0].name}, holding {len(found[0].aggregated)} of {len(acked)} acknowledged alerts"
        return passed(_WANTED, got, len(acked), numbered)
    examples = [f"{r.name}: {len(r.aggregated)} alerts, window {r.window or 'not named'}" for r in found]
    return failed(_WANTED, f"{len(found)} for {len(acked)} alerts", len(acked), examples, numbered)
