"""The plan's queries put to a Prometheus at the end of a run, or answered from the samples without one."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import prometheus_api_client
import requests
from urllib3.util import Retry

from chaos_hooks.errors import SetupError
from reports import folder as run_folder
from reports import queries, writing
from reports.history import Observation
from reports.signals import METRICS
from shapes.endpoints import Endpoints
from shapes.target import Metric

_TIMEOUT_S = 3
_SCRAPED_WITHIN_S = 15.0
_POLL_S = 0.1
SAMPLES = "the samples that the probes scraped"


class PrometheusError(Exception):
    """Prometheus gave no usable answer; the message says what came instead. ``gone``: not even an error."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class Prometheus:
    """A Prometheus that scrapes the Gateway, through the official client, which asks once."""

    def __init__(self, url: str, place: str = "--chaos-prometheus-url") -> None:
        self.url = url.rstrip("/")
        self._place = place
        session = requests.Session()
        session.trust_env = False
        self._client = prometheus_api_client.PrometheusConnect(
            self.url, session=session, retry=Retry(0), timeout=_TIMEOUT_S
        )

    def check(self) -> None:
        """Ask for something that needs no data.

        Raises:
            SetupError: naming the URL and what came instead.
        """
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise SetupError(f"{self._place}: {self.url!r} is no URL; write it like http://127.0.0.1:9090")
        try:
            self.value("vector(1)")
        except PrometheusError as problem:
            raise SetupError(
                f"{self._place}: {self.url}: {problem}; start Prometheus, or mend the address"
            ) from None

    def scrapes(self, instance: str) -> bool:
        """Wait until it has scraped a host:port; return whether it did in time. A fresh one takes up to five
        seconds to find its targets, and what came before its first scrape is in no increase().
        """
        deadline_s = time.monotonic() + _SCRAPED_WITHIN_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(PrometheusError):
                if self.value(f'up{{instance="{instance}"}} == 1') is not None:
                    return True
            gevent.sleep(_POLL_S)
        return False

    def value(self, promql: str) -> float | None:
        """Return the one number that a query gives now; None if it gives no series, or no number.

        Raises:
            PrometheusError: if there is no usable answer.
        """
        with _told():
            rows: Any = self._client.custom_query(promql)
            values = [float(row["value"][1]) for row in rows]
        return values[0] if len(values) == 1 and math.isfinite(values[0]) else None

    def series(self, promql: str, from_unix: float, to_unix: float, step_s: float) -> list[Any]:
        """Return what a query gave at each step of a window, as Prometheus's API has it.

        Raises:
            PrometheusError: if there is no usable answer.
        """
        begin, end = (datetime.fromtimestamp(at, UTC) for at in (from_unix, to_unix))
        with _told():
            rows: Any = self._client.custom_query_range(promql, begin, end, f"{step_s:g}")
            return list(rows)

    def targets(self) -> dict[str, Any]:
        """Return what it scrapes, as its API has it; raises as `series` does."""
        with _told(), requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.url}/api/v1/targets?state=active", timeout=_TIMEOUT_S)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()["data"]
            return found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Make a PrometheusError of whatever kept an answer from being usable."""
    try:
        yield
    except prometheus_api_client.PrometheusApiClientException as problem:
        raise PrometheusError(str(problem)[:200]) from None
    except requests.RequestException as problem:
        raise PrometheusError(f"does not answer ({type(problem).__name__})", gone=True) from None
    except (LookupError, TypeError, ValueError) as problem:
        raise PrometheusError(f"the answer is none of Prometheus's ({type(problem).__name__})") from None


def source(prometheus: Prometheus | None) -> str:
    """Return where the figures come from, as reports name it."""
    return f"Prometheus at {prometheus.url}" if prometheus else SAMPLES


def connect(url: str, endpoints: Endpoints, say: Callable[[str], None]) -> Prometheus | None:
    """Return a Prometheus that answers, the one the user named before the one the target announced; none if
    neither is there, or the target's does not scrape the Gateway in time, which is told.

    Raises:
        SetupError: if it does not answer.
    """
    announced = endpoints.prometheus_url
    if not (url or announced):
        return None
    found = Prometheus(url or announced, "--chaos-prometheus-url" if url else "endpoints.prometheus_url")
    found.check()
    if not url and not found.scrapes(urlsplit(endpoints.gateway_url).netloc):
        say(f"{found.url}: has no scrape of the Gateway after {_SCRAPED_WITHIN_S:g} s; the samples are used")
        return None
    return found


def question(prometheus: Prometheus | None) -> dict[str, Callable[[], dict[str, float]]]:
    """Return the probe that asks whether Prometheus still answers; none if none is named."""
    if prometheus is None:
        return {}
    session, url = requests.Session(), f"{prometheus.url}/-/ready"
    session.trust_env = False

    def ask() -> dict[str, float]:
        session.get(url, timeout=1.0, allow_redirects=False).raise_for_status()
        return {}

    return {"prometheus": ask}


def keep(folder: Path, metrics: Mapping[str, Metric], run_s: float, prometheus: Prometheus | None) -> None:
    """Write the figures of a run, which lasted ``run_s`` seconds, into its folder.

    Raises:
        OSError: if the disk does not take them.
        FolderError: if the samples cannot be read back.
    """
    samples = writing.read_run(folder).samples(METRICS)
    run_folder.write_metrics(folder, "promql", figures(metrics, samples, run_s, prometheus))


def figures(
    metrics: Mapping[str, Metric], samples: list[Observation], run_s: float, prometheus: Prometheus | None
) -> dict[str, object]:
    """Return the plan's queries that the target's metrics allow, over the last ``run_s`` seconds, each with
    its value (None: not known) and the error there was. After one failure Prometheus is not asked again."""
    rows: list[dict[str, object]] = []
    error = ""
    for query in queries.QUERIES:
        text = queries.promql(query, metrics, run_s)
        if not text:
            continue
        value: float | None = None
        if prometheus is None:
            value = queries.sampled(query, samples)
        elif not error:
            try:
                value = prometheus.value(text)
            except PrometheusError as problem:
                error = str(problem)
        told: dict[str, object] = {"name": query.name, "promql": text, "expects": query.expects}
        rows.append({**told, "value": value, "error": error})
    return {"source": source(prometheus), "window_s": round(run_s, 3), "figures": rows}
