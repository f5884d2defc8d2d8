"""Every RemediationRequest of the run comes from an alert that was sent."""

from __future__ import annotations

from reports.accounting import account
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

_WANTED = "0 RemediationRequests without an alert"


def check(history: History) -> Finding:
    """Look for resources that carry this run's token but name an alert that never went out."""
    if not history.resources:
        return unknown(_WANTED, "no resource was read", 0, "see zero_loss")
    strange = account(history).unexpected
    if strange:
        return failed(_WANTED, f"{len(strange)} of them", len(history.resources), strange)
    if not history.stable:
        return unknown(_WANTED, "the last reading still moved", len(history.resources), "lengthen settle")
    return passed(_WANTED, "none", len(history.resources))
