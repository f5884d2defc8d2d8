"""The ledger for a spreadsheet: a head line, then a line for each alert, its fields as in `reports.rows`."""

from __future__ import annotations

import csv
import io

from reports.history import History
from reports.rows import COLUMNS, Value, rows
from reports.verdict import Verdict

# A spreadsheet takes a cell that begins so for a formula; an answer's text must not become one.
_FORMULA = ("=", "+", "-", "@")


def render(history: History, verdict: Verdict) -> str:
    """Return the table (RFC 4180); a text that a spreadsheet would run begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in rows(history, verdict):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
