"""A run as a picture of a line's height: alerts a second, those not acknowledged, and the fault's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.chart import CLASSES, Chart

WIDTH, HEIGHT = 200.0, 36.0
_COLUMNS = 100
_GOOD = ("acked",)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Shapes in a box of ``WIDTH`` by ``HEIGHT``: areas as SVG paths, fault bands and lost alerts as
    positions from the left; ``words`` say the same."""

    acked: str
    others: str
    bands: tuple[tuple[float, float], ...]
    lost: tuple[float, ...]
    words: str


def sparkline(drawn: Chart | None) -> Sparkline | None:
    """Return the picture of a chart; None if there is none."""
    if drawn is None:
        return None
    total = _columns([drawn.rates[name] for name in CLASSES])
    good = _columns([drawn.rates[name] for name in _GOOD])
    peak = max(total, default=0.0) or 1.0
    bands = tuple(
        (round(_x(band.seen[0], drawn), 1), round(_x(band.seen[1], drawn) - _x(band.seen[0], drawn), 1))
        for band in drawn.bands
        if band.seen
    )
    return Sparkline(
        acked=_area([0.0] * len(good), good, peak),
        others=_area(good, total, peak),
        bands=bands,
        lost=_lost(drawn),
        words=_words(drawn, max(total, default=0.0)),
    )


def _columns(rates: Sequence[Sequence[float]]) -> list[float]:
    """Return the sums of the rates in at most ``_COLUMNS`` equal parts of the run."""
    sums = [sum(each) for each in zip(*rates, strict=True)]
    step = max(1, -(-len(sums) // _COLUMNS))
    return [sum(sums[k : k + step]) / len(sums[k : k + step]) for k in range(0, len(sums), step)]


def _area(low: list[float], high: list[float], peak: float) -> str:
    """Return the area between two stepped lines; nothing if they are one."""
    if low == high:
        return ""
    edges = [k * WIDTH / len(high) for k in range(len(high) + 1)]
    there = [(x, high[k]) for k in range(len(high)) for x in (edges[k], edges[k + 1])]
    back = [(x, low[k]) for k in reversed(range(len(low))) for x in (edges[k + 1], edges[k])]
    return "M" + "L".join(f"{x:.1f} {HEIGHT - (HEIGHT - 2) * y / peak:.1f}" for x, y in (*there, *back)) + "Z"


def _x(at_s: float, drawn: Chart) -> float:
    return min(WIDTH, max(0.0, at_s / drawn.end_s * WIDTH))


def _lost(drawn: Chart) -> tuple[float, ...]:
    at_ms, places = 0, set()
    for difference in drawn.lost_ms:
        at_ms += difference
        places.add(round(_x(at_ms / 1000, drawn)))
    return tuple(float(x) for x in sorted(places))


def _words(drawn: Chart, peak: float) -> str:
    counts = {name: sum(rates) * drawn.bucket_s for name, rates in drawn.rates.items()}
    others = sum(count for name, count in counts.items() if name not in (*_GOOD, "lost"))
    words = [f"up to {peak:.3g} alerts/s over {drawn.end_s:.0f} s"]
    words += [f"{b.name} on {b.seen[0]:.1f} to {b.seen[1]:.1f} s" for b in drawn.bands if b.seen]
    words += [f"{others:.0f} not acknowledged"] if others else []
    words += [f"{len(drawn.lost_ms):,} lost"] if drawn.lost_ms else []
    return "; ".join(words)
