"""Metric series over a run, as range queries of a Prometheus gave them: evidence, told and never judged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.queries import selector
from reports.ranges import Curve, Ranges, Series
from shapes.target import Metric

FILE = "series"
WINDOW = "$window"  # In a target file's query: as long as four scrapes, as Grafana's $__rate_interval.
MOST_CURVES = 12
# What is asked of every target that maps it, by key: what it is called, and the query.
_GAUGES = {
    "k8s_queue": "requests queued for the Kubernetes API",
    "buffer.size": "alerts in the storm buffer",
    "redis_pool.active": "Redis connections in use",
}
_RATES = {"received": "alerts received a second", "created": "RemediationRequests created a second"}


def wanted(metrics: Mapping[str, Metric], more: Mapping[str, str], window: str) -> list[tuple[str, str]]:
    """Return names and queries: each breaker, the queues and rates that the target maps, and ``more``, which
    its file asks for.

    Args:
        window: of rates, as PromQL writes durations.
    """
    found = []
    for key, metric in metrics.items():
        if key.startswith("breaker."):
            states = ", ".join(f"{number:g} {word}" for word, number in metric.states.items())
            found.append((f"breaker of {key.removeprefix('breaker.')} ({states})", selector(metric)))
    found += [(name, selector(metrics[key])) for key, name in _GAUGES.items() if key in metrics]
    for key, name in _RATES.items():
        if key in metrics:
            found.append((name, f"sum(rate({selector(metrics[key])}[{window}]))"))
    return found + [(name, text.replace(WINDOW, window)) for name, text in more.items()]


def curve(
    labels: Mapping[str, str], values: Iterable[Sequence[Any]], asked: Ranges, zero_unix_s: float
) -> Curve:
    """Return a series as Prometheus's API has it, placed on the run's clock, with its gaps.

    Raises:
        LookupError, TypeError, ValueError: if it is none.
    """
    points = []
    for at, text in values:
        value = float(text)
        points.append((round(float(at) - zero_unix_s, 3), value if math.isfinite(value) else None))
    words = ", ".join(
        f"{name}={value}" for name, value in sorted(labels.items()) if name not in ("job", "__name__")
    )
    return Curve(words, tuple(points), tuple(_gaps([at_s for at_s, _ in points], asked)))


def _gaps(at_s: list[float], asked: Ranges) -> Iterable[tuple[float, float]]:
    """Yield the stretches of the window longer than a step and a half without a point."""
    edges = [asked.from_s - asked.step_s, *at_s, asked.to_s + asked.step_s]
    for one, other in itertools.pairwise(edges):
        if other - one > 1.5 * asked.step_s:
            yield max(asked.from_s, one), min(asked.to_s, other)


def of(document: Mapping[str, Any]) -> Ranges:
    """Return what a run's folder has recorded.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: if it is none.
    """
    series = tuple(
        Series(**{**each, "curves": tuple(_recorded(one) for one in each["curves"])})
        for each in document["series"]
    )
    return Ranges(**{**document, "series": series})


def _recorded(value: Mapping[str, Any]) -> Curve:
    points = tuple((float(at_s), None if v is None else float(v)) for at_s, v in value["points"])
    return Curve(str(value["labels"]), points, tuple((float(a), float(b)) for a, b in value["gaps"]))
