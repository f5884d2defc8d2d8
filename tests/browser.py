"""A real browser for tests: Debian's chromium, without a window, driven by its DevTools protocol.

No driver of its own is needed: the protocol is JSON over a web socket, and a client for that is installed
with the Kubernetes client.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

BINARY = os.environ.get("CHAOS_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
MISSING = "no chromium on this machine (apt-get install chromium); pages were NOT looked at in a browser"
_DEADLINE_S = 60.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--force-device-scale-factor=1",
)


class Tab:
    """One page. ``problems`` are errors of its console and scripts, ``requests`` what it asked for."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=_DEADLINE_S)
        self._numbers = itertools.count(1)
        self._loaded = False
        self.problems: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command; what happens meanwhile is noted."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv())
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    def open(self, address: str) -> None:
        """Open a page and return when it is loaded."""
        self._loaded = False
        self.problems.clear()
        self.requests.clear()
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + _DEADLINE_S
        while not self._loaded:
            assert time.monotonic() < deadline, f"{address} was not loaded"
            self._note(json.loads(self._socket.recv()))

    def run(self, script: str) -> Any:
        """Return what an expression gives; a promise is waited for."""
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true; while the page is loaded anew, it is not."""
        deadline = time.monotonic() + _DEADLINE_S
        while not self._is_true(script):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.1)

    def _is_true(self, script: str) -> bool:
        try:
            return bool(self.run(script))
        except AssertionError as problem:
            if "navigated" in str(problem) or "context" in str(problem):
                return False  # The page that was asked has gone.
            raise

    def look(self, width: int, *, dark: bool = False, paper: bool = False) -> None:
        """Give it a width, light or dark colours, or paper."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "", features=[scheme])
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))")

    def picture(self, path: Path) -> None:
        """Keep the whole page as a PNG."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def pdf(self, path: Path) -> None:
        """Print it."""
        told = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def _note(self, told: dict[str, Any]) -> None:
        method, about = told.get("method"), told.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(about["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.problems.append(str(about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(str(about["entry"]))


@contextmanager
def browser() -> Iterator[Tab]:
    """Start a browser with an empty profile and end it, whatever the test does."""
    assert BINARY
    with tempfile.TemporaryDirectory(prefix="alertstorm-browser-", ignore_cleanup_errors=True) as profile:
        command = [BINARY, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            yield Tab(_address(Path(profile) / "DevToolsActivePort", process))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(told: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < deadline, "the browser did not answer"
        try:
            port = int(told.read_text().splitlines()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                pages = [page for page in json.loads(answer.read()) if page["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
        except (OSError, ValueError, IndexError, KeyError):
            time.sleep(0.1)
