"""The report as one page: read offline, in light or dark, on paper; verdict and tables need no JavaScript."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from markupsafe import Markup

from reports import messenger, pages, strips
from reports.chart import Chart, chart
from reports.comparison import Comparison, NoComparison
from reports.history import History
from reports.offenders import stories
from reports.presentation import (
    EXAMPLES,
    accounting_lines,
    accounting_notes,
    facts,
    fault_asked,
    fault_bit,
    fault_seen,
    got,
    lost_ids,
    more,
    reproduce,
)
from reports.verdict import Verdict

FILE = "report.html"
_ASSETS = Path(__file__).parent / "assets"
# The page stays below 2 MB: a loss of millions is told by its count, its bound and verdict.json.
_MOST_IDS = 10_000
_LABELS = {
    "acked": "acknowledged",
    "safe": "refused, safely",
    "unsafe": "refused, unsafely",
    "indeterminate": "indeterminate",
    "unsent": "never delivered",
    "lost": "acknowledged and lost",
}


def render(history: History, verdict: Verdict, compared: Comparison | NoComparison | None = None) -> str:
    """Return the page; every text in it is escaped by the template, and the chart's data by `_embedded`."""
    drawn = chart(history, verdict)
    ids = lost_ids(history, verdict)
    return pages.template("run.html.j2", _ASSETS).render(
        run=history.run,
        verdict=verdict,
        facts=facts(history, verdict),
        legend=_legend(history, verdict),
        drawn=drawn,
        data=_embedded(drawn),
        examples=EXAMPLES,
        more=more,
        accounting=accounting_lines(history, verdict),
        notes=accounting_notes(history, verdict),
        stories=stories(history, verdict),
        ids=ids[:_MOST_IDS],
        ids_count=len(ids),
        faults=[
            (i, fault_asked(i), fault_seen(i), fault_bit(i), [*i.evidence[:EXAMPLES]])
            for i in history.injections
        ],
        reproduce=reproduce(history),
        meaning=messenger.meaning(history),
        ranges=strips.rows(history),
        ranges_of=strips.source(history),
        compared=compared if isinstance(compared, Comparison) else None,
        alone=compared.why if isinstance(compared, NoComparison) else "",
        got=got,
        adds_up=verdict.account.adds_up,
    )


def _legend(history: History, verdict: Verdict) -> list[tuple[str, str, int | None]]:
    """Return what the chart's classes mean and how many alerts each holds, None if not known."""
    a = verdict.account
    lost = len(a.lost) if history.resources is not None else None
    counts = {
        "acked": a.acked - (lost or 0),
        "safe": a.rejected_safe,
        "unsafe": a.rejected_unsafe,
        "indeterminate": a.indeterminate,
        "unsent": a.unsent,
        "lost": lost,
    }
    return [(name, _LABELS[name], counts[name]) for name in _LABELS]


def _embedded(drawn: Chart) -> Markup:
    # Inside a script element only "<" can end it or open a comment; JSON may write it as an escape.
    text = json.dumps({**asdict(drawn), "labels": _LABELS}, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
