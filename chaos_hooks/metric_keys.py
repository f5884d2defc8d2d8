"""Metrics that are told apart by a label: each of its values that is exposed becomes a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from prometheus_client.samples import Sample

from shapes.target import Metric

BUCKET = "le"


def spread(metrics: Mapping[str, Metric], exposed: Sequence[Sample]) -> dict[str, Metric]:
    """Return the metrics by key, with one more for each value of the label that a metric is told apart by."""
    found: dict[str, Metric] = {}
    for key, metric in metrics.items():
        if metric.by != BUCKET:
            found[key] = metric  # Cumulative buckets have no sum that would mean anything.
        if not metric.by:
            continue
        values = {s.labels[metric.by] for s in exposed if s.name == metric.name and metric.by in s.labels}
        for value in sorted(values):
            found[f"{key}.{shortest(metric.by, value)}"] = replace(
                metric, labels={**metric.labels, metric.by: value}, by=""
            )
    return found


def shortest(label: str, value: str) -> str:
    """Return a label's value as it stands in a key: bounds of buckets written alike, whoever exposes them."""
    if label != BUCKET:
        return value
    try:
        return f"{float(value):g}"
    except ValueError:
        return value
