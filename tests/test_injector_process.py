"""The process backend, with a control API that answers as the sandbox's does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import injecting
import pytest
from injecting import Broken, fault

from chaos_hooks.errors import SetupError
from shapes.target import Endpoints


class Control:
    """One component, gateway. Killed with restart_after_s it returns by itself as another process."""

    def __init__(self) -> None:
        self.pid: int | None = 100
        self.started_s = time.monotonic() - 50.0
        self.returns_s = float("inf")
        self.asked: list[tuple[str, Any]] = []

    def components(self) -> dict[str, Any]:
        if self.pid is None and time.monotonic() >= self.returns_s:
            self.pid, self.started_s = 200, self.returns_s
        running = self.pid is not None
        ago_s = time.monotonic() - self.started_s if running else None
        state = {"pid": self.pid, "state": "running" if running else "dead", "started_ago_s": ago_s}
        return {"components": [{"name": "gateway", "role": "gateway", **state}]}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((path, body))
        if path.endswith("/kill"):
            old, self.pid = self.pid, None
            self.returns_s = time.monotonic() + body.get("restart_after_s", float("inf"))
            return {"name": "gateway", "pid": old, "signal": body["signal"], "died_ago_s": 0.0}
        was_running = self.pid is not None
        self.pid = self.pid or 300
        return {"name": "gateway", "pid": self.pid, "already_running": was_running}


@pytest.fixture
def control() -> Iterator[tuple[Control, Endpoints]]:
    state = Control()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(state.components())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(state.post(self.path, body))

        def _answer(self, value: dict[str, Any]) -> None:
            text = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield state, Endpoints(control_url=f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


def test_a_pod_like_death_ends_by_itself(control: tuple[Control, Endpoints]) -> None:
    """Killed, restarted by its supervisor: both processes, the time between, and when the fault ended."""
    state, endpoints = control
    broken = Broken(endpoints, fault("process", component="gateway", restart_after_s=0.4))
    assert state.asked == [("/components/gateway/kill", {"signal": "KILL", "restart_after_s": 0.4})]
    effect = broken.effect
    assert effect.seen
    assert effect.ended is not None
    assert effect.ended.since(effect.at).latest_s >= 0.4
    assert "gateway runs again as process 200 (was 100)" in effect.evidence[1]
    assert "gateway was running already (process 200)" in broken.heal().evidence[0]


def test_without_it_the_component_stays_dead_until_healed(control: tuple[Control, Endpoints]) -> None:
    """The lease is the control API's, ten seconds longer than the fault."""
    state, endpoints = control
    broken = Broken(endpoints, fault("process", for_s=5.0, component="gateway"))
    assert state.asked == [("/components/gateway/kill", {"signal": "KILL", "for_s": 15.0})]
    assert (broken.effect.seen, broken.effect.ended) == (True, None)
    assert "gateway started again (process 300)" in broken.heal().evidence[0]
    assert "was running already" in broken.backend.sweep(broken.undo)


def test_options_are_refused_by_name() -> None:
    """A duration without a unit is not taken for seconds."""
    with pytest.raises(SetupError, match=r"takes component, signal and restart_after \(a duration\)"):
        injecting.why_not(Endpoints(), fault("process", component="gateway", restart_after=5))
