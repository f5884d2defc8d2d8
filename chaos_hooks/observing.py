"""How others observe the tool: its metrics on the web UI or a port of their own, annotations in Grafana."""

from __future__ import annotations

import sys
from typing import Any

import flask
import gevent
from gevent.pywsgi import WSGIServer
from locust.env import Environment
from locust.runners import WorkerRunner

from chaos_hooks import options, refusal
from chaos_hooks.errors import SetupError
from chaos_hooks.exporter import CONTENT_TYPE, Exporter
from chaos_hooks.grafana import Annotations
from chaos_hooks.session import Session


def start(environment: Environment, web_ui: Any, session: Session) -> None:
    """Serve the metrics and follow the faults, as the options ask for it.

    Raises:
        SystemExit: with code 2 and one sentence, if that cannot be.
    """
    if isinstance(environment.runner, WorkerRunner):
        return
    assert environment.parsed_options
    given = options.read(environment.parsed_options)
    exporter = Exporter(environment, session)
    if web_ui:
        base = (getattr(environment.parsed_options, "web_base_path", "") or "").rstrip("/")
        add_route(web_ui, base, exporter)
    try:
        if given.metrics_port:
            serve(given.metrics_port, exporter)
        if given.grafana_url:
            annotations = Annotations(given.grafana_url, given.grafana_token_file, print)
            gevent.spawn(annotations.follow, lambda: session.run)
    except SetupError as problem:
        sys.exit(refusal.say(str(problem)))


def add_route(web_ui: Any, base: str, exporter: Exporter) -> None:
    """Add /metrics to the web UI, behind its login where there is one."""

    @web_ui.auth_required_if_enabled
    def metrics() -> flask.Response:
        return flask.Response(exporter.text(), content_type=CONTENT_TYPE)

    web_ui.app.add_url_rule(f"{base}/metrics", "chaos_metrics", metrics)


def serve(address: str, exporter: Exporter) -> WSGIServer:
    """Serve /metrics on PORT of loopback, or on HOST:PORT.

    Raises:
        SetupError: if that is no address, or is taken.
    """
    host, _, port = address.rpartition(":")

    def application(environ: Any, answer: Any) -> list[bytes]:
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            answer("404 Not Found", [("Content-Type", "text/plain")])
            return [b"metrics are at /metrics\n"]
        answer("200 OK", [("Content-Type", CONTENT_TYPE)])
        return [exporter.text()]

    try:
        server = WSGIServer((host or "127.0.0.1", int(port)), application, log=None, error_log=None)
        server.start()
    except ValueError:
        raise SetupError(
            f"--chaos-metrics-port: {address!r} is no port; write it like 9646 or 0.0.0.0:9646"
        ) from None
    except (OSError, OverflowError) as problem:
        raise SetupError(f"--chaos-metrics-port: {address}: {problem}; name another one") from None
    return server
