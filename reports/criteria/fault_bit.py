"""Every fault of the scenario was injected, and its effect was seen."""

from __future__ import annotations

from reports.finding import Finding, passed, unknown
from reports.history import History


def check(history: History) -> Finding:
    """Count the faults whose effect was observed; a fault that did not bite proves nothing."""
    planned = history.run.faults_planned
    wanted = f"{planned} of {planned} faults took effect"
    if history.run.faults_disabled:
        mend = "run without --chaos-no-faults; this run shows only the load"
        return unknown(wanted, "faults were switched off", 0, mend)
    injections = sorted(history.injections, key=lambda i: (i.asked_at_s, i.name))
    bitten = [i for i in injections if i.bit]
    evidence = tuple(f"{i.name}: {line}" for i in injections for line in i.evidence)
    if planned and len(bitten) == planned:
        finding = passed(wanted, f"{len(bitten)} did", len(bitten))
        return Finding(finding.status, wanted, finding.got, finding.samples, evidence)
    reasons = [f"{i.name}: {i.error or 'no effect was seen'}" for i in injections if not i.bit]
    if len(injections) < planned:
        reasons.append(f"{planned - len(injections)} never injected")
    got = f"{len(bitten)} did; " + "; ".join(reasons)
    mend = "see the injector's evidence and the logs of the run folder"
    return unknown(wanted, got, len(bitten), mend, evidence)
