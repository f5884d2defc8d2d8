"""Fault windows as annotations in Grafana: written when a fault begins, and ended when it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import gevent
import requests

from chaos_hooks.errors import SetupError
from chaos_hooks.live_run import LiveRun

_LOOK_S = 0.25
_TIMEOUT_S = 5.0


class Annotations:
    """Follows the faults of whatever runs. Grafana is told, never relied on: what it does not take is said
    once, and changes nothing of the run."""

    def __init__(self, url: str, token_file: str, say: Callable[[str], None]) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            SetupError: if the address is none, or the token cannot be read.
        """
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise SetupError(f"--chaos-grafana-url: {url!r} is no URL; write it like http://127.0.0.1:3000")
        self._url = url.rstrip("/")
        self._say = say
        self._session = requests.Session()
        self._session.trust_env = False
        if token_file:
            try:
                token = Path(token_file).expanduser().read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as problem:
                raise SetupError(f"--chaos-grafana-token-file: {token_file}: {problem}; mend it") from None
            self._session.headers["Authorization"] = f"Bearer {token}"
        self._open: dict[tuple[str, str], int] = {}
        self._told = False

    def follow(self, current: Callable[[], LiveRun | None]) -> None:
        """Write what begins and what ends, for as long as the process lives."""
        while True:
            run = current()
            if run is not None:
                self.look(run)
            gevent.sleep(_LOOK_S)

    def look(self, run: LiveRun) -> None:
        """Compare the faults that are on with those that are written down."""
        active = set(run.bench.conductor.active) if run.bench.conductor else set()
        for fault in run.scenario.faults:
            key = (run.bench.run_id, fault.name)
            if fault.name in active and key not in self._open:
                tags = ["alertstorm", run.scenario.name, fault.name, fault.inject]
                text = f"{fault.name} ({fault.inject}), run {run.bench.run_id}"
                body = {"time": _now_ms(), "tags": tags, "text": text}
                self._open[key] = self._send("POST", "/api/annotations", body)
            elif fault.name not in active and self._open.get(key):
                self._send("PATCH", f"/api/annotations/{self._open[key]}", {"timeEnd": _now_ms()})
                self._open[key] = 0

    def _send(self, method: str, path: str, body: dict[str, object]) -> int:
        """Return the annotation's id; 0 if there is none."""
        try:
            answer = self._session.request(
                method, self._url + path, json=body, timeout=_TIMEOUT_S, allow_redirects=False
            )
            answer.raise_for_status()
            said = answer.json()
            return int(said.get("id", 0)) if isinstance(said, dict) else 0
        except (requests.RequestException, ValueError, TypeError) as problem:
            if not self._told:
                self._told = True
                self._say(
                    f"Grafana at {self._url} took no annotation: {' '.join(str(problem).split())[:200]}"
                )
            return 0


def _now_ms() -> int:
    return int(time.time() * 1000)
