"""Every acknowledged alert ends in a RemediationRequest, its own or a storm's; none stays buffered."""

from __future__ import annotations

import numpy as np

from reports import messenger, stored, table
from reports.accounting import account, still_due
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

CONCLUSIVE = True
_WANTED = "each acknowledged alert in a RemediationRequest by its own id"


def check(history: History) -> Finding:
    """Look for each alert's own id: an occurrence count covers only what was answered as a duplicate, or
    repeats an earlier alert."""
    if history.resources is None:
        mend = "let the run end by itself, with the Kubernetes API reachable"
        return unknown(_WANTED, "the resources were never read", 0, mend)
    told, store = table.of(history), stored.of(history)
    acked = told.are(Outcome.ACKED) & ~told.kinds("resolved")
    count = int(np.count_nonzero(acked))
    named = np.concatenate((store.creator, store.aggregated.number, store.member_creator))
    original = (told.number == told.subject) & ~told.kinds("duplicate")
    gone = original & ~np.isin(told.number, named)
    rows = np.flatnonzero(acked & (gone | np.isin(told.number, np.array(account(history).lost, np.int64))))
    missing = rows[told.some(rows).in_order()]
    got = f"{len(missing)} of {count} in none"
    numbers = {"missing": float(len(missing)), "acked": float(count)}
    if not history.stable:
        mend = "two readings in a row differed; lengthen the scenario's settle"
        return unknown(_WANTED, f"{got}, in a reading that still moved", count, mend, numbers=numbers)
    due = still_due(history, told.number[missing].tolist())
    if due and len(due) == len(missing):
        waiting = f"{len(due)} of {count} were kept for later, and the run was broken off before they came"
        return unknown(_WANTED, waiting, count, "let the run end by itself", numbers=numbers)
    if len(missing) and (doubt := messenger.doubt(history)):
        return unknown(_WANTED, f"{got}, but {doubt}", count, messenger.MEND, numbers=numbers)
    if len(missing):
        return failed(_WANTED, got, count, [_story(history, row) for row in missing.tolist()], numbers)
    if not count:
        return unknown(_WANTED, "nothing was acknowledged", 0, "check that the Gateway accepts alerts at all")
    return passed(_WANTED, got, count, numbers)


def _story(history: History, row: int) -> str:
    attempt = history.attempts[row]
    return (
        f"{history.run.token}-{attempt.number:07d}: answered {attempt.status} {attempt.kind} at "
        f"{attempt.done_s or 0:.3f} s, in no RemediationRequest"
    )
