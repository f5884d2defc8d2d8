"""No acknowledged alert is lost: each is read back by its id, or covered by an occurrence count."""

from __future__ import annotations

import numpy as np

from reports import messenger, table
from reports.accounting import account, still_due
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

CONCLUSIVE = True
_WANTED = "0 acknowledged alerts lost"


def check(history: History) -> Finding:
    """Join the ledger with the resources; indeterminate alerts that never turn up are not lost."""
    if history.resources is None:
        return unknown(
            _WANTED,
            "the resources were never read",
            0,
            "let the run end by itself, with the Kubernetes API reachable",
        )
    found = account(history)
    turned_up = f"; {len(found.recovered)} of {found.indeterminate} indeterminate ones turned up"
    got = f"{len(found.lost)} of {found.acked} lost" + (turned_up if found.indeterminate else "")
    numbers = {"lost": float(len(found.lost)), "acked": float(found.acked)}
    if not history.stable:
        mend = "two readings in a row differed; lengthen the scenario's settle"
        return unknown(_WANTED, got + " in a reading that still moved", found.acked, mend, numbers=numbers)
    due = set(still_due(history, found.lost))
    proven = tuple(n for n in found.lost if n not in due)
    if due:
        numbers["lost"] = float(len(proven))
        kept = f"{len(due)} kept for later, and the run was broken off before they came"
        got = f"{len(proven)} of {found.acked} lost; {kept}{turned_up if found.indeterminate else ''}"
    if proven and (doubt := messenger.doubt(history)):
        return unknown(_WANTED, f"{got}, but {doubt}", found.acked, messenger.MEND, numbers=numbers)
    if proven:
        return failed(_WANTED, got, found.acked, _stories(history, proven), numbers)
    if due:
        return unknown(_WANTED, got, found.acked, "let the run end by itself", numbers=numbers)
    if found.acked == found.resolved:
        return unknown(_WANTED, "nothing was acknowledged", 0, "check that the Gateway accepts alerts at all")
    return passed(_WANTED, got, found.acked, numbers)


def _stories(history: History, lost: tuple[int, ...]) -> list[str]:
    stories = []
    for number, row in zip(lost, table.of(history).rows(np.array(lost)).tolist(), strict=True):
        attempt = history.attempts[row]
        stories.append(
            f"{history.run.token}-{number:07d}: due {attempt.due_s:.3f} s ({attempt.phase}), "
            f"answered {attempt.status} {attempt.kind} at {attempt.done_s or 0:.3f} s, "
            "in no RemediationRequest"
        )
    return stories
