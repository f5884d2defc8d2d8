"""The pages in a real browser: for each state, light, dark and narrow; no error, no request to elsewhere, and
no serious finding of axe-core."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import browser
import campaigns
import histories
import pytest
import rendered

from reports import campaign_writing, writing
from reports.history import History

pytestmark = pytest.mark.skipif(not browser.BINARY, reason=browser.MISSING)

LOOKS = {"light": {"width": 1280}, "dark": {"width": 1280, "dark": True}, "narrow": {"width": 360}}
STATES: dict[str, History] = {
    "pass": histories.history(200),
    "fail": histories.history(200, lost=range(60, 72), rejected_safe=9, rejected_unsafe=3, indeterminate=4),
    "unknown": rendered.UNKNOWN,
    "invalid": rendered.INVALID,
}
CAMPAIGNS = {
    "pass": campaigns.ALL_PASS,
    "fail": campaigns.EVERY,
    "unknown": {"redis-master-failure": campaigns.PASSED, "slow-api": campaigns.UNDECIDED},
    "invalid": {"network-partition": campaigns.INVALID},
}
# A folder that gets the pictures; by default they are thrown away.
PICTURES = os.environ.get("CHAOS_TEST_PICTURES", "")


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder for each state: a run before it, the run, and a campaign."""
    root = tmp_path_factory.mktemp("pages")
    for name, told in STATES.items():
        runs = root / name
        before = replace(told.run, run_id="before", started_at="2026-02-28T12:00:00+00:00")
        histories.keep(replace(told, run=before), runs / "before")
        writing.write_all(histories.keep(told, runs / "run"))
        campaign_writing.write_all(campaigns.keep(runs, CAMPAIGNS[name]))
    return root


def axe() -> str:
    """Return axe-core's script, which `make .venv/.test-ready` puts there."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found, "no axe-core in this environment; make .venv/.test-ready installs it"
    assert found.origin
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def looked_at(tab: browser.Tab, name: str, host: str) -> None:
    """Look at the open page in every way: it fits, says nothing on the console, asks nobody else, and axe
    finds nothing serious."""
    script = axe()
    for look, how in LOOKS.items():
        tab.look(**how)  # type: ignore[arg-type]
        wide = tab.run("document.documentElement.scrollWidth")
        assert wide <= how["width"], f"{name} is {wide} px wide at {how['width']}"
        assert tab.run("[...document.querySelectorAll('canvas')].every((c) => c.width > 0)")
        if PICTURES:
            tab.picture(Path(PICTURES) / f"{name}-{look}.png")
        # Put in by the debugger, as the page's own policy allows no script from elsewhere.
        tab.run(f"{script}; 0")
        found = tab.run("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (v["id"], [n["html"][:120] for n in v["nodes"][:3]])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], (name, look)
    assert tab.problems == [], name
    strangers = [r for r in tab.requests if urlsplit(r).netloc != host and not r.startswith("data:")]
    assert strangers == [], name


@pytest.mark.parametrize("state", STATES)
def test_the_page_of_a_run(tab: browser.Tab, pages: Path, state: str) -> None:
    """And the chart is drawn: not one colour alone is on its canvas."""
    tab.open((pages / state / "run/report.html").as_uri())
    looked_at(tab, f"run-{state}", "")
    colours = tab.run(
        "(() => { const c = document.querySelector('#chart canvas'), d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data, s = new Set();"
        " for (let i = 0; i < d.length; i += 4) s.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);"
        " return s.size; })()"
    )
    assert colours > 20


@pytest.mark.parametrize("state", STATES)
def test_the_page_of_a_campaign(tab: browser.Tab, pages: Path, state: str) -> None:
    """It is drawn without a script."""
    tab.open((pages / state / campaigns.ID / "report.html").as_uri())
    looked_at(tab, f"campaign-{state}", "")


@pytest.mark.parametrize("name", ["run", campaigns.ID])
def test_a_page_fits_on_paper(tab: browser.Tab, pages: Path, tmp_path: Path, name: str) -> None:
    """A4, and no more than a few sheets of it."""
    tab.open((pages / "fail" / name / "report.html").as_uri())
    tab.look(width=1280)
    path = Path(PICTURES or tmp_path) / f"{name}.pdf"
    tab.pdf(path)
    data = path.read_bytes()
    boxes = {tuple(map(float, b.split())) for b in re.findall(rb"/MediaBox\s*\[([^\]]*)\]", data)}
    sides = {tuple(sorted(round(side) for side in box[2:])) for box in boxes}
    assert sides == {(595, 842)} or sides == {(596, 842)}
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 8


class Live:
    """The live page of a stand-in for a session, served by the blueprint that Locust's UI gets."""

    def __init__(self, runs: Path, own: Path) -> None:
        self._state, self._stops = own / "state.json", own / "stops"
        self._stops.write_text("")
        self.tell(state_document())
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
    empty: dict[str, list[float]] = {"at_ms": [], "took_ms": []}
    chart = {
        "end_s": 38.0,
        "bucket_s": 1.0,
        "rates": rates,
        "points": dict.fromkeys(rates, empty),
        "latency": False,
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
        "counts": {"acked": 250, "rejected": 25, "indeterminate": 0, "unsent": 0},
        "breaker": "OPEN",
        "probes": [
            {"name": "metrics", "ok": True, "words": "answered in 4 ms"},
            {"name": "sentinel", "ok": False, "words": "ConnectionError: refused"},
        ],
    }
    return {"busy": True, "error": "", "run": run, "line": "[ 11.0s/38s] chaos", "chart": chart, **changes}


@pytest.fixture
def live(tab: browser.Tab, pages: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    found = Live(pages / getattr(request, "param", "pass"), tmp_path)
    yield found
    tab.open("about:blank")  # Or the page would go on asking a server that is gone.
    found.close()


@pytest.mark.parametrize("live", STATES, indirect=True)
def test_the_live_page(tab: browser.Tab, live: Live, request: pytest.FixtureRequest) -> None:
    """The run that goes on, and below it the verdicts of those before, in every state."""
    tab.open(f"http://{live.host}/chaos")
    tab.until("document.querySelectorAll('#chart canvas').length == 1")
    assert tab.run("document.getElementById('countdown').textContent") == "in 12 s"
    looked_at(tab, f"live-{request.node.callspec.params['live']}", live.host)


def test_the_stop_button_asks_first(tab: browser.Tab, live: Live) -> None:
    """Nothing is stopped by one click; "Go on" stops nothing; the second word does, once."""
    tab.open(f"http://{live.host}/chaos")
    tab.until("!document.getElementById('stop').hidden")
    tab.run("document.getElementById('stop').click()")
    assert tab.run("document.getElementById('sure').open")
    tab.run("document.getElementById('no').click()")
    assert (tab.run("document.getElementById('sure').open"), live.stops) == (False, [])
    tab.run("document.getElementById('stop').click(); document.getElementById('yes').click()")
    tab.until("document.getElementById('stopped').textContent.startsWith('Stopping')")
    assert live.stops == ["emergency stop from the web UI"]
    assert tab.problems == []


def test_the_page_follows_the_run_to_its_end(tab: browser.Tab, live: Live) -> None:
    """The countdown goes on without a reload; at the end the list of runs is read again."""
    tab.open(f"http://{live.host}/chaos")
    tab.until("document.getElementById('countdown').textContent == 'in 12 s'")
    told = state_document()
    told["run"]["next"]["in_s"] = 3.0
    live.tell(told)
    tab.until("document.getElementById('countdown').textContent == 'in 3 s'")
    live.tell(state_document(busy=False, line="No run goes on."))
    # Asked as one: the page is loaded anew when the run has ended, and may be between two questions.
    tab.until(
        "(document.getElementById('badge') || {}).textContent == 'IDLE'"
        " && document.readyState == 'complete' && document.getElementById('stop').hidden"
    )
    assert tab.problems == []
