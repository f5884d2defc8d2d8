"""Serves the live page of a stand-in for a session, as a program: its state is a file, and so are its stops.

A program of its own, as Locust patches the whole process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import locust  # noqa: F401 - it patches the process, so it comes first

import flask  # isort: skip
from gevent.pywsgi import WSGIServer  # isort: skip

from chaos_hooks import live_state, web  # isort: skip
from chaos_hooks.live_chart import LiveChart  # isort: skip


def main(runs: str, state: str, stops: str) -> None:
    """Serve for as long as the process lives; print the port."""
    app = flask.Flask("stand-in")
    web_ui: Any = SimpleNamespace(
        app=app,
        environment=SimpleNamespace(parsed_options=SimpleNamespace(web_base_path="", chaos_runs_dir=runs)),
        auth_required_if_enabled=lambda view: view,
        template_args={},
    )
    session: Any = SimpleNamespace(
        run=None,
        live=LiveChart(),
        error="",
        is_busy=lambda: True,
        stop=lambda reason: Path(stops).write_text(Path(stops).read_text() + reason + "\n"),
    )
    live_state.document = lambda _: json.loads(Path(state).read_text())  # type: ignore[assignment]
    web.add_pages(web_ui, session)
    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
