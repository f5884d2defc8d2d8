"""What every report says of a run, in words: the four facts, the sums, the faults, how to repeat it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reports import messenger, table
from reports.bounds import at_most
from reports.finding import Finding, Status
from reports.history import Asked, History, Injection, Outcome
from reports.interval import Interval
from reports.table import Seconds
from reports.verdict import Verdict
from shapes.alerts import Naming

EXAMPLES = 5
NOT_READ = "the RemediationRequests were never read"
# What a run's figures rest on, as the tile says it.
_TRUSTED = {
    "fault_bit": "fault bit",
    "load_on_time": "generator on time",
    "ledger_whole": "ledger whole",
    "world_whole": "world whole",
    "messenger_whole": "Alertmanager whole",
    "metrics_continuous": "metrics continuous",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the four things to read first; ``status`` is empty if the scenario does not ask for it."""

    label: str
    value: str
    note: str
    status: str


def plain(text: str) -> str:
    """Return text on one line, with whatever cannot be seen (controls, surrogates, direction marks) written
    as its escape, so that a foreign answer can neither move the cursor nor hide."""
    flat = re.sub(r"[\r\n\t]+", " ", text)
    if flat.isprintable():
        return flat
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in flat)


def clip(text: str, most: int) -> str:
    """Return text cut to ``most`` characters, saying so when it was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def more(count: int, shown: int) -> str:
    """Return the line that says how many are not shown here, or nothing."""
    return f"and {count - shown:,} more: see verdict.json" if count > shown else ""


def lost_ids(history: History, verdict: Verdict) -> list[str]:
    """Return the ids of the alerts that were acknowledged and not found; none if the truth was never read."""
    if history.resources is None:
        return []
    naming = Naming(history.run.token)
    return [naming.alert_id(number) for number in verdict.account.lost]


def facts(history: History, verdict: Verdict) -> tuple[Fact, Fact, Fact, Fact]:
    """Return what to read first: lost, breaker opened, recovered, and whether the run can be trusted."""
    return (
        _lost(history, verdict),
        _timed(verdict, "Breaker opened", "breaker_opens"),
        _timed(verdict, "Recovered", "recovery"),
        _trust(history, verdict),
    )


def accounting_lines(history: History, verdict: Verdict) -> list[str]:
    """Return where every planned alert ended, as sums that can be checked by eye."""
    a = verdict.account
    lines = [
        f"{a.planned:,} planned = {a.sent:,} sent + {a.unsent:,} unsent",
        f"{a.sent:,} sent = {a.acked:,} acked + {a.rejected:,} rejected + {a.indeterminate:,} indeterminate",
    ]
    if history.resources is None:
        return [*lines, f"{a.acked:,} acked = not known: {NOT_READ}"]
    lines.append(
        f"{a.acked:,} acked = {a.created:,} created + {a.deduplicated:,} deduplicated "
        f"+ {a.aggregated:,} aggregated + {a.resolved:,} resolved + {len(a.lost):,} lost"
    )
    return lines if a.adds_up else [*lines, "the sums do not agree: report it as a bug of alertstorm"]


def accounting_notes(history: History, verdict: Verdict) -> list[str]:
    """Return what the sums leave open: whose word acknowledges, whether a loss is proven, unsafe refusals,
    indeterminate alerts, a truth that still moved."""
    a = verdict.account
    notes = [meaning] if (meaning := messenger.meaning(history)) else []
    if a.lost and (doubt := messenger.doubt(history)):
        notes.append(f"lost is not proven: {doubt}")
    if a.rejected:
        notes.append(
            f"of {a.rejected:,} rejected, {a.rejected_safe:,} safely (Alertmanager sends them again)"
        )
    tries = table.of(history).tries
    if again := int((tries > 1).sum()):
        notes.append(f"{again:,} were sent again, as Alertmanager does; at most {tries.max():,} tries each")
    if a.indeterminate and history.resources is not None:
        notes.append(
            f"of {a.indeterminate:,} indeterminate, {len(a.recovered):,} turned up; the rest is not lost"
        )
    if history.resources is not None and not history.stable:
        notes.append("the last two readings of the RemediationRequests differed, so lost is not final")
    return notes


def got(finding: Finding) -> str:
    """Return what a criterion got, with its error where it is a time between two readings."""
    numbers = finding.numbers
    if not {"earliest_s", "latest_s"} <= set(numbers) or not math.isfinite(numbers["latest_s"]):
        return finding.got
    took = Interval(numbers["earliest_s"], numbers["latest_s"])
    return f"{finding.got} (\u00b1 {took.error_s:.2f} s)"


def fault_asked(injection: Injection) -> str:
    """Return when a fault was asked for, in seconds since the start."""
    return f"{injection.asked_at_s:g} s to {injection.asked_at_s + injection.asked_for_s:g} s"


def fault_seen(injection: Injection) -> str:
    """Return when a fault really was on, or why that is not known."""
    if injection.began is None:
        return f"never began{f' ({injection.error})' if injection.error else ''}"
    end = str(injection.ended) if injection.ended else "not seen to end"
    return (
        f"began in {injection.began}, ended in {end}"
        if injection.ended
        else f"began in {injection.began}, {end}"
    )


def fault_bit(injection: Injection) -> str:
    """Return whether a fault took effect."""
    words = {True: "yes", False: "no effect seen", None: "nobody could look"}
    return words[injection.bit]


def reproduce(history: History) -> list[tuple[str, str]]:
    """Return what is needed to run it again, as (what, value) pairs."""
    run = history.run
    pairs = [("command", run.command or "not recorded"), ("seed", str(run.seed))]
    pairs += [(f"version of {name}", value) for name, value in sorted(run.versions.items())]
    pairs += [(f"target {name}", value) for name, value in sorted(run.target_facts.items())]
    pairs += [("generator", _generator(history))]
    pairs += [(worker.name, worker.sentence) for worker in history.workers]
    return [*pairs, ("judge again", f"python -m reports {run.run_id}")]


def _generator(history: History) -> str:
    """Return how punctual the alerts were begun, and what the process used that conducted the run, and sent
    them if no worker did."""
    told = table.of(history)
    late_ms = table.ordered(np.maximum(0.0, told.late_s)) * 1000
    sent = len(told) - int(told.are(Outcome.UNSENT).sum())
    words = f"{history.run.planned:,} planned, {len(late_ms):,} begun, {sent:,} sent"
    if len(late_ms):
        p50, p99 = percentile(late_ms, 0.50), percentile(late_ms, 0.99)
        words += f", late p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {late_ms[-1]:.1f} ms"
    if history.used:
        words += f"; {history.used['cpu_s']:.1f} s of processor in {history.used['over_s']:.0f} s"
    return words


def recoveries(history: History) -> Iterator[Asked]:
    """Yield the promises that time a recovery."""
    yield from (asked for asked in history.run.promises if asked.criterion == "recovery")


def percentile(ordered: Sequence[float] | Seconds, share: float) -> float | None:
    """Return the value that ``share`` (0 to 1) of the ordered values do not exceed; None of no values."""
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if len(ordered) else None


def _lost(history: History, verdict: Verdict) -> Fact:
    a = verdict.account
    if history.resources is None:
        return Fact("Lost", "not known", NOT_READ, Status.UNKNOWN.value)
    value = f"{len(a.lost):,} of {a.acked:,}"
    if not history.stable:
        return Fact("Lost", value, "not final: the last two readings differed", Status.UNKNOWN.value)
    if a.lost and (doubt := messenger.doubt(history)):
        return Fact("Lost", value, f"not proven: {doubt}", Status.UNKNOWN.value)
    if a.lost:
        return Fact("Lost", value, "acknowledged, and in no RemediationRequest", Status.FAIL.value)
    if verdict.loss_bound is None:
        return Fact("Lost", value, "nothing was acknowledged", Status.UNKNOWN.value)
    bound = f"acknowledged alerts; at most {at_most(verdict.loss_bound)} at 95 %"
    return Fact("Lost", value, bound, Status.PASS.value)


def _timed(verdict: Verdict, label: str, criterion: str) -> Fact:
    asked = [f for f in verdict.findings if f.criterion == criterion]
    if not asked:
        return Fact(label, "not asked", "the scenario has no such criterion", "")
    # The findings stand worst first, so the first one is the one to know of.
    rest = [f"{_took(f)[0]} {_took(f)[1]}" for f in asked[1:]]
    value, note = _took(asked[0])
    return Fact(label, value, "; ".join([note, *rest]), asked[0].status.value)


def _took(finding: Finding) -> tuple[str, str]:
    numbers = finding.numbers
    if not {"earliest_s", "latest_s", "limit_s"} <= set(numbers):
        return "not known", finding.got
    limit = f"of {numbers['limit_s']:g} s allowed"
    if math.isinf(numbers["latest_s"]):
        return "not seen", f"for {max(0.0, numbers['earliest_s']):.2f} s, {limit}"
    return f"in {Interval(numbers['earliest_s'], numbers['latest_s'])}", limit


def _trust(history: History, verdict: Verdict) -> Fact:
    """Return whether the run can be believed: its assumptions, and that what it was read from held still."""
    asked = {f.criterion: True for f in verdict.findings}
    asked |= {f.criterion: False for f in verdict.findings if f.status in (Status.FAIL, Status.UNKNOWN)}
    checks = [(words, asked[criterion]) for criterion, words in _TRUSTED.items() if criterion in asked]
    checks.append(("truth read stable", history.resources is not None and history.stable))
    good = sum(holds for _, holds in checks)
    note = ", ".join(f"\u2713 {words}" if holds else f"\u2717 not: {words}" for words, holds in checks)
    status = Status.PASS if good == len(checks) else Status.UNKNOWN
    return Fact("Trust", f"{good} of {len(checks)} hold", note, status.value)
