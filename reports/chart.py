"""A run on one time axis: outcomes, latencies, breaker, faults and losses, as plain numbers to be drawn."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from reports import signals
from reports.history import Attempt, History, Outcome
from reports.interval import Interval
from reports.lanes import Lane, drawable
from reports.lanes import lanes as lanes_of
from reports.presentation import recoveries
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
    lost = frozenset(verdict.account.lost) if history.resources is not None else frozenset()
    # The folder gives alerts that were never begun no due time; second 0 would be a lie.
    placed = [a for a in history.attempts if a.phase or a.begun_s is not None]
    by_class: dict[str, list[Attempt]] = {name: [] for name in CLASSES}
    for attempt in sorted(placed, key=lambda a: (a.due_s, a.number)):
        by_class[_class(attempt, lost)].append(attempt)
    end_s = _end_s(history)
    bucket_s = float(max(1, math.ceil(end_s / MOST_BUCKETS)))
    answered = {name: [a for a in group if a.done_s is not None] for name, group in by_class.items()}
    total = sum(len(group) for group in answered.values())
    thin = total - len(answered["lost"]) > most_points
    classes = sum(bool(group) for name, group in answered.items() if name != "lost")
    window_s = end_s / max(1, most_points // max(1, classes)) if thin else 0.0
    crowd_s = end_s / MOST_LOST if len(by_class["lost"]) > MOST_LOST else 0.0
    windows = {name: crowd_s if name == "lost" else window_s for name in CLASSES}
    kept = {
        name: _slowest(group, windows[name]) if windows[name] else group for name, group in answered.items()
    }
    ticks = _ticks(by_class["lost"], crowd_s)
    lanes, lane_window_s = drawable(lanes_of(history), end_s)
    return Chart(
        end_s=end_s,
        bucket_s=bucket_s,
        rates={name: _rates(group, bucket_s, end_s) for name, group in by_class.items()},
        points={name: _points(group) for name, group in kept.items()},
        answered=total,
        shown=sum(len(group) for group in kept.values()),
        window_s=window_s,
        unplaced=len(history.attempts) - len(placed),
        lanes=lanes,
        bands=_bands(history),
        phases=tuple((p.name, p.begin_s, p.end_s) for p in history.run.phases),
        recovered=_recovered(history),
        lost_ms=_differences(at_ms for at_ms, _ in ticks),
        lost_counts=tuple(count for _, count in ticks) if crowd_s else (),
        lost_window_s=crowd_s,
        lane_window_s=lane_window_s,
    )


def _class(attempt: Attempt, lost: frozenset[int]) -> str:
    if attempt.outcome is Outcome.REJECTED:
        return "safe" if attempt.kind == "safe" else "unsafe"
    return "lost" if attempt.number in lost else attempt.outcome.value


def _end_s(history: History) -> float:
    times = [p.end_s for p in history.run.phases]
    times += [t for a in history.attempts for t in (a.due_s, a.done_s) if t is not None]
    times += [o.answered_s for o in history.observations]
    times += [i.ended.latest_s for i in history.injections if i.ended]
    return max((t for t in times if math.isfinite(t)), default=1.0) or 1.0


def _rates(group: list[Attempt], bucket_s: float, end_s: float) -> tuple[float, ...]:
    counts = [0] * (int(end_s // bucket_s) + 1)
    for attempt in group:
        counts[int(attempt.due_s // bucket_s)] += 1
    return tuple(round(count / bucket_s, 3) for count in counts)


def _slowest(group: list[Attempt], window_s: float) -> list[Attempt]:
    windows: dict[int, Attempt] = {}
    for attempt in group:
        window = int(attempt.due_s // window_s)
        if window not in windows or _took(windows[window]) < _took(attempt):
            windows[window] = attempt
    return list(windows.values())


def _ticks(lost: list[Attempt], crowd_s: float) -> list[tuple[int, int]]:
    """Return (due time in ms, how many were lost); in the middle of each stretch if they share one."""
    if not crowd_s:
        return [(round(a.due_s * 1000), 1) for a in lost]
    counts = Counter(int(a.due_s // crowd_s) for a in lost)
    return [(round((k + 0.5) * crowd_s * 1000), count) for k, count in sorted(counts.items())]


def _took(attempt: Attempt) -> float:
    return attempt.latency_s or 0.0


def _points(group: list[Attempt]) -> Points:
    at_ms = _differences(round(a.due_s * 1000) for a in group)
    return Points(at_ms, tuple(round(_took(a) * 1000, 1) for a in group))


def _differences(values: Iterable[int]) -> tuple[int, ...]:
    # Differences are shorter to write down than times; a page holds up to 20,000 of them.
    listed = list(values)
    return tuple(b - a for a, b in zip([0, *listed], listed, strict=False))


def _bands(history: History) -> tuple[Band, ...]:
    times = [t for a in history.attempts for t in (a.begun_s, a.done_s) if t is not None]
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
