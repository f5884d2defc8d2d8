"""The record is whole: the run ended by itself, every planned alert has its outcome, the truth held still."""

from __future__ import annotations

from reports import table
from reports.accounting import account
from reports.finding import Finding, passed, unknown
from reports.history import History

_WANTED = "a sealed ledger, an outcome for each alert, two equal readings of the truth"


def check(history: History) -> Finding:
    """Name what is missing from the record."""
    problems = list(history.damage)
    if history.ended != "completed":
        how = history.ended or "the process that ran it died"
        problems.append(f"the run did not end by itself ({history.ended_detail or how})")
    if not history.sealed:
        problems.append("the ledger is not sealed")
    problems += [
        f"{w.name} did not seal its ledger ({w.ended})" for w in history.workers if w.ended != "sealed"
    ]
    if len(table.distinct(table.of(history).number)) != history.run.planned:
        problems.append(f"{len(history.attempts)} outcomes for {history.run.planned} planned alerts")
    if history.resources is None:
        problems.append("the RemediationRequests were not read")
    elif not history.stable:
        problems.append("the RemediationRequests still changed between the last two readings")
    if history.resources is not None and not account(history).adds_up:
        problems.append("the accounting sums do not agree")
    if problems or not history.attempts:
        got = "; ".join(problems) or "no alert was recorded"
        return unknown(_WANTED, got, len(history.attempts), "run it again, undisturbed", problems)
    return passed(_WANTED, f"{len(history.attempts)} outcomes, sealed and stable", len(history.attempts))
