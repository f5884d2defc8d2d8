"""The live page and Locust's Chaos tab in a real browser: while a run goes on, and when it has ended, in
every state, light, dark and narrow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import looking
import pytest
import requests
from kubernetes_api_server import free_port
from locust_process import SHORT, locust, until
from looking import STATES, looked_at

pytestmark = pytest.mark.skipif(not browser.BINARY, reason=browser.MISSING)

WORDS = {"pass": "PASS", "fail": "FAIL", "unknown": "UNKNOWN", "invalid": "INVALID"}


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return looking.kept(tmp_path_factory.mktemp("pages"))


class Live:
    """Locust's web UI with this tool's pages, for a stand-in of a session; see `live_page_server`."""

    def __init__(self, runs: Path, own: Path, told: dict[str, Any]) -> None:
        self._state, self._stops = own / "state.json", own / "stops"
        self._stops.write_text("")
        self.tell(told)
        program = [sys.executable, str(Path(__file__).with_name("live_page_server.py"))]
        self._process = subprocess.Popen(
            [*program, str(runs), str(self._state), str(self._stops)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        assert self._process.stdout
        self.host = f"127.0.0.1:{self._process.stdout.readline().strip()}"

    def tell(self, told: dict[str, Any]) -> None:
        beside = self._state.with_suffix(".part")
        beside.write_text(json.dumps(told))
        beside.replace(self._state)

    @property
    def stops(self) -> list[str]:
        return self._stops.read_text().splitlines()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def state_document(**changes: Any) -> dict[str, Any]:
    """Return a state in the middle of a fault, eleven seconds into a run of 38."""
    seconds = range(39)
    rates = {name: [0.0] * 39 for name in ("acked", "safe", "unsafe", "indeterminate", "unsent", "lost")}
    rates["acked"] = [25.0 if k < 11 and k != 9 else 0.0 for k in seconds]
    rates["safe"] = [25.0 if k == 9 else 0.0 for k in seconds]
    points: dict[str, dict[str, list[float]]] = {name: {"at_ms": [], "took_ms": []} for name in rates}
    points["acked"] = {"at_ms": [40.0] * 200, "took_ms": [6.0 + k % 7 for k in range(200)]}
    points["safe"] = {"at_ms": [9000.0] + [40.0] * 24, "took_ms": [800.0] * 25}
    chart = {
        "end_s": 38.0,
        "bucket_s": 1.0,
        "rates": rates,
        "points": points,
        "window_s": 0.0,
        "lanes": [
            {"name": "breaker redis", "spans": [[0, 8.3, "closed"], [8.3, 10.9, "open"]]},
            {"name": "readiness", "spans": [[0, 11, "ready"]]},
        ],
        "bands": [
            {"name": "primary-down", "asked": [8, 23], "seen": [8.02, 11], "bit": True, "words": "on"},
            {"name": "api-slow", "asked": [25, 30], "seen": None, "bit": None, "words": "to come"},
        ],
        "phases": [["baseline", 0, 8], ["chaos", 8, 23], ["recovery", 23, 35]],
        "recovered": [],
        "lost_ms": [],
        "now_s": 11.0,
    }
    run = {
        "run_id": "redis-master-failure-1",
        "scenario": "redis-master-failure",
        "title": "Redis primary fails, Sentinel promotes the replica",
        "pace": "quick",
        "stage": "running",
        "phase": "chaos",
        "elapsed_s": 11.0,
        "ends_s": 38.0,
        "next": {"verb": "heal", "fault": "primary-down", "in_s": 12.0},
        "active": ["primary-down"],
        "planned": 875,
        "begun": 275,
        "counts": {"acked": 250, "refused safely": 25},
        "breaker": "OPEN",
        "probes": [
            {"name": "metrics", "ok": True, "words": "answered in 4 ms"},
            {"name": "sentinel", "ok": False, "words": "ConnectionError: refused"},
        ],
    }
    entries = [
        {"name": "redis-oom", "state": "FAIL"},
        {"name": "redis-master-failure", "state": "RUNNING"},
    ]
    campaign = {"name": "campaign-1", "words": "1 of 2 done: 1 FAIL", "entries": entries}
    campaign |= {"state": "none", "sentence": "", "files": []}
    told = {
        "busy": True,
        "error": "",
        "problem": "",
        "run": run,
        "line": "[ 11.0s/38s] chaos",
        "chart": chart,
    }
    return {**told, "verdict": None, "campaign": campaign, **changes}


@pytest.fixture
def live(tab: browser.Tab, pages: Path, tmp_path: Path) -> Iterator[Live]:
    found = Live(pages / "fail", tmp_path, state_document())
    yield found
    tab.open("about:blank")  # Or the page would go on asking a server that is gone.
    found.close()


@pytest.fixture
def ended(tab: browser.Tab, pages: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """A run that has just ended, in the state that the test's parameter names."""
    runs = pages / request.param
    found = Live(runs, tmp_path, {"ended": str(runs / "run")})
    yield found
    tab.open("about:blank")
    found.close()


def test_the_live_page(tab: browser.Tab, live: Live) -> None:
    """A run in the middle of its fault, and below it the verdicts of those before."""
    tab.open(f"http://{live.host}/chaos")
    tab.until("document.querySelectorAll('#chart canvas').length == 1")
    assert tab.run("document.getElementById('countdown').textContent") == "in 12 s"
    assert tab.run("document.getElementById('counts').textContent") == "250 acked, 25 refused safely"
    looked_at(tab, "live-running", live.host)


@pytest.mark.parametrize("ended", STATES, indirect=True)
def test_the_live_page_at_the_end(
    tab: browser.Tab, pages: Path, ended: Live, request: pytest.FixtureRequest
) -> None:
    """The verdict on top, as a word and as its sentence; what did not pass; lost alerts in the chart."""
    state = request.node.callspec.params["ended"]
    tab.open(f"http://{ended.host}/chaos")
    tab.until("document.querySelectorAll('#chart canvas').length == 1")
    tab.until(f"document.getElementById('badge').textContent == {WORDS[state]!r}")
    verdict = json.loads((pages / state / "run/verdict.json").read_text())
    assert tab.run("document.getElementById('what').textContent") == verdict["sentence"]
    listed = tab.run("document.getElementById('findings').textContent")
    assert all(f["criterion"] in listed for f in verdict["findings"])
    tab.until(
        "!document.getElementById('legend').textContent.includes('lost')"
        if state != "fail"
        else "document.getElementById('legend').textContent.includes('acknowledged and lost 12')"
    )
    assert tab.run("document.getElementById('stopping').hidden")
    looked_at(tab, f"live-{state}", ended.host)


@pytest.mark.parametrize("ended", STATES, indirect=True)
def test_locusts_tab_at_the_end(
    tab: browser.Tab, pages: Path, ended: Live, request: pytest.FixtureRequest
) -> None:
    """Locust's own page has the verdict in its tab Chaos. It is Locust's page: only the table is ours."""
    state = request.node.callspec.params["ended"]
    tab.open(f"http://{ended.host}/?tab=chaos")
    verdict = json.loads((pages / state / "run/verdict.json").read_text())
    tab.until(f"document.body.textContent.includes({json.dumps(verdict['sentence'])})")
    looked_at(tab, f"tab-{state}", ended.host, part="document.querySelector('table')")


def test_the_stop_button_asks_first(tab: browser.Tab, live: Live) -> None:
    """Nothing is stopped by one click; "Go on" stops nothing; the second word does, once."""
    tab.open(f"http://{live.host}/chaos")
    tab.until("!document.getElementById('stopping').hidden")
    tab.run("document.getElementById('stop').click()")
    assert tab.run("document.getElementById('sure').open")
    tab.run("document.getElementById('no').click()")
    assert (tab.run("document.getElementById('sure').open"), live.stops) == (False, [])
    tab.run("document.getElementById('stop').click(); document.getElementById('yes').click()")
    tab.until("document.getElementById('stopped').textContent.startsWith('Stopping')")
    assert live.stops == ["emergency stop from the web UI"]
    assert tab.problems == []


def test_the_page_follows_the_run_to_its_end(tab: browser.Tab, live: Live, pages: Path) -> None:
    """The countdown goes on, and at the end the list of runs is read again, all without a reload."""
    tab.open(f"http://{live.host}/chaos")
    tab.until("document.getElementById('countdown').textContent == 'in 12 s'")
    tab.run("window.stayed = true")
    told = state_document()
    told["run"]["next"]["in_s"] = 3.0
    live.tell(told)
    tab.until("document.getElementById('countdown').textContent == 'in 3 s'")
    new = pages / "fail" / "just-ended"
    new.mkdir()
    bad = {"status": "FAIL", "criterion": "zero_loss", "wanted": "0 lost", "got": "1 of 9"}
    verdict = {
        "state": "FAIL",
        "sentence": "FAIL: 1 of 9",
        "bad": [bad],
        "good": [],
        "files": ["report.html"],
    }
    live.tell(state_document(busy=False, line="No run goes on.", verdict=verdict, campaign=None))
    tab.until("document.getElementById('runs').textContent.includes('just-ended')")
    assert tab.run("document.getElementById('badge').textContent") == "FAIL"
    assert tab.run("document.getElementById('stopping').hidden")
    assert tab.run("window.stayed")
    assert tab.problems == []


def test_a_real_run_from_locusts_form_to_its_verdict(tab: browser.Tab, tmp_path: Path) -> None:
    """Start is pressed in Locust's own page; the live page draws latencies and faults while it goes on, and
    ends with the verdict that the run's folder has."""
    port, runs = free_port(), tmp_path / "runs"
    address = f"http://127.0.0.1:{port}"
    with locust(runs, "--web-port", str(port), "--chaos-scenario", SHORT) as process:
        until(lambda: _answers(address), process.output, 60.0)
        tab.look(width=1280)
        tab.open(address)
        start = "[...document.querySelectorAll('button')].find((b) => /^start/i.test(b.textContent))"
        tab.until(f"Boolean({start})")
        tab.run(f"{start}.click()")
        tab.until("fetch('/chaos/state').then((answer) => answer.json()).then((told) => told.busy)")
        tab.open(f"{address}/chaos")
        tab.until("document.getElementById('faults').textContent == 'primary-down'")
        tab.until("/acknowledged [1-9]/.test(document.getElementById('legend').textContent)")
        told = json.loads(tab.run("fetch('/chaos/state').then((answer) => answer.text())"))
        tab.until("document.getElementById('badge').textContent == 'PASS'")
        tab.until("document.getElementById('legend').textContent.includes('acknowledged 200')")
        verdict = json.loads((process.run_folder() / "verdict.json").read_text())
        assert tab.run("document.getElementById('what').textContent") == verdict["sentence"]
        tab.until("document.getElementById('runs').textContent.trim().startsWith('PASS')")
        assert len(told["chart"]["points"]["acked"]["took_ms"]) == sum(told["chart"]["rates"]["acked"]) > 0
        assert told["chart"]["bands"][0]["seen"]
        looked_at(tab, "real-run", f"127.0.0.1:{port}")
        tab.open("about:blank")


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/chaos", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False
