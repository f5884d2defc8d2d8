"""The web UI: a run is started, stopped and looked at from the browser, and the form harms nobody."""

from __future__ import annotations

import functools
import html
import http.client
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import patched_process
import pytest
import requests
from kubernetes_api_server import free_port
from locust_process import SHORT, Locust, alive, locust, until, verdict

WAIT_S = 60.0


class Browser:
    """Looks at the pages of a Locust with a web UI, and presses its buttons."""

    def __init__(self, process: Locust, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=WAIT_S)

    def chaos(self) -> str:
        return self.get("/chaos").text

    def raw(self, path: str) -> int:
        """Return the status for a path exactly as it is written here; a client would tidy it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.putrequest("GET", path, skip_host=False)
        connection.endheaders()
        answer = connection.getresponse()
        assert b"SECRET" not in answer.read(), path
        connection.close()
        return answer.status

    def start(self, effect: Callable[[], bool], **form: str) -> None:
        """Press Start until it has an effect: Locust takes no notice while it still ends what was before."""

        def press() -> bool:
            answer = requests.post(f"{self.url}/swarm", data=form, timeout=WAIT_S)
            assert answer.json()["success"], answer.text
            return effect()

        self.until(press)

    def busy(self) -> bool:
        """Return whether a run goes on, as the page has it."""
        page = self.chaos()
        return "could not begin" not in page and "No run goes on." not in page

    def until(self, condition: Callable[[], bool]) -> None:
        until(condition, self.process.output, WAIT_S)

    def runs(self) -> list[Path]:
        """Return the folders of the runs that began, in their order."""
        found = [p.parent for p in self.process.runs.glob("*/run.json") if not p.parent.is_symlink()]
        return sorted(found, key=lambda p: p.stat().st_ctime)

    def until_judged(self, count: int) -> Path:
        """Wait until so many runs have verdicts and none goes on; return the last one's folder."""
        self.until(lambda: len([p for p in self.runs() if (p / "junit.xml").exists()]) == count)
        self.until(lambda: "No run goes on." in self.chaos())
        return next(p for p in self.runs() if p.name == (self.process.runs / "latest").resolve().name)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Locust with a web UI for the module, started with a scenario that is a path."""
    port, runs = free_port(), tmp_path_factory.mktemp("web") / "runs"
    with locust(runs, "--web-port", str(port), "--chaos-scenario", SHORT) as process:
        found = Browser(process, port)
        until(lambda: _answers(found), process.output, WAIT_S)
        yield found


def _answers(browser: Browser) -> bool:
    try:
        return browser.get("/chaos").status_code == 200
    except requests.ConnectionError:
        return False


def test_the_form_offers_the_scenarios_and_hides_programs_files_and_hosts(browser: Browser) -> None:
    """As a select with what there is; the page of the runs is empty yet."""
    text = browser.get("/").text
    options = json.JSONDecoder().raw_decode(text[text.index("{", text.index("window.templateArgs")) :])[0]
    shown = {name: option for name, option in options["extra_options"].items() if name.startswith("chaos_")}

    load = {"chaos_pattern", "chaos_rate", "chaos_count", "chaos_duration", "chaos_alert_name"}
    assert set(shown) == {"chaos_scenario", "chaos_pace", "chaos_no_faults", "chaos_seed"} | load
    assert shown["chaos_scenario"]["choices"][0] == shown["chaos_scenario"]["default_value"] == SHORT
    assert "redis-master-failure" in shown["chaos_scenario"]["choices"]
    assert shown["chaos_pace"]["choices"] == ["quick", "plan"]
    assert "none yet" in browser.chaos()


@pytest.mark.parametrize("name", ["<b>redis</b>", "../tests/data/short.yaml"])
def test_an_unknown_scenario_is_told_on_the_page(browser: Browser, name: str) -> None:
    """Nothing is run, and nothing of the form is code; a path is taken from the command line alone."""
    sentence = html.escape(f"unknown scenario {name!r}", quote=False)
    browser.start(lambda: sentence in browser.chaos().replace("&#39;", "'"), chaos_scenario=name)

    assert "could not begin" in browser.chaos()
    assert "<b>redis" not in browser.chaos()
    assert browser.process.process.poll() is None
    assert browser.runs() == []


def test_a_run_goes_to_its_verdict_and_the_next_one_can_be_stopped(browser: Browser) -> None:
    """After a start that was refused: a whole run, whatever else the form says; then one broken off."""
    browser.start(
        browser.busy,
        chaos_scenario=SHORT,
        chaos_gateway_command="/none/evil",
        chaos_start_args="--redis-server /none/evil",
        chaos_target_url="http://192.0.2.1:8080",
        chaos_allow_target="192.0.2.1",
        chaos_runs_dir="/none/evil",
    )
    browser.until(lambda: "FAULT primary-down" in browser.chaos())
    assert "could not begin" not in browser.chaos()
    first = browser.until_judged(1)
    page = browser.chaos()
    report = browser.get(f"/chaos/runs/{first.name}/report.html")

    assert verdict(first)["state"] == "PASS", verdict(first)
    assert "evil" not in (first / "run.json").read_text()
    assert f'href="/chaos/runs/{first.name}/report.html"' in page
    assert '<span class="status">PASS</span>' in page
    assert (report.status_code, report.text) == (200, (first / "report.html").read_text())
    assert browser.get("/chaos/runs/latest/report.html").text == report.text

    browser.start(browser.busy, chaos_scenario=SHORT)
    browser.until(lambda: "FAULT primary-down" in browser.chaos())
    started = browser.process.descendants()
    foreign = requests.post(
        f"{browser.url}/chaos/stop", headers={"Origin": "http://evil.example"}, timeout=WAIT_S
    )
    stopped = requests.post(f"{browser.url}/chaos/stop", timeout=WAIT_S)
    second = browser.until_judged(2)

    assert foreign.status_code == 403
    assert (stopped.status_code, stopped.json()) == (202, {"stopping": second.name})
    assert second != first
    assert verdict(second)["state"] == "INVALID"
    assert len(started) >= 7
    assert alive(started) == []
    assert "INVALID" in browser.chaos()
    assert verdict(first)["state"] == "PASS"


@pytest.mark.parametrize(
    "path",
    [
        "/chaos/runs/../../etc",
        "/chaos/runs/../../etc/passwd",
        "/chaos/runs/../report.html",
        "/chaos/runs/%2e%2e/report.html",
        "/chaos/runs/./report.html",
        "/chaos/runs/..%2freport.html",
        "/chaos/runs/..%2f..%2fetc/passwd",
        "/chaos/runs/latest/..%2f..%2freport.html",
        "/chaos/runs/latest/run.json",
        "/chaos/runs/latest/journal.jsonl",
        "/chaos/runs/none/report.html",
    ],
)
def test_nothing_but_the_reports_of_runs_is_served(browser: Browser, path: str) -> None:
    """404 for what lies elsewhere, what is no report, and what is not there."""
    for folder in (browser.process.runs, browser.process.runs.parent):
        folder.mkdir(exist_ok=True)
        (folder / "report.html").write_text("SECRET")

    assert browser.raw(path) == 404


def test_sigterm_ends_it(browser: Browser) -> None:
    """Between two runs, too; nothing stays behind."""
    started = browser.process.descendants()
    browser.process.process.send_signal(signal.SIGTERM)
    browser.process.wait()

    assert alive(started) == []


def closed_pages(base: str) -> dict[str, int]:
    """Ask for the pages in a web UI whose login is closed, then open; return their statuses."""
    import flask

    from chaos_hooks import web
    from chaos_hooks.live_chart import LiveChart

    closed = True

    def auth_required_if_enabled(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return ("log in", 401) if closed else view(*args, **kwargs)

        return wrapper

    options = SimpleNamespace(web_base_path=base, chaos_runs_dir="/none")
    app = flask.Flask("stand-in")
    web_ui: Any = SimpleNamespace(
        app=app,
        environment=SimpleNamespace(parsed_options=options),
        auth_required_if_enabled=auth_required_if_enabled,
        template_args={},
    )
    session: Any = SimpleNamespace(run=None, error="", record=None, is_busy=lambda: False, live=LiveChart())
    web.add_pages(web_ui, session)
    rules = [str(rule) for rule in app.url_map.iter_rules() if rule.endpoint.startswith("chaos.")]
    paths = [rule.replace("<name>", "x").replace("<file>", "report.html") for rule in rules]
    client = app.test_client()
    paths.remove(f"{base}/chaos/stop")  # A POST; see test_emergency_stop.
    found = {f"closed {path}": client.get(path).status_code for path in paths}
    closed = False
    return found | {f"open {path}": client.get(path).status_code for path in paths}


@pytest.mark.parametrize("base", ["", "/load"])
def test_every_page_is_behind_the_login(base: str) -> None:
    """Where Locust's web UI has one; below the base path that it was given."""
    assert patched_process.call("test_web", "closed_pages", base) == {
        f"closed {base}/chaos": 401,
        f"closed {base}/chaos/assets/report.html": 401,
        f"closed {base}/chaos/runs/x/report.html": 401,
        f"closed {base}/chaos/state": 401,
        f"open {base}/chaos": 200,
        f"open {base}/chaos/assets/report.html": 404,
        f"open {base}/chaos/runs/x/report.html": 404,
        f"open {base}/chaos/state": 200,
    }
