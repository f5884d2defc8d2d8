"""A run on one time axis: outcomes, latencies, breaker, faults and losses, as plain numbers to be drawn."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reports import signals, table
from reports.history import History, Outcome
from reports.interval import Interval
from reports.lanes import Lane, drawable
from reports.lanes import lanes as lanes_of
from reports.presentation import recoveries
from reports.table import Numbers, Seconds, Table
from reports.verdict import Verdict

CLASSES = ("acked", "safe", "unsafe", "indeterminate", "unsent", "lost")
MOST_POINTS = 20_000
MOST_BUCKETS = 600
MOST_LOST = 20_000  # More ticks than that would stand on each other's pixels; each then tells how many.
_BIT = {True: "observed", False: "injected, but no effect seen", None: "injected, but nobody could look"}


@dataclass(frozen=True, slots=True)
class Points:
    """Latencies of one class: ``at_ms`` is the due time since the start, as differences from point to point;
    ``took_ms`` counts from the due time to the whole answer."""

    at_ms: tuple[int, ...]
    took_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A fault: from and to (seconds since the start) as asked for and as it was, None if it never began."""

    name: str
    asked: tuple[float, float]
    seen: tuple[float, float] | None
    bit: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn. ``rates`` are alerts per second by class, one number a bucket of ``bucket_s``, by
    due time; ``shown`` of ``answered`` latencies are in ``points``: of each class and ``window_s`` the
    slowest, and every lost one; ``unplaced`` alerts have no recorded due time.

    ``lost_ms`` are the due times of the lost, as differences. Of more than `MOST_LOST` those of each
    ``lost_window_s`` share a tick, and the slowest of them its point; ``lost_counts`` tells how many they are
    (empty: each one). ``lane_window_s``: of each such stretch a lane that changes more often than it can be
    drawn shows its worst state; 0 where none does.
    """

    end_s: float
    bucket_s: float
    rates: dict[str, tuple[float, ...]]
    points: dict[str, Points]
    answered: int
    shown: int
    window_s: float
    unplaced: int
    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]
    phases: tuple[tuple[str, float, float], ...]
    recovered: tuple[tuple[float, float], ...]
    lost_ms: tuple[int, ...]
    lost_counts: tuple[int, ...] = ()
    lost_window_s: float = 0.0
    lane_window_s: float = 0.0


def chart(history: History, verdict: Verdict, most_points: int = MOST_POINTS) -> Chart:
    """Return what is drawn of a run."""
    told = table.of(history)
    groups = _groups(history, verdict)
    end_s = _end_s(history)
    bucket_s = float(max(1, math.ceil(end_s / MOST_BUCKETS)))
    answered = {name: rows[~np.isnan(told.done_s[rows])] for name, rows in groups.items()}
    total = sum(len(rows) for rows in answered.values())
    thin = total - len(answered["lost"]) > most_points
    classes = sum(bool(len(rows)) for name, rows in answered.items() if name != "lost")
    window_s = end_s / max(1, most_points // max(1, classes)) if thin else 0.0
    crowd_s = end_s / MOST_LOST if len(groups["lost"]) > MOST_LOST else 0.0
    windows = {name: crowd_s if name == "lost" else window_s for name in CLASSES}
    kept = {name: _slowest(told, rows, windows[name]) for name, rows in answered.items()}
    ticks = _ticks(told.due_s[groups["lost"]], crowd_s)
    lanes, lane_window_s = drawable(lanes_of(history), end_s)
    return Chart(
        end_s=end_s,
        bucket_s=bucket_s,
        rates={name: _rates(told.due_s[rows], bucket_s, end_s) for name, rows in groups.items()},
        points={name: _points(told, rows) for name, rows in kept.items()},
        answered=total,
        shown=sum(len(rows) for rows in kept.values()),
        window_s=window_s,
        unplaced=len(told) - sum(len(rows) for rows in groups.values()),
        lanes=lanes,
        bands=_bands(history),
        phases=tuple((p.name, p.begin_s, p.end_s) for p in history.run.phases),
        recovered=_recovered(history) if _is_timed(verdict) else (),
        lost_ms=_differences(at_ms for at_ms, _ in ticks),
        lost_counts=tuple(count for _, count in ticks) if crowd_s else (),
        lost_window_s=crowd_s,
        lane_window_s=lane_window_s,
    )


def _groups(history: History, verdict: Verdict) -> dict[str, Numbers]:
    """Return the rows of each class, by due time."""
    told = table.of(history)
    known = verdict.account.lost if history.resources is not None else ()
    # The folder gives alerts that were never begun no due time; second 0 would be a lie.
    placed = ~told.of_phase("") | ~np.isnan(told.begun_s)
    rejected, safe = told.are(Outcome.REJECTED), told.kinds("safe")
    lost = np.isin(told.number, np.array(known, np.int64)) & ~rejected
    of_class = {"safe": rejected & safe, "unsafe": rejected & ~safe, "lost": lost}
    for outcome in (Outcome.ACKED, Outcome.INDETERMINATE, Outcome.UNSENT):
        of_class[outcome.value] = told.are(outcome) & ~lost
    order = told.in_order(told.due_s)
    return {name: order[(of_class[name] & placed)[order]] for name in CLASSES}


def _end_s(history: History) -> float:
    times = [p.end_s for p in history.run.phases]
    told = table.of(history)
    times += [float(np.nanmax(each, initial=-math.inf)) for each in (told.due_s, told.done_s)]
    times += [o.answered_s for o in history.observations]
    times += [i.ended.latest_s for i in history.injections if i.ended]
    return max((t for t in times if math.isfinite(t)), default=1.0) or 1.0


def _rates(due_s: Seconds, bucket_s: float, end_s: float) -> tuple[float, ...]:
    counts = np.bincount((due_s // bucket_s).astype(np.int64), minlength=int(end_s // bucket_s) + 1)
    return tuple(round(count / bucket_s, 3) for count in counts.tolist())


def _slowest(told: Table, rows: Numbers, window_s: float) -> Numbers:
    if not window_s:
        return rows
    window, took_s = (told.due_s[rows] // window_s).astype(np.int64), _took_s(told, rows)
    order = np.lexsort((-took_s, window))
    _, first = np.unique(window[order], return_index=True)
    slowest: Numbers = rows[order[first]]
    return slowest


def _ticks(due_s: Seconds, crowd_s: float) -> list[tuple[int, int]]:
    """Return (due time in ms, how many were lost); in the middle of each stretch if they share one."""
    if not crowd_s:
        return [(round(at_s * 1000), 1) for at_s in due_s.tolist()]
    stretches, counts = np.unique((due_s // crowd_s).astype(np.int64), return_counts=True)
    middles = [round((k + 0.5) * crowd_s * 1000) for k in stretches.tolist()]
    return list(zip(middles, counts.tolist(), strict=True))


def _took_s(told: Table, rows: Numbers) -> Seconds:
    return np.nan_to_num(told.latency_s[rows])


def _points(told: Table, rows: Numbers) -> Points:
    at_ms = _differences(round(at_s * 1000) for at_s in told.due_s[rows].tolist())
    return Points(at_ms, tuple(round(took_s * 1000, 1) for took_s in _took_s(told, rows).tolist()))


def _differences(values: Iterable[int]) -> tuple[int, ...]:
    # Differences are shorter to write down than times; a page holds up to 20,000 of them.
    listed = list(values)
    return tuple(b - a for a, b in zip([0, *listed], listed, strict=False))


def _bands(history: History) -> tuple[Band, ...]:
    told = table.of(history)
    times = [t for each in (told.begun_s, told.done_s) for t in table.ordered(each)[-1:].tolist()]
    # A fault that was not seen to end is drawn as far as the record goes, and no further.
    last_s = max([*times, *(o.answered_s for o in history.observations)], default=0.0)
    bands = []
    for i in history.injections:
        seen, words = None, "never began"
        if i.began:
            over = i.ended is not None and math.isfinite(i.ended.latest_s)
            end_s = i.ended.latest_s if i.ended and over else max(last_s, i.began.latest_s)
            seen = (i.began.earliest_s, end_s)
            words = _BIT[i.bit] + ("" if over else ", not seen to end")
        bands.append(Band(i.name, (i.asked_at_s, i.asked_at_s + i.asked_for_s), seen, i.bit, words))
    return tuple(bands)


def _is_timed(verdict: Verdict) -> bool:
    """Return whether a recovery was given a time; where none was, the chart claims none either."""
    timed = (f.numbers.get("latest_s", math.inf) for f in verdict.findings if f.criterion == "recovery")
    return any(math.isfinite(latest_s) for latest_s in timed)


def _recovered(history: History) -> tuple[tuple[float, float], ...]:
    """Return when the last bad reading gave way to good ones, for each recovery that is asked for."""
    found: dict[Interval, None] = defaultdict()
    for asked in recoveries(history):
        injection = history.injection(str(asked.options.get("fault", "")))
        if injection is None or injection.began is None:
            continue
        sources = signals.health(history, str(asked.options.get("component", "redis")))
        turns = [signals.turned_good(r, injection.began.earliest_s) for r in sources.values()]
        bad = [turn for turn in turns if turn]
        if bad and all(math.isfinite(turn.latest_s) for turn in bad):
            found[Interval(max(t.earliest_s for t in bad), max(t.latest_s for t in bad))] = None
    return tuple((i.earliest_s, i.latest_s) for i in found)
