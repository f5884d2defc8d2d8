"""Snapshots of the Gateway's metrics: all of them, with the time; where there are none, why."""

from __future__ import annotations

import http.server
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos_hooks import preflight, snapshot
from chaos_hooks.errors import SetupError
from reports import folder
from shapes.target import Endpoints

EXPOSED = b"""# TYPE gateway_alerts_received_total counter
gateway_alerts_received_total 3.0
# TYPE gateway_circuit_breaker_state gauge
gateway_circuit_breaker_state{component="redis"} 0.0
gateway_circuit_breaker_state{component="k8s"} NaN
# TYPE gateway_request_seconds histogram
gateway_request_seconds_bucket{le="+Inf"} 2.0
gateway_request_seconds_sum +Inf
gateway_request_seconds_count 2.0
"""


def _bound(handler: type[http.server.BaseHTTPRequestHandler]) -> http.server.ThreadingHTTPServer:
    for port in random.sample(range(20000, 32000), 200):
        try:
            return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError:
            continue
    raise AssertionError("no free port between 20000 and 32000")


@contextmanager
def serving(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to every GET but that of /readyz, and return the base URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ready = self.path == "/readyz"
            self.send_response(200 if ready else status)
            self.end_headers()
            self.wfile.write(b"" if ready else body)

        def log_message(self, *_: object) -> None:
            pass

    server = _bound(Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_family_is_kept_with_names_labels_and_values(tmp_path: Path) -> None:
    """As it was exposed; what JSON has no number for stands as Prometheus writes it."""
    with serving(200, EXPOSED) as url:
        folder.write_metrics(tmp_path, "baseline", snapshot.take(f"{url}/metrics", -1.5))
    got = json.loads((tmp_path / "baseline.json").read_text())

    assert (got["url"], got["at_s"], got["error"]) == (f"{url}/metrics", -1.5, "")
    assert got["at"].endswith("+00:00")
    assert got["families"] == [
        {
            "name": "gateway_alerts_received",
            "type": "counter",
            "samples": [["gateway_alerts_received_total", {}, 3.0]],
        },
        {
            "name": "gateway_circuit_breaker_state",
            "type": "gauge",
            "samples": [
                ["gateway_circuit_breaker_state", {"component": "redis"}, 0.0],
                ["gateway_circuit_breaker_state", {"component": "k8s"}, "NaN"],
            ],
        },
        {
            "name": "gateway_request_seconds",
            "type": "histogram",
            "samples": [
                ["gateway_request_seconds_bucket", {"le": "+Inf"}, 2.0],
                ["gateway_request_seconds_sum", {}, "+Inf"],
                ["gateway_request_seconds_count", {}, 2.0],
            ],
        },
    ]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(404, b"", "answered 404, wanted 200"), (200, b"<html lang=en>", "")],
)
def test_a_gateway_without_metrics_gives_an_entry_that_says_so(status: int, body: bytes, error: str) -> None:
    """Not found, or something else in their place."""
    with serving(status, body) as url:
        got = snapshot.take(f"{url}/metrics", 2.0)

    assert got["families"] is None
    assert str(got["error"]).startswith(f"{url}/metrics: {error}")
    assert got["error"] != f"{url}/metrics: "


def test_a_gateway_that_is_gone_gives_an_entry_too() -> None:
    got = snapshot.take("http://127.0.0.1:1/metrics", 2.0)

    assert got["error"] == "http://127.0.0.1:1/metrics: does not answer (ConnectionError)"
    assert got["families"] is None


def test_preflight_tells_of_missing_metrics_and_refuses_broken_ones() -> None:
    """Without metrics a run can still be judged by its RemediationRequests; what needs them is UNKNOWN."""
    with serving(404, b"") as url:
        (told,) = preflight.answers(Endpoints(ready_url=f"{url}/readyz", metrics_url=f"{url}/metrics"))
    with serving(500, b"") as broken, pytest.raises(SetupError, match="/metrics: answered 500, wanted 200"):
        preflight.answers(Endpoints(ready_url=f"{broken}/readyz", metrics_url=f"{broken}/metrics"))

    assert told == f"{url}/metrics: there are no metrics (404); what is judged by them will be UNKNOWN"
