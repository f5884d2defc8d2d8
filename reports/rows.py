"""The ledger as rows, one for each alert, with what the truth says of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reports import table, traces
from reports.history import History, Outcome
from reports.presentation import plain
from reports.table import Numbers
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

_OF_TABLE = ("number", "subject", "due_s", "begun_s", "sent_s", "done_s", "where", "told", "tries")
_AT_ONCE = 20_000  # Alerts; so many of them are objects at a time.
_TRUTHS = ("", "not read", "there", "not there", "lost")


def rows(history: History, verdict: Verdict) -> Iterator[dict[str, Value]]:
    """Yield a row for each alert, in the order of their numbers; what never happened is None.

    ``truth`` is lost, there, or not read, for an acknowledged alert; there or not there for an indeterminate
    one; else empty. ``subject`` is the id of the first alert with the same labels. ``trace_id`` is the trace
    of the POST that it went out in first, which other alerts may share; empty if it carried none.
    """
    told, naming = table.of(history), Naming(history.run.token)
    traced = traces.trace_ids(history)
    truths, order = _truths(history, verdict), told.in_order()
    wheres = [(plain(where.phase), where.volley) for where in told.wheres]
    tolds = [(t.outcome.value, plain(t.kind), t.status, plain(t.detail)) for t in told.tolds]
    for first in range(0, len(order), _AT_ONCE):
        some = order[first : first + _AT_ONCE]
        columns = (getattr(told, name)[some].tolist() for name in _OF_TABLE)
        for number, subject, due_s, begun_s, sent_s, done_s, where, answer, tries, truth in zip(
            *columns, truths[some].tolist(), strict=True
        ):
            (phase, volley), (outcome, kind, status, detail) = wheres[where], tolds[answer]
            yield {
                "id": naming.alert_id(number),
                "number": number,
                "subject": naming.alert_id(subject),
                "phase": phase,
                "due_s": due_s if phase or begun_s == begun_s else None,
                "begun_s": _or_none(begun_s),
                "sent_s": _or_none(sent_s),
                "done_s": _or_none(done_s),
                "latency_s": None if done_s != done_s else round(done_s - due_s, 6),
                "outcome": outcome,
                "kind": kind,
                "status": status,
                "tries": tries,
                "volley": volley,
                "truth": _TRUTHS[truth],
                "detail": detail,
                "trace_id": traced.get(number, ("", ""))[0],
            }


def _or_none(at_s: float) -> float | None:
    return at_s if at_s == at_s else None  # NaN is never itself.


def _truths(history: History, verdict: Verdict) -> Numbers:
    """Return, by row, which of `_TRUTHS` holds."""
    told = table.of(history)
    wanted = told.are(Outcome.ACKED) & ~told.kinds("resolved")
    unsure = told.are(Outcome.INDETERMINATE)
    if history.resources is None:
        return np.where(wanted | unsure, 1, 0)
    found = verdict.account
    lost, recovered = (np.isin(told.number, np.array(n, np.int64)) for n in (found.lost, found.recovered))
    return np.select([wanted & lost, wanted, unsure & recovered, unsure], [4, 2, 2, 3], 0)
