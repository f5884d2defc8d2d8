"""A run beside an earlier one of the same plan: what differs, and whether the difference can be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reports import table
from reports.bounds import at_least
from reports.comparable import unlike
from reports.finding import Finding
from reports.history import History, Outcome, Run
from reports.interval import Interval
from reports.presentation import percentile
from reports.verdict import Verdict

_TIMED = (("Breaker opened", "breaker_opens"), ("Recovered", "recovery"))


@dataclass(frozen=True, slots=True)
class Figures:
    """What is compared of a run. ``lost`` is None if it is not known; ``times`` are the worst of each timed
    criterion that gave a time; ``latency_p95_s`` counts from the due time, of acknowledged alerts."""

    run: Run
    state: str
    lost: int | None
    acked: int
    times: Mapping[str, Interval]
    latency_p95_s: float | None


@dataclass(frozen=True, slots=True)
class Delta:
    """One figure then and now, and what can be said of the difference."""

    label: str
    before: str
    now: str
    change: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside an earlier one. ``differs`` names what else is not the same; empty: nothing known of."""

    run_id: str
    started_at: str
    state: str
    deltas: tuple[Delta, ...]
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoComparison:
    """That there is no run to put beside a run, and why."""

    why: str


def figures(history: History, verdict: Verdict) -> Figures:
    """Return what is compared of a run."""
    told = table.of(history)
    took = table.ordered(told.latency_s[told.are(Outcome.ACKED)])
    return Figures(
        run=history.run,
        state=verdict.state.value,
        lost=len(verdict.account.lost) if history.resources is not None else None,
        acked=verdict.account.acked,
        times={label: i for label, name in _TIMED if (i := _worst(verdict, name)) is not None},
        latency_p95_s=percentile(took, 0.95),
    )


def compare(before: Figures, now: Figures) -> Comparison:
    """Return what differs. Of times only a difference beyond both errors is called one."""
    deltas = [_lost(before, now)]
    for label, _ in _TIMED:
        if label in before.times or label in now.times:
            deltas.append(_timed(label, before.times.get(label), now.times.get(label)))
    deltas.append(_latency(before.latency_p95_s, now.latency_p95_s))
    run = before.run
    return Comparison(run.run_id, run.started_at, before.state, tuple(deltas), _differs(run, now.run))


def _worst(verdict: Verdict, criterion: str) -> Interval | None:
    # The findings stand worst first, so the first one with a time is the one to know of.
    timed = [_interval(f) for f in verdict.findings if f.criterion == criterion]
    return next((interval for interval in timed if interval), None)


def _interval(finding: Finding) -> Interval | None:
    numbers = finding.numbers
    if not {"earliest_s", "latest_s"} <= set(numbers):
        return None
    return Interval(numbers["earliest_s"], numbers["latest_s"])


def _lost(before: Figures, now: Figures) -> Delta:
    words = [f"{f.lost:,} of {f.acked:,}" if f.lost is not None else "not known" for f in (before, now)]
    change = "not known"
    if before.lost is not None and now.lost is not None:
        difference = now.lost - before.lost
        change = (
            "the same" if not difference else f"{abs(difference):,} {'more' if difference > 0 else 'fewer'}"
        )
    return Delta("Lost", words[0], words[1], change)


def _timed(label: str, before: Interval | None, now: Interval | None) -> Delta:
    words = [str(each) if each else "no time" for each in (before, now)]
    change = "cannot be compared"
    if before and now:
        if now.earliest_s > before.latest_s:
            change = f"slower by at least {at_least(now.earliest_s - before.latest_s)} s"
        elif now.latest_s < before.earliest_s:
            change = f"faster by at least {at_least(before.earliest_s - now.latest_s)} s"
        else:
            change = "no difference beyond the error"
    return Delta(label, words[0], words[1], change)


def _latency(before_s: float | None, now_s: float | None) -> Delta:
    words = [f"{each * 1000:.1f} ms" if each is not None else "no answer" for each in (before_s, now_s)]
    change = "cannot be compared"
    if before_s is not None and now_s is not None:
        change = f"{(now_s - before_s) * 1000:+.1f} ms; one run each, so it may be chance"
    return Delta("Latency of acknowledged, 95 % within", words[0], words[1], change)


def _differs(before: Run, now: Run) -> tuple[str, ...]:
    plan = unlike(before, now)
    found = [plan] if plan else []
    if _options(before) != _options(now):
        found.append(f"options then: {before.command or 'not recorded'}")
    if before.seed != now.seed:
        found.append(f"seed {before.seed} then, {now.seed} now")
    for name in sorted({*before.versions, *now.versions}):
        then, here = before.versions.get(name, "unknown"), now.versions.get(name, "unknown")
        if then != here:
            found.append(f"{name} {then} then, {here} now")
    return tuple(found)


def _options(run: Run) -> str:
    """Return a run's command without its seed, which is told by itself."""
    return re.sub(r" --chaos-seed \S+", "", run.command)
