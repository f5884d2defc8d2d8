"""Which trace an alert's POST had, by the record alone, and where it is shown.

A POST has one trace context, made from the id of its first alert, which is the run's token and a number
(`shapes.trace`); the other alerts in it share that trace. The ledger does not name POSTs, but alerts of one
POST follow each other, were due and begun together, and were sent and answered at the same microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit

from reports.history import Attempt, History
from shapes import trace
from shapes.alerts import Naming

# The facts of a run by which its traces are known: that POSTs carried them, and who shows them.
SENT, SHOWN_AT = "traceparent", "jaeger"
# Not in it: what could end a link in Markdown.
_IN_LINKS = ":/?#[]@!$&'*+,;=%~"


def leaders(attempts: Iterable[Attempt]) -> Iterator[tuple[Attempt, int]]:
    """Yield each alert, by number, with the number of the first alert in its first POST; left out are alerts
    of which no byte was ever sent."""
    last: tuple[object, ...] = ()
    number = first = -1
    for attempt in sorted(attempts, key=lambda a: a.number):
        sent = attempt.sendings[0]
        together = (attempt.phase, attempt.due_s, sent.begun_s, sent.sent_s, sent.done_s)
        if together != last or attempt.volley or attempt.number != number + 1:
            first = attempt.number
        last, number = together, attempt.number
        if any(each.sent_s is not None for each in attempt.sendings):
            yield attempt, first


def trace_ids(history: History) -> dict[int, tuple[str, str]]:
    """Return each sent alert's trace, and the id of the alert that it was made from; none if POSTs carried no
    trace context."""
    if not {SENT, SHOWN_AT} & history.run.target_facts.keys():
        return {}
    naming = Naming(history.run.token)
    made_from = ((a.number, naming.alert_id(first)) for a, first in leaders(history.attempts))
    return {number: (trace.trace_id(first), first) for number, first in made_from}


def link(history: History, trace_id: str) -> str:
    """Return where a trace is shown; empty if nobody said, or what was said is no address of a web page."""
    base = history.run.target_facts.get(SHOWN_AT, "")
    return f"{quote(base, safe=_IN_LINKS).rstrip('/')}/trace/{trace_id}" if is_page(base) else ""


def is_page(url: str) -> bool:
    """Return whether a text is an http or https address, without a user and without blanks."""
    try:
        parts = urlsplit(url)
    except ValueError:  # As for http://[::1
        return False
    plain = url.split() == [url] and url.isprintable() and parts.username is None
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)
