"""The plan's queries: through a Prometheus, or from the samples; told with their source, never judged."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes_api_server import free_port
from locust_process import SHORT, alive, headless, locust
from plan_histories import metrics

from chaos_hooks import options, promql
from chaos_hooks.errors import SetupError
from chaos_hooks.promql import Prometheus
from reports import queries, writing
from reports.queries import INCREASE, MOST, Query
from shapes import target
from shapes.endpoints import Endpoints
from shapes.target import Metric

MAPPED = {
    "received": Metric("received_total"),
    "redis_errors": Metric("errors_total", {"app": 'a"b'}, by="error"),
    "buffer.size": Metric("buffer_size"),
}
SAMPLES = list(
    metrics(lambda at_s: {"received": 5 + at_s, "redis_errors.timeout": at_s // 4, "buffer.size": 9 - at_s})
)
Answer = Callable[[str], tuple[int, object]]


@contextmanager
def a_prometheus(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Serve Prometheus's query API as a test wants it; the value is its URL and the queries it gets."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query).get("query", [""])[0]
            if parts.path != "/api/v1/query":  # Ranges and targets are another test's.
                status, body = 404, {}
            else:
                asked.append(query)
                status, body = answer(query)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def vector(*values: str) -> object:
    """Return an instant vector as Prometheus answers it."""
    rows = [{"metric": {}, "value": [1772366400.0, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


@pytest.mark.parametrize(
    ("query", "text", "value"),
    [
        (Query("n", "received", INCREASE, ""), "sum(increase(received_total[11s]))", 9.8),
        (Query("n", "buffer.size", MOST, ""), "max(max_over_time(buffer_size[11s]))", 9.0),
        (
            Query("n", "redis_errors.timeout", INCREASE, ""),
            'sum(increase(errors_total{app="a\\"b",error="timeout"}[11s]))',
            2.0,
        ),
        (Query("n", "buffer.recovered", INCREASE, ""), "", None),
        (Query("n", "buffer.size.x", MOST, ""), "", None),
    ],
)
def test_a_query_in_both_languages(query: Query, text: str, value: float | None) -> None:
    """By the target's names and labels; what the target does not map is not asked."""
    assert queries.promql(query, MAPPED, 10.2) == text
    assert queries.sampled(query, SAMPLES) == (value if value is None else pytest.approx(value))


def test_every_query_can_be_asked_of_the_sandbox() -> None:
    """Its target file maps all that the queries name."""
    mapped = target.find(options.TARGETS, "sandbox").metrics

    assert [q.name for q in queries.QUERIES if not queries.promql(q, mapped, 60.0)] == []


def test_without_prometheus_the_figures_come_from_the_samples() -> None:
    """And say so."""
    got = promql.figures(MAPPED, SAMPLES, 10.0, None)
    rows = got["figures"]
    assert isinstance(rows, list)

    assert (got["source"], got["window_s"]) == ("the samples that the probes scraped", 10.0)
    assert {row["name"]: row["value"] for row in rows} == {
        "alerts received": pytest.approx(9.8),
        "Redis errors": None,
        "Redis timeouts": 2.0,
        "buffered alerts": 9.0,
    }


def test_with_prometheus_they_are_its_answers() -> None:
    """One number a query; no series, several, or no number are not known, and no error."""
    answers = {"received": vector("15.12"), "buffer": vector("NaN"), "timeout": vector("1", "2")}

    def answer(query: str) -> tuple[int, object]:
        return 200, next((body for word, body in answers.items() if word in query), vector())

    with a_prometheus(answer) as (url, asked):
        prometheus = Prometheus(url + "/")
        prometheus.check()
        got = promql.figures(MAPPED, SAMPLES, 10.0, prometheus)
    rows = got["figures"]
    assert isinstance(rows, list)

    assert got["source"] == f"Prometheus at {url}"
    assert [(row["value"], row["error"]) for row in rows] == [(15.12, ""), (None, ""), (None, ""), (None, "")]
    assert asked == ["vector(1)", *(row["promql"] for row in rows)]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b"starting", "HTTP Status Code 503"),
        (200, b"<html>", "does not answer (JSONDecodeError)"),
        (200, {"status": "success"}, "the answer is none of Prometheus's (KeyError)"),
        (200, {"data": {"result": [{"value": []}]}}, "the answer is none of Prometheus's (IndexError)"),
    ],
)
def test_a_prometheus_that_cannot_be_used_is_refused_before_the_run(
    status: int, body: object, said: str
) -> None:
    """One sentence with place and mend."""
    with a_prometheus(lambda query: (status, body)) as (url, _), pytest.raises(SetupError) as caught:
        Prometheus(url).check()

    assert str(caught.value).startswith(f"--chaos-prometheus-url: {url}: {said}")
    assert str(caught.value).endswith("start Prometheus, or mend the address")


def test_what_is_no_address_is_refused() -> None:
    """Neither a URL nor a server."""
    with pytest.raises(SetupError, match="'localhost' is no URL; write it like"):
        Prometheus("localhost").check()
    with pytest.raises(SetupError, match=r"does not answer \(ConnectionError\)"):
        Prometheus(f"http://127.0.0.1:{free_port()}").check()


def test_a_prometheus_that_fails_at_the_end_is_told_and_asked_no_more() -> None:
    """Its figures are not known; the run goes on."""
    with a_prometheus(lambda query: (500, {})) as (url, asked):
        got = promql.figures(MAPPED, SAMPLES, 10.0, Prometheus(url))
    rows = got["figures"]
    assert isinstance(rows, list)

    assert len(asked) == 1
    assert {row["value"] for row in rows} == {None}
    assert all("HTTP Status Code 500" in row["error"] for row in rows)


def test_a_run_keeps_the_figures_and_names_their_source(tmp_path: Path) -> None:
    """As a user runs it: promql.json, and the report says who answered."""
    with a_prometheus(lambda query: (200, vector("7"))) as (url, asked):
        ended = headless(tmp_path / "runs", "--chaos-prometheus-url", url)
    kept = json.loads((tmp_path / "runs/latest/promql.json").read_text())

    assert ended.code == 0, ended.output
    assert kept["source"] == f"Prometheus at {url}"
    assert {row["value"] for row in kept["figures"]} == {7.0}
    assert len(asked) == 1 + len(kept["figures"]) == 1 + len(queries.QUERIES)
    assert f"Prometheus at {url}" in (tmp_path / "runs/latest/report.md").read_text()


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no `prometheus` on PATH (Debian: prometheus)")
def test_a_real_prometheus_answers(tmp_path: Path) -> None:
    """It scrapes itself; the official client reads what its PromQL makes of that."""
    port = free_port()
    (tmp_path / "p.yml").write_text(
        "global: {scrape_interval: 200ms}\nscrape_configs:\n"
        f"  - {{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
    )
    command = ["prometheus", f"--config.file={tmp_path}/p.yml", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        asked = Query("n", "up", MOST, "")
        text = queries.promql(asked, {"up": Metric("up", {"job": "self"})}, 60.0)
        value: float | None = None
        while value is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    value = Prometheus(f"http://127.0.0.1:{port}").value(text)
            time.sleep(0.2)
    finally:
        process.terminate()
        process.wait(20)

    assert value == 1.0


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no `prometheus` on PATH (Debian: prometheus)")
def test_the_sandbox_starts_the_prometheus_on_the_path_and_the_run_asks_it(tmp_path: Path) -> None:
    """As a user runs it: real PromQL over real scrapes, the source is told, and it ends with the sandbox."""
    runs = tmp_path / "runs"
    arguments = ("--headless", "--chaos-scenario", SHORT)
    with locust(runs, *arguments, env={"SANDBOX_PROMETHEUS": ""}) as process:
        process.wait_for("injected: redis-0")
        started = process.descendants()
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid, _ in started]
        ended = process.wait()
    kept = json.loads((runs / "latest/promql.json").read_text())
    values = {row["name"]: row["value"] for row in kept["figures"]}

    assert ended.code == 0, ended.output
    assert sum(b"prometheus\0--config" in command for command in commands) == 1
    assert alive(started) == []
    assert kept["source"].startswith("Prometheus at http://127.0.0.1:")
    assert {row["error"] for row in kept["figures"]} == {""}
    # 200 alerts, and increase() extrapolates; the samples would have said exactly what was counted.
    assert values["alerts received"] == pytest.approx(200, rel=0.15)
    assert kept["source"] in (runs / "latest/report.md").read_text()
    assert (runs / "latest/logs/prometheus.log").exists()
    ranges = writing.read_run(runs / "latest").ranges
    assert ranges is not None
    found = {each.name: each for each in ranges.series}
    breaker = next(each for name, each in found.items() if name.startswith("breaker of redis"))
    memory = {one.labels.rpartition("server=")[2]: one for one in found["Redis memory (bytes)"].curves}
    assert {each.error for each in found.values()} == {""}
    assert 2.0 in [value for _, value in breaker.curves[0].points]  # It opened, and Prometheus saw it.
    assert all(0.0 <= at_s <= ranges.to_s for at_s, _ in breaker.curves[0].points)
    assert max(value or 0.0 for _, value in found["alerts received a second"].curves[0].points) > 10
    assert max(value or 0.0 for _, value in found["latency p95 (s)"].curves[0].points) > 0
    assert set(memory) == {"redis-0", "redis-1"}
    assert memory["redis-0"].gaps  # While it was dead.
    assert "<h2>Metric series</h2>" in (runs / "latest/report.html").read_text()


def test_without_one_the_samples_answer_and_the_report_says_so(tmp_path: Path) -> None:
    """The same figures, from what the probes scraped."""
    ended = headless(tmp_path / "runs")
    kept = json.loads((tmp_path / "runs/latest/promql.json").read_text())

    assert ended.code == 0, ended.output
    assert kept["source"] == promql.SAMPLES
    assert promql.SAMPLES in (tmp_path / "runs/latest/report.md").read_text()
    assert "Metric series: none: this target has no" in (tmp_path / "runs/latest/report.md").read_text()


def test_an_announced_prometheus_that_never_scraped_gives_way_to_the_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers, and has no series of the Gateway: that is told, and nothing is read as zero."""
    monkeypatch.setattr(promql, "_SCRAPED_WITHIN_S", 0.2)
    said: list[str] = []
    with a_prometheus(lambda query: (200, vector())) as (url, asked):
        where = Endpoints(gateway_url="http://127.0.0.1:8080", prometheus_url=url)
        found = promql.connect("", where, said.append)

    assert found is None
    assert said == [f"{url}: has no scrape of the Gateway after 0.2 s; the samples are used"]
    assert asked[1] == 'up{instance="127.0.0.1:8080"} == 1'
