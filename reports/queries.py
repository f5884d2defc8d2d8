"""The plan's queries: what each asks of the metrics, as PromQL and as a figure from the scraped samples.

They are told, never judged: `increase` extrapolates, so that it gives 15.12 for a true 15.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from reports import counters
from reports.history import Observation
from shapes.target import Metric

INCREASE, MOST = "increase", "most"


@dataclass(frozen=True, slots=True)
class Query:
    """A figure by the key of its metric in the target file: how much it grew over the run, or its maximum.

    A key with a dotted value, as ``k8s_errors.429``, is that value of the label that the metric is told by.
    """

    name: str
    key: str
    how: str
    expects: str


QUERIES = (
    Query("alerts received", "received", INCREASE, "the alerts that were sent"),
    Query("Redis errors", "redis_errors", INCREASE, "above 0 when Redis fails"),
    Query("Redis timeouts", "redis_errors.timeout", INCREASE, "above 0 in a partition"),
    Query("Redis breaker opened", "breaker_opened.redis", INCREASE, "at least 1 when Redis fails"),
    Query("Kubernetes breaker opened", "breaker_opened.kubernetes", INCREASE, "at least 1 when throttled"),
    Query("Redis connections in use", "redis_pool.active", MOST, "at most the pool's size"),
    Query("fallbacks", "fallbacks", INCREASE, "above 0 when Redis fails"),
    Query("Kubernetes API 429", "k8s_errors.429", INCREASE, "above 0 when throttled"),
    Query("queued requests", "k8s_queue", MOST, "below 1000"),
    Query("cache hits", "dedup_hits", INCREASE, "at least the questions to the API"),
    Query("buffered alerts", "buffer.size", MOST, "at most 100"),
    Query("buffer bypasses", "buffer.bypasses", INCREASE, "above 0 when Redis is full"),
    Query("buffer expirations", "buffer.expired", INCREASE, "above 0 when alerts wait too long"),
    Query("recovered buffers", "buffer.recovered", INCREASE, "above 0 when the Gateway restarts"),
    Query("update conflicts", "updates.conflicts", INCREASE, "above 0 when updates collide"),
    Query("updates given up", "updates.exhausted", INCREASE, "0"),
)


def promql(query: Query, metrics: Mapping[str, Metric], window_s: float) -> str:
    """Return a query as PromQL over the last ``window_s`` seconds; empty if the target maps no such."""
    metric, labels = metrics.get(query.key), {}
    if metric is None:
        key, _, value = query.key.partition(".")
        metric = metrics.get(key)
        if metric is None or not metric.by:
            return ""
        labels = {metric.by: value}
    series = selector(metric, labels)
    window = f"[{max(1, math.ceil(window_s))}s]"
    if query.how == INCREASE:
        return f"sum(increase({series}{window}))"
    return f"max(max_over_time({series}{window}))"


def selector(metric: Metric, more: Mapping[str, str] | None = None) -> str:
    """Return a metric's series as PromQL selects them, with some more labels."""
    words = {**metric.labels, **(more or {})}
    inner = ",".join(f'{k}="{_escaped(v)}"' for k, v in words.items())
    return f"{metric.name}{{{inner}}}" if words else metric.name


def sampled(query: Query, samples: list[Observation]) -> float | None:
    """Return a query's figure from the scraped samples; None if its metric is in none of them."""
    if query.how == INCREASE:
        growth = counters.grown(samples, query.key)
        return growth.total if growth else None
    return max((o.values[query.key] for o in samples if o.ok and query.key in o.values), default=None)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
