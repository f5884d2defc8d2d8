"""A metric series as a strip of the report: a line in a box, broken where nothing is known."""

from __future__ import annotations

from dataclasses import dataclass

from reports.history import History
from reports.ranges import Curve, Ranges

WIDTH, HEIGHT = 600.0, 44.0
_EDGE = 2.0


@dataclass(frozen=True, slots=True)
class Strip:
    """A curve's picture: SVG paths and, of each fault, where its band begins and how wide it is."""

    labels: str
    words: str
    path: str
    bands: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A query with its strips; ``problem`` says why there are none."""

    name: str
    promql: str
    strips: tuple[Strip, ...]
    problem: str


def rows(history: History) -> tuple[Row, ...]:
    """Return what is drawn of a run's series."""
    ranges = history.ranges
    if ranges is None:
        return ()
    bands = _bands(history, ranges)
    return tuple(
        Row(
            each.name,
            each.promql,
            tuple(Strip(one.labels, one.words, _path(one, ranges), bands) for one in each.curves),
            _problem(each.error, bool(each.curves), each.left_out),
        )
        for each in ranges.series
    )


def source(history: History) -> str:
    """Return where the series come from, or why there are none."""
    ranges = history.ranges
    if ranges is None:
        return "none were recorded"
    if not ranges.source:
        return f"none: {ranges.error}"
    span = f"from {ranges.from_s:.0f} s to {ranges.to_s:.0f} s"
    return f"{ranges.source}, every {ranges.step_s:g} s {span}"


def _problem(error: str, any_curve: bool, left_out: int) -> str:
    if error:
        return f"not answered: {error}"
    if left_out:
        return f"{left_out} more series are not shown"
    return "" if any_curve else "Prometheus knows no such series; is what exposes it scraped?"


def _bands(history: History, ranges: Ranges) -> tuple[tuple[float, float, str], ...]:
    found = []
    for injection in history.injections:
        if injection.began is None:
            continue
        begin = _x(injection.began.earliest_s, ranges)
        end = _x(injection.ended.latest_s if injection.ended else ranges.to_s, ranges)
        found.append((begin, round(end - begin, 1), injection.name))
    return tuple(found)


def _path(curve: Curve, ranges: Ranges) -> str:
    """Return the line; it is broken where a step is missing or a value is no number."""
    known = [v for _, v in curve.points if v is not None]
    least, most = (min(known), max(known)) if known else (0.0, 0.0)
    parts, last_s = [], None
    for at_s, value in curve.points:
        if value is None:
            last_s = None
            continue
        joined = last_s is not None and at_s - last_s <= 1.5 * ranges.step_s
        parts.append(f"{'L' if joined else 'M'}{_x(at_s, ranges):.1f} {_y(value, least, most):.1f}")
        last_s = at_s
    return "".join(parts)


def _x(at_s: float, ranges: Ranges) -> float:
    span_s = max(ranges.to_s - ranges.from_s, 1e-9)
    return round(min(WIDTH, max(0.0, (at_s - ranges.from_s) / span_s * WIDTH)), 1)


def _y(value: float, least: float, most: float) -> float:
    if most == least:
        return HEIGHT / 2
    return HEIGHT - _EDGE - (HEIGHT - 2 * _EDGE) * (value - least) / (most - least)
