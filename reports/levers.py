"""What to change, and to what, so that an undecided criterion can be decided: computed from the record."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports import signals, table
from reports.finding import Finding
from reports.history import History, Injection, Observation
from reports.interval import Interval

# After this the criteria want to see that it stays so.
STABLE_S = 2.0
# Where the true value may lie anywhere in an interval, one of a tenth of its width decides nine times in ten.
_FINER = 10
_FASTEST_PROBE_S = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change, from ``now`` to ``wanted`` (None: not known, or no number) in ``unit``."""

    what: str
    text: str
    now: float | None = None
    wanted: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A finding that is to be explained, with the run it is of and the options it was asked with."""

    history: History
    finding: Finding
    options: Mapping[str, Any]

    @property
    def injection(self) -> Injection | None:
        """Return the fault that the criterion looks at."""
        return self.history.injection(str(self.options.get("fault", "")))

    @property
    def limit_s(self) -> float | None:
        """Return the limit in seconds that it was asked to judge."""
        given = [self.options.get(name) for name in ("within_s", "max_gap_s")]
        number = self.finding.numbers.get("limit_s")
        return next((float(v) for v in (number, *given) if isinstance(v, int | float)), None)

    @property
    def start(self) -> Interval | None:
        """Return from when the criterion counts: the fault's real begin, or its end."""
        if self.injection is None:
            return None
        return self.injection.ended if self.options.get("after") == "healed" else self.injection.began


def probes(case: Case) -> list[Change]:
    """For a duration too close to its limit: how wide the probes' gap was, why, and what gap would decide."""
    numbers, limit_s, start = case.finding.numbers, case.limit_s, case.start
    earliest_s, latest_s = numbers.get("earliest_s", 0.0), numbers.get("latest_s", math.inf)
    if limit_s is None or start is None or math.isinf(latest_s) or not earliest_s <= limit_s < latest_s:
        return []
    own_s = start.latest_s - start.earliest_s
    gap_s = max(0.0, latest_s - earliest_s - own_s)
    span = Interval(start.latest_s + earliest_s, start.earliest_s + latest_s)
    silent = [o for o in case.history.observations if not o.ok and _within(o, span)]
    wanted_s, every_s = max(_FASTEST_PROBE_S, _rounded(gap_s / _FINER)), _every_s(case.history)
    text = f"too close to call: the probes' gap was {gap_s:.2g} s, the fault's own error {own_s:.2g} s"
    changes = []
    if silent:
        names = ", ".join(sorted({o.probe for o in silent}))
        why = f"{text}; {len(silent)} probes in it got no answer ({names}), so asking more often may not help"
        changes.append(Change("probe_every", why, unit="s"))
    elif gap_s > 3 * every_s > 0:
        why = f"{text}; the probes ask every {every_s:.2g} s, but stood still: give the generator a free core"
        changes.append(Change("probe_every", why, unit="s"))
    elif wanted_s < gap_s:
        told = f"{text}; probe every {wanted_s:g} s (probe_every: {wanted_s:g}s): of the places where the "
        told += f"true value may lie {1 - wanted_s / gap_s:.0%} are then decided"
        changes.append(Change("probe_every", told, round(gap_s, 3), wanted_s, "s"))
    sure = f"or judge another limit: of {math.ceil(latest_s * 100) / 100:g} s and more it is kept, "
    sure += f"below {math.floor(earliest_s * 100) / 100:g} s it is broken"
    return [*changes, Change("limit", sure, limit_s, math.ceil(latest_s * 100) / 100, "s")]


def last_phase(case: Case) -> list[Change]:
    """How long the last phase must be, so that the limit passes, and what follows, under watch."""
    phases, start = case.history.run.phases, case.start
    if not phases:
        return []
    end_s, begin_s = signals.planned_end_s(case.history), max(p.begin_s for p in phases)
    since_s = start.latest_s if start and math.isfinite(start.latest_s) else begin_s
    stable_s = float(case.options.get("stable_s", STABLE_S))
    wanted_s = math.ceil(since_s + (case.limit_s or 0.0) + stable_s + 1.0 - begin_s)
    now_s = end_s - begin_s
    if wanted_s <= now_s:
        wanted_s = math.ceil(now_s + stable_s + 1.0)
    text = f"lengthen the last phase from {now_s:g} s to {wanted_s} s"
    return [Change("last_phase", text, now_s, float(wanted_s), "s")]


def fault_length(case: Case) -> list[Change]:
    """How long the fault must last, so that what is looked for can come while it is on."""
    injection = case.injection
    if injection is None:
        return []
    now_s, numbers = injection.asked_for_s, case.finding.numbers
    wanted_s = 2 * now_s
    if steps := case.options.get("steps"):
        least_s = float(case.options.get("retry_after_s", 0.0))
        # The first failed try, then each wait with its jitter, and the time to count it.
        wanted_s = 5.0 + sum(max(1.5 * s, least_s) for s in steps) + 1.0
    elif "watched_s" in numbers and "limit_s" in numbers:
        wanted_s = now_s + max(0.0, numbers["limit_s"] - numbers["watched_s"]) + 1.0
    elif case.limit_s is not None and now_s <= case.limit_s:
        wanted_s = case.limit_s + 1.0
    wanted = float(math.ceil(max(wanted_s, now_s + 1.0)))
    name = injection.name
    return [Change("fault", f"let {name} last {wanted:g} s instead of {now_s:g} s", now_s, wanted, "s")]


def rate(case: Case) -> list[Change]:
    """What rate lets two alerts fall due in the time that counts, wherever it begins."""
    span = signals.while_on(case.history, str(case.options.get("fault", "")))
    if span is None:
        return []
    length_s = span.latest_s - span.earliest_s
    if case.limit_s is not None:
        length_s = min(length_s, case.limit_s)
    now, length_s = sent_per_s(case.history), max(length_s, 0.1)
    wanted = _rounded_up(max(2 / length_s, 2 * now if 2 / length_s <= now else 0.0))
    due = len(signals.due_within(case.history, Interval(span.earliest_s, span.earliest_s + length_s)))
    text = (
        f"{due} alerts fell due in the {length_s:.3g} s that count; send {wanted:g} a second, not {now:.3g}"
    )
    return [Change("rate", text, round(now, 4), wanted, "1/s")]


def load(case: Case) -> list[Change]:
    """What rate the generator kept up with: the most alerts of a second that were all begun on time."""
    late_limit_s = float(case.options.get("p99_s", 0.25))
    told = table.of(case.history)
    second = told.due_s.astype(np.int64)
    seconds = Counter(second.tolist())
    late = set(second[~(told.late_s <= late_limit_s)].tolist())
    if not late:
        return []
    most, on_time = max(seconds.values()), max((n for s, n in seconds.items() if s not in late), default=0)
    wanted = min(on_time, most - 1) if on_time else most // 2
    text = f"{len(late)} of {len(seconds)} seconds were late, the fullest with {most} alerts; "
    text += f"send at most {wanted} a second, or give the generator a free core"
    return [Change("rate", text, float(most), float(wanted), "1/s")]


def fault_begin(case: Case) -> list[Change]:
    """When the fault must begin, or how often be asked, so that what is normal was seen before it."""
    injection, every_s = case.injection, _every_s(case.history)
    if injection is None:
        return []
    if every_s > signals.BLIND_S / 2:
        wanted_s = signals.BLIND_S / _FINER
        text = f"the probes ask every {every_s:.2g} s: too rarely to see what was just before it; "
        text += f"probe every {wanted_s:g} s (probe_every: {wanted_s:g}s)"
        return [Change("probe_every", text, round(every_s, 3), wanted_s, "s")]
    good = [o.answered_s for o in case.history.samples(signals.METRICS) if o.ok]
    since_s = max(injection.asked_at_s, min(good, default=0.0))
    wanted_s = float(math.ceil(since_s + STABLE_S))
    text = f"begin {injection.name} at {wanted_s:g} s instead of {injection.asked_at_s:g} s"
    return [Change("fault_at", text, injection.asked_at_s, wanted_s, "s")]


def settle(case: Case) -> list[Change]:
    """How long the settling must be: twice the slowest answer that was seen, and five seconds at least."""
    took_s = np.nan_to_num(table.of(case.history).latency_s)
    slowest_s = float(took_s.max()) if len(took_s) else 0.0
    wanted_s = float(max(5, math.ceil(2 * slowest_s)))
    text = f"the slowest answer took {slowest_s:.3g} s; settle for {wanted_s:g} s at least"
    return [Change("settle", text, None, wanted_s, "s")]


def volume(history: History, acked: int, share: float) -> Change:
    """How many alerts, and how long at this run's rate, show that the loss is below a share at 95 %."""
    needed = math.ceil(math.log(0.05) / math.log1p(-share))
    length_s = signals.planned_end_s(history)
    at_rate = ""
    if acked and length_s:
        for_s = math.ceil(needed * length_s / acked)
        at_rate = f": at this run's {acked / length_s:.3g} acknowledged a second {for_s:,} s"
    text = f"for a bound of {share:.3%} have {needed:,} acknowledged{at_rate}"
    return Change("alerts", text, float(acked), float(needed), "alerts")


def sent_per_s(history: History) -> float:
    """Return how many alerts a second fell due, over the whole plan."""
    length_s = signals.planned_end_s(history)
    return len(history.attempts) / length_s if length_s else 0.0


def _every_s(history: History) -> float:
    """Return the probes' period: the middle one of the times between two questions; 0 if there are none."""
    asked_s = [o.asked_s for o in history.samples(signals.METRICS)]
    gaps_s = sorted(later - earlier for earlier, later in itertools.pairwise(asked_s))
    return gaps_s[len(gaps_s) // 2] if gaps_s else 0.0


def _within(o: Observation, span: Interval) -> bool:
    return o.answered_s >= span.earliest_s and o.asked_s <= span.latest_s


def _rounded(value: float) -> float:
    """Return a number down to two digits: 0.217 as 0.21."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.floor(value / step + 1e-9) * step, 6)


def _rounded_up(value: float) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.ceil(value / step - 1e-9) * step, 6)
