"""What the Gateway answered to an Alertmanager, as a relay between them wrote it down, alert by alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from reports import messenger, table
from reports.history import History, Outcome, Try
from reports.table import Numbers, Table

FILE = "deliveries.jsonl"


def of(lines: Iterable[Mapping[str, Any]]) -> dict[int, tuple[Try, ...]]:
    """Return each alert's tries, in order.

    Raises:
        LookupError, TypeError, ValueError: if a line is none.
    """
    found: defaultdict[int, list[Try]] = defaultdict(list)
    for line in lines:
        fields = {name: value for name, value in line.items() if name != "number"}
        found[int(line["number"])].append(Try(**{**fields, "outcome": Outcome(line["outcome"])}))
    return {number: tuple(tries) for number, tries in found.items()}


def answers(history: History) -> tuple[Numbers, Table]:
    """Return what the Gateway answered to each try of each alert: to the sender, or, where an Alertmanager
    stands between, to that, as far as a relay saw it; the alert's row, and the tries as rows. Without a relay
    nobody knows."""
    told, seen = table.of(history), history.deliveries
    if seen is None and not messenger.stands_between(history):
        return told.sendings()
    numbers = np.fromiter((n for n, tries in (seen or {}).items() if tries), np.int64)
    rows = told.rows(numbers)
    known = rows >= 0
    rows = np.sort(rows[known])
    each = {k: (seen or {})[n] for k, n in enumerate(told.number[rows].tolist())}
    places, tries = replace(told.some(rows), each=each).sendings()
    return rows[places], tries


def words(history: History, number: int) -> str:
    """Return how often an alert was handed to the Gateway, and how that ended; empty if nobody saw."""
    if history.deliveries is None:
        return ""
    tries = history.deliveries.get(number, ())
    if not tries:
        return "never, as far as the relay saw"
    last = tries[-1]
    got = f"{last.status} {last.kind}" if last.status is not None else last.detail or last.kind
    times = "once" if len(tries) == 1 else f"{len(tries):,} times"
    return f"{times} by Alertmanager, last at {last.begun_s or 0.0:.3f} s: {got}"
