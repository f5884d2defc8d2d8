"""A page of metrics, reduced to what a target file maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from chaos_hooks import metric_keys
from reports.signals import CLOSED, HALF_OPEN, OPEN
from shapes.target import Metric, Target

_STATES = {"closed": CLOSED, "half_open": HALF_OPEN, "open": OPEN}


def reader(target: Target) -> Callable[[str], Mapping[str, float]]:
    """Return what reads a page of metrics as this target's file maps them."""
    return lambda text: read_metrics(text, target.metrics)


def read_metrics(text: str, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Return the mapped metrics of an exposition: the sum over the series that carry the wanted labels;
    states as 0 closed, 1 half-open, 2 open, whatever numbers the release uses. Left out is what is absent,
    not finite, or a number that stands for no state. A metric ``by`` a label is there for each value, too.

    Raises:
        ValueError: if it is not the Prometheus text format.
    """
    values: dict[str, float] = {}
    samples = _samples(text, {metric.name for metric in metrics.values()})
    for key, metric in metric_keys.spread(metrics, samples).items():
        series = [
            s.value
            for s in samples
            if s.name == metric.name and metric.labels.items() <= dict(s.labels).items()
        ]
        if not series:
            if metric.absent:
                values[key] = _STATES[metric.absent]
            continue
        if metric.states:
            # Another number must not pass for one of ours: this release's 2 may mean nothing at all.
            for word, number in metric.states.items():
                if series[0] == number:
                    values[key] = _STATES[word]
        elif math.isfinite(sum(series)):
            values[key] = sum(series)
    return values


def _samples(text: str, wanted: set[str]) -> list[Sample]:
    try:
        families = list(text_string_to_metric_families(_about(text, wanted)))
    except IndexError:  # The parser's own, on some lines that end too early.
        raise ValueError("not the Prometheus text format") from None
    return [sample for family in families for sample in family.samples if sample.name in wanted]


def _about(text: str, wanted: set[str]) -> str:
    """Return the lines that may be about the wanted metrics: to parse all of them, several times a second, is
    more work than all else that a probe does. Without any such line, the whole text: is it metrics at all?"""
    stems = tuple(name.removesuffix("_total") for name in wanted)  # A counter may be exposed without it.
    starts = (*stems, *(f"# {word} {stem}" for word in ("TYPE", "HELP") for stem in stems))
    lines = [line for line in text.split("\n") if line.lstrip().startswith(starts)]
    return "\n".join([*lines, ""]) if lines else text
