"""What every report says of a run, in words: the four facts, the sums, the faults, how to repeat it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from reports.finding import Finding, Status
from reports.history import Asked, Attempt, History, Injection
from reports.interval import Interval
from reports.verdict import Verdict
from shapes.alerts import Naming

EXAMPLES = 5
NOT_READ = "the RemediationRequests were never read"


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the four things to read first; ``status`` is empty if the scenario does not ask for it."""

    label: str
    value: str
    note: str
    status: str


@dataclass(frozen=True, slots=True)
class Story:
    """How one lost alert went, as (what, how) pairs."""

    alert_id: str
    lines: tuple[tuple[str, str], ...]


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
        _trust(verdict),
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
    """Return what the sums leave open: unsafe refusals, indeterminate alerts, a truth that still moved."""
    a = verdict.account
    notes = []
    if a.rejected:
        notes.append(
            f"of {a.rejected:,} rejected, {a.rejected_safe:,} safely (Alertmanager sends them again)"
        )
    if again := [attempt for attempt in history.attempts if attempt.tries > 1]:
        most = max(attempt.tries for attempt in again)
        notes.append(f"{len(again):,} were sent again, as Alertmanager does; at most {most:,} tries each")
    if a.indeterminate and history.resources is not None:
        notes.append(
            f"of {a.indeterminate:,} indeterminate, {len(a.recovered):,} turned up; the rest is not lost"
        )
    if history.resources is not None and not history.stable:
        notes.append("the last two readings of the RemediationRequests differed, so lost is not final")
    return notes


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
    return [*pairs, ("judge again", f"python -m reports {run.run_id}")]


def recoveries(history: History) -> Iterator[Asked]:
    """Yield the promises that time a recovery."""
    yield from (asked for asked in history.run.promises if asked.criterion == "recovery")


def percentile(ordered: list[float], share: float) -> float | None:
    """Return the value that ``share`` (0 to 1) of the ordered values do not exceed; None of no values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def stories(history: History, verdict: Verdict, most: int = EXAMPLES) -> list[Story]:
    """Return how the first lost alerts went, with the faults and the breaker around them."""
    if history.resources is None:
        return []
    by_number = {attempt.number: attempt for attempt in history.attempts}
    return [
        _story(history, by_number[number]) for number in verdict.account.lost[:most] if number in by_number
    ]


def _lost(history: History, verdict: Verdict) -> Fact:
    a = verdict.account
    if history.resources is None:
        return Fact("Lost", "not known", NOT_READ, Status.UNKNOWN.value)
    value = f"{len(a.lost):,} of {a.acked:,}"
    if not history.stable:
        return Fact("Lost", value, "not final: the last two readings differed", Status.UNKNOWN.value)
    if a.lost:
        return Fact("Lost", value, "acknowledged, and in no RemediationRequest", Status.FAIL.value)
    if verdict.loss_bound is None:
        return Fact("Lost", value, "nothing was acknowledged", Status.UNKNOWN.value)
    return Fact(
        "Lost", value, f"acknowledged alerts; at most {verdict.loss_bound:.2%} at 95 %", Status.PASS.value
    )


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


def _trust(verdict: Verdict) -> Fact:
    assumed = [f for f in verdict.findings if f.assumption]
    hold = [f for f in assumed if f.status is Status.PASS]
    words = [f"{f.criterion} {'holds' if f.status is Status.PASS else 'does not hold'}" for f in assumed]
    value = f"{len(hold)} of {len(assumed)} assumptions"
    status = Status.PASS if assumed and len(hold) == len(assumed) else Status.UNKNOWN
    return Fact("Trust", value, ", ".join(words), status.value)


def _story(history: History, attempt: Attempt) -> Story:
    answered = "never"
    if attempt.done_s is not None:
        since = f"{(attempt.done_s - attempt.due_s) * 1000:.0f} ms after it was due"
        answered = f"{attempt.status} {attempt.kind} at {attempt.done_s:.3f} s, {since}"
    lines = [
        ("due", f"{attempt.due_s:.3f} s, phase {attempt.phase or 'not recorded'}"),
        ("answered", answered),
        ("truth", "in no RemediationRequest, and no occurrence count covers it"),
        ("faults then", _faults_at(history, attempt.done_s or attempt.due_s)),
    ]
    if attempt.detail:
        lines.append(("detail", attempt.detail))
    return Story(Naming(history.run.token).alert_id(attempt.number), tuple(lines))


def _faults_at(history: History, at_s: float) -> str:
    words = []
    for injection in history.injections:
        if injection.began is None or at_s < injection.began.earliest_s:
            continue
        if injection.ended is None or at_s <= injection.ended.latest_s:
            words.append(f"{injection.name}, on for {at_s - injection.began.earliest_s:.2f} s")
        else:
            words.append(f"{injection.name}, over for {at_s - injection.ended.latest_s:.2f} s")
    return "; ".join(words) or "none had begun"
