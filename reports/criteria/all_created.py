"""Every acknowledged alert ends in a RemediationRequest, its own or a storm's; none stays buffered."""

from __future__ import annotations

from reports import messenger
from reports.accounting import account, still_due
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome

CONCLUSIVE = True
_WANTED = "each acknowledged alert in a RemediationRequest by its own id"


def check(history: History) -> Finding:
    """Look for each alert's own id: an occurrence count covers only what was answered as a duplicate, or
    repeats an earlier alert."""
    if history.resources is None:
        mend = "let the run end by itself, with the Kubernetes API reachable"
        return unknown(_WANTED, "the resources were never read", 0, mend)
    acked = [a for a in history.of(Outcome.ACKED) if a.kind != "resolved"]
    named = {r.creator for r in history.resources} | {n for r in history.resources for n in r.aggregated}
    named |= {m.creator for r in history.resources for m in r.members}
    lost = set(account(history).lost)
    missing = [a for a in acked if a.number in lost or (_original(a) and a.number not in named)]
    got = f"{len(missing)} of {len(acked)} in none"
    numbers = {"missing": float(len(missing)), "acked": float(len(acked))}
    if not history.stable:
        mend = "two readings in a row differed; lengthen the scenario's settle"
        return unknown(_WANTED, f"{got}, in a reading that still moved", len(acked), mend, numbers=numbers)
    due = still_due(history, [a.number for a in missing])
    if due and len(due) == len(missing):
        waiting = (
            f"{len(due)} of {len(acked)} were kept for later, and the run was broken off before they came"
        )
        return unknown(_WANTED, waiting, len(acked), "let the run end by itself", numbers=numbers)
    if missing and (doubt := messenger.doubt(history)):
        return unknown(_WANTED, f"{got}, but {doubt}", len(acked), messenger.MEND, numbers=numbers)
    if missing:
        examples = [_story(history, a) for a in sorted(missing, key=lambda a: a.number)]
        return failed(_WANTED, got, len(acked), examples, numbers)
    if not acked:
        return unknown(_WANTED, "nothing was acknowledged", 0, "check that the Gateway accepts alerts at all")
    return passed(_WANTED, got, len(acked), numbers)


def _original(attempt: Attempt) -> bool:
    return attempt.number == attempt.subject and attempt.kind != "duplicate"


def _story(history: History, attempt: Attempt) -> str:
    return (
        f"{history.run.token}-{attempt.number:07d}: answered {attempt.status} {attempt.kind} at "
        f"{attempt.done_s or 0:.3f} s, in no RemediationRequest"
    )
