"""Alerts with the same fingerprint end in one RemediationRequest, not in two."""

from __future__ import annotations

from reports.accounting import account
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

CONCLUSIVE = True
_WANTED = "1 RemediationRequest for each fingerprint"


def check(history: History) -> Finding:
    """Group the resources by the labels they came from."""
    if not history.resources:
        return unknown(_WANTED, "no resource was read", 0, "see zero_loss")
    doubled = account(history).duplicates
    if doubled:
        examples = [" and ".join(names) + " hold the same alert" for names in doubled]
        return failed(_WANTED, f"{len(doubled)} with more than one", len(history.resources), examples)
    if not history.stable:
        return unknown(_WANTED, "the last reading still moved", len(history.resources), "lengthen settle")
    return passed(_WANTED, "no second one", len(history.resources))
