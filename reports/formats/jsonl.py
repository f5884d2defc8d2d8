"""The ledger for programs: a JSON object a line for each alert, its fields as in `reports.rows`."""

from __future__ import annotations

import json

from reports.history import History
from reports.rows import rows
from reports.verdict import Verdict


def render(history: History, verdict: Verdict) -> str:
    """Return the lines; nothing else is in them, so that they can be put together."""
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows(history, verdict))
