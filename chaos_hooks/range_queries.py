"""Metric series over a run, asked of Prometheus by range queries, and kept in the run's folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import urlsplit

from chaos_hooks import promql
from chaos_hooks.clock import RunClock
from chaos_hooks.promql import Prometheus, PrometheusError, source
from chaos_hooks.routing import RoutingError, seconds
from reports import folder as run_folder
from reports import series
from reports.ranges import Ranges, Series
from shapes.target import Target

MOST_POINTS = 600
_SCRAPE_S = 15.0  # What is usual, where Prometheus does not tell.
_SCRAPES = 4  # A rate needs two; two more may fail.
_NOBODY = "this target has no Prometheus; name one with --chaos-prometheus-url or endpoints.prometheus_url"


def keep_all(
    folder: Path, target: Target, gateway_url: str, clock: RunClock, prometheus: Prometheus | None
) -> None:
    """Write down what `promql.keep` and `keep` do; raises as they do."""
    promql.keep(folder, target.metrics, clock.now(), prometheus)
    keep(folder, target, gateway_url, clock, prometheus)


def keep(
    folder: Path, target: Target, gateway_url: str, clock: RunClock, prometheus: Prometheus | None
) -> None:
    """Write the series of a run that ends now into its folder.

    Raises:
        OSError: if the disk does not take them.
    """
    zero_unix_s, now_s = clock.zero[1], clock.now()
    asked = Ranges(error=_NOBODY) if prometheus is None else ranges(prometheus, zero_unix_s, now_s)
    if prometheus:
        window = f"{math.ceil(_SCRAPES * _scrape_s(prometheus, urlsplit(gateway_url).netloc))}s"
        found = series.wanted(target.metrics, target.series, window)
        asked = replace(asked, series=answers(prometheus, found, asked, zero_unix_s))
    run_folder.write_metrics(folder, series.FILE, asdict(asked))


def ranges(prometheus: Prometheus, zero_unix_s: float, now_s: float) -> Ranges:
    """Return the window that is asked for: the whole run, on whole seconds as the client rounds it, in steps
    of whole seconds, of which there are not more than `MOST_POINTS`."""
    from_unix = math.ceil(zero_unix_s)
    to_unix = max(from_unix, math.floor(zero_unix_s + now_s))
    step_s = max(1, math.ceil((to_unix - from_unix) / MOST_POINTS))
    to_unix -= (to_unix - from_unix) % step_s
    return Ranges(
        source(prometheus), round(from_unix - zero_unix_s, 3), round(to_unix - zero_unix_s, 3), float(step_s)
    )


def answers(
    prometheus: Prometheus, wanted: list[tuple[str, str]], asked: Ranges, zero_unix_s: float
) -> tuple[Series, ...]:
    """Return each query with its answer, or with the error there was. After Prometheus did not answer at all
    it is not asked again."""
    found: list[Series] = []
    gone = ""
    for name, text in wanted:
        if gone:
            found.append(Series(name, text, error=gone))
            continue
        try:
            rows = prometheus.series(text, zero_unix_s + asked.from_s, zero_unix_s + asked.to_s, asked.step_s)
            curves = [series.curve(row["metric"], row["values"], asked, zero_unix_s) for row in rows]
        except PrometheusError as problem:
            gone = str(problem) if problem.gone else ""
            found.append(Series(name, text, error=str(problem)))
            continue
        except (LookupError, TypeError, ValueError, AttributeError) as problem:
            error = f"the answer is none of Prometheus's ({type(problem).__name__})"
            found.append(Series(name, text, error=error))
            continue
        shown = tuple(curves[: series.MOST_CURVES])
        found.append(Series(name, text, shown, left_out=len(curves) - len(shown)))
    return tuple(found)


def _scrape_s(prometheus: Prometheus, instance: str) -> float:
    try:
        return scrape_s(prometheus.targets(), instance)
    except PrometheusError:
        return _SCRAPE_S


def scrape_s(targets: Mapping[str, object], instance: str) -> float:
    """Return the seconds between two scrapes of a host:port; of the slowest target, where it is none; what is
    usual, where that is not told."""
    active = targets.get("activeTargets")
    known: dict[str, float] = {}
    for each in active if isinstance(active, list) else []:
        try:
            known[str(each["labels"]["instance"])] = seconds(str(each["scrapeInterval"]))
        except (RoutingError, LookupError, TypeError):
            continue
    return known.get(instance, max(known.values(), default=_SCRAPE_S)) or _SCRAPE_S
