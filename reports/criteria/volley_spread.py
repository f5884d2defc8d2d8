"""The duplicates of a volley were released at one instant, so that the Gateway met them concurrently."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from reports import table
from reports.finding import Finding, passed, unknown
from reports.history import Attempt, History, Outcome


def check(history: History, *, within_s: float = 0.005) -> Finding:
    """Measure from the first to the last release, over every phase of pattern duplicates.

    A wide spread is the generator's own, no fault of the Gateway's: it is UNKNOWN, never a FAIL.
    """
    wanted = f"every volley released within {within_s * 1000:g} ms"
    planned = sum(phase.pattern == "duplicates" for phase in history.run.phases)
    volleys: dict[int, list[Attempt]] = defaultdict(list)
    for row in np.flatnonzero(table.of(history).volleys()).tolist():
        attempt = history.attempts[row]
        volleys[attempt.volley].append(attempt)
    if len(volleys) < max(1, planned):
        mend = "give the scenario a phase with 'pattern: duplicates', and let the run end by itself"
        return unknown(wanted, f"{len(volleys)} of {planned} volleys were begun", len(volleys), mend)
    aborted = [number for number, members in volleys.items() if not all(_released(a) for a in members)]
    if aborted:
        detail = next(a.detail for a in volleys[aborted[0]] if not _released(a)) or "not all were released"
        got = f"{len(aborted)} of {len(volleys)} aborted: {detail}"
        return unknown(wanted, got, len(volleys), "let the Gateway take that many connections at once")
    spreads_s = [_spread_s(members) for members in volleys.values()]
    got = f"{len(volleys)} released, the widest within {max(spreads_s) * 1000:.3f} ms"
    numbers = {"max_spread_s": max(spreads_s)}
    if max(spreads_s) > within_s:
        mend = "the generator was starved; give it a free core, or allow a wider spread"
        return unknown(wanted, got, len(volleys), mend, numbers=numbers)
    return passed(wanted, got, len(volleys), numbers)


def _released(attempt: Attempt) -> bool:
    first = attempt.sendings[0]
    return first.outcome is not Outcome.UNSENT and first.sent_s is not None


def _spread_s(members: list[Attempt]) -> float:
    # Only the first try is of the volley; what is sent again has times of its own.
    sent_s = [a.sendings[0].sent_s or 0.0 for a in members]
    return max(sent_s) - min(sent_s)
