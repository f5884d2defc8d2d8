"""The ledger as rows, one for each alert, with what the truth says of it."""

from __future__ import annotations

from collections.abc import Iterator

from reports import traces
from reports.history import Attempt, History, Outcome
from reports.presentation import plain
from reports.verdict import Verdict
from shapes.alerts import Naming

COLUMNS = (
    "id",
    "number",
    "subject",
    "phase",
    "due_s",
    "begun_s",
    "sent_s",
    "done_s",
    "latency_s",
    "outcome",
    "kind",
    "status",
    "tries",
    "volley",
    "truth",
    "detail",
    "trace_id",
)
Value = str | int | float | None


def rows(history: History, verdict: Verdict) -> Iterator[dict[str, Value]]:
    """Yield a row for each alert, in the order of their numbers; what never happened is None.

    ``truth`` is lost, there, or not read, for an acknowledged alert; there or not there for an indeterminate
    one; else empty. ``subject`` is the id of the first alert with the same labels. ``trace_id`` is the trace
    of the POST that it went out in first, which other alerts may share; empty if it carried none.
    """
    naming = Naming(history.run.token)
    traced = traces.trace_ids(history)
    lost, recovered = set(verdict.account.lost), set(verdict.account.recovered)
    for a in sorted(history.attempts, key=lambda a: a.number):
        yield {
            "id": naming.alert_id(a.number),
            "number": a.number,
            "subject": naming.alert_id(a.subject),
            "phase": plain(a.phase),
            "due_s": a.due_s if a.phase or a.begun_s is not None else None,
            "begun_s": a.begun_s,
            "sent_s": a.sent_s,
            "done_s": a.done_s,
            "latency_s": None if a.latency_s is None else round(a.latency_s, 6),
            "outcome": a.outcome.value,
            "kind": plain(a.kind),
            "status": a.status,
            "tries": a.tries,
            "volley": a.volley,
            "truth": _truth(a, history.resources is not None, lost, recovered),
            "detail": plain(a.detail),
            "trace_id": traced.get(a.number, ("", ""))[0],
        }


def _truth(attempt: Attempt, read: bool, lost: set[int], recovered: set[int]) -> str:
    if attempt.outcome is Outcome.INDETERMINATE:
        return "not read" if not read else "there" if attempt.number in recovered else "not there"
    if attempt.outcome is not Outcome.ACKED or attempt.kind == "resolved":
        return ""
    return "not read" if not read else "lost" if attempt.number in lost else "there"
