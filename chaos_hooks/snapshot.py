"""A snapshot of all that the Gateway's metrics say at one time, kept in the run's folder as it was."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from chaos_hooks.errors import RecordError
from chaos_hooks.injection import InjectionError
from chaos_hooks.pod_metrics import PodMetrics, UnaskedError
from reports import folder as run_folder
from shapes.target import Endpoints

_TIMEOUT_S = 3.0


def take(url: str, at_s: float) -> dict[str, object]:
    """Return the metrics at a URL with the time of the asking, in wall-clock time and as ``at_s``.

    ``families`` holds for each metric family its name, type and samples [name, labels, value]; what JSON has
    no number for stands as Prometheus writes it ("NaN", "+Inf", "-Inf"). Where there are none, ``families``
    is null and ``error`` says why: they are second evidence, and their lack never ends a run.
    """
    taken: dict[str, object] = {"url": url, "at": datetime.now(UTC).isoformat(), "at_s": at_s}
    try:
        return taken | {"error": "", "families": _families(_text(url))}
    except requests.RequestException as problem:
        error = f"{url}: does not answer ({type(problem).__name__})"
    except ValueError as problem:
        error = f"{url}: {problem}"
    return taken | {"error": error, "families": None}


def take_each(endpoints: Endpoints, at_s: float) -> dict[str, object]:
    """Return the same of every replica, by its pod's name and UID."""
    taken: dict[str, object] = {"at": datetime.now(UTC).isoformat(), "at_s": at_s}
    found: dict[str, object] = {}
    try:
        pages = PodMetrics(endpoints)
        for pod in pages.pods():
            try:
                found[f"{pod.name}:{pod.uid}"] = {"error": "", "families": _families(pages.text(pod))}
            except (OSError, UnaskedError, ValueError) as problem:
                found[f"{pod.name}:{pod.uid}"] = {"error": str(problem), "families": None}
    except (OSError, InjectionError, ValueError) as problem:
        return taken | {"error": str(problem), "replicas": found}
    return taken | {"error": "", "replicas": found}


def keep(folder: Path, when: str, endpoints: Endpoints, at_s: float) -> None:
    """Take a snapshot, of each replica if there are, and write it into a run's folder as baseline or post.

    Raises:
        RecordError: if the disk does not take it.
    """
    try:
        taken = take_each(endpoints, at_s) if endpoints.replicas else take(endpoints.metrics_url, at_s)
        run_folder.write_metrics(folder, when, taken)
    except OSError as problem:
        raise RecordError(
            f"{folder / when}.json: cannot be written ({problem.strerror}); "
            "make room, or name another --chaos-runs-dir"
        ) from None


def _text(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=_TIMEOUT_S, allow_redirects=False)
    if answer.status_code != 200:
        raise ValueError(f"answered {answer.status_code}, wanted 200")
    return answer.text


def _families(text: str) -> list[dict[str, object]]:
    return [
        {
            "name": family.name,
            "type": family.type,
            "samples": [[s.name, dict(s.labels), _number(s.value)] for s in family.samples],
        }
        for family in text_string_to_metric_families(text)
    ]


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
