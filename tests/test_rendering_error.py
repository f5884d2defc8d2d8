"""Whatever breaks in a report, a page or a stream takes neither the verdict nor the exit code away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import campaigns
import histories
import patched_process
import pytest
import rendered
from kubernetes_api_server import free_port
from locust_process import HOME, SHORT, locust, until

import reports.__main__ as main
from reports import campaign_writing, folder, writing
from reports.verdict import judge

BROKEN = f"{HOME / 'locustfile.py'},{HOME / 'tests/data/broken_reports.py'}"
CAMPAIGN_FORMATS = campaign_writing.format_names()


def ended_with_a_planted_error(folder: str) -> list[Any]:
    """Judge a run as the live side does, with every renderer broken, and print its end as Locust's last
    event does; return the exit code, what was printed, and which reports there are."""
    import io

    from chaos_hooks.live_run import Result
    from chaos_hooks.progress import Progress
    from chaos_hooks.session import Session
    from reports import writing
    from reports.formats import html, json, junit, markdown, text

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("planted")

    for module in (html, json, junit, markdown, text):
        module.render = broken
    path = Path(folder)
    result = Result(path, writing.write_all(path), "")
    session, printed = Session(), io.StringIO()
    session._progress = Progress(printed)
    session.results = [result]
    session.print_last()
    return [result.exit_code, printed.getvalue(), sorted(p.name for p in path.glob("report.*"))]


def test_a_rendering_error_at_the_end_of_a_run_changes_nothing(tmp_path: Path) -> None:
    """Convicted is convicted, with every report broken: the sentence is printed, and what broke."""
    told = histories.history(lost=(1,))
    kept = histories.keep(told, tmp_path / "run")

    code, printed, reports = patched_process.call(
        "test_rendering_error", "ended_with_a_planted_error", str(kept)
    )

    assert code == 1
    assert "FAIL: 1 of 3 acknowledged alerts lost. Convicted by zero_loss." in printed
    assert "report text: not made: RuntimeError: planted" in printed
    assert reports == []


def broken(*_: object, **__: object) -> str:
    """Break as a renderer does that meets what it did not expect."""
    raise RuntimeError("planted")


@pytest.mark.parametrize("state", ["pass", "fail", "unknown", "invalid"])
@pytest.mark.parametrize("name", writing.format_names())
def test_no_format_of_a_run_changes_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, state: str
) -> None:
    """Printed or written: one line on stderr, the other reports are there, and an old one that says otherwise
    is not."""
    told = rendered.ALL[state]
    kept = histories.keep(told, tmp_path / "run")
    writing.write_all(kept)
    monkeypatch.setattr(writing.load_format(name), "render", broken)

    printed = main.main([str(kept), "--format", name])
    line = capsys.readouterr().err
    written = main.main([str(kept), "--write"])

    assert printed == written == judge(told).exit_code
    assert line == f"reports: report {name}: not made: RuntimeError: planted\n"
    files = {n: str(getattr(writing.load_format(n), "FILE", "")) for n in writing.format_names()}
    assert {n for n, file in files.items() if file and not (kept / file).exists()} == {name} & {
        n for n, file in files.items() if file
    }


@pytest.mark.parametrize("name", CAMPAIGN_FORMATS)
def test_no_format_of_a_campaign_changes_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The same of a campaign that failed."""
    kept = campaigns.keep(tmp_path, campaigns.EVERY)
    monkeypatch.setattr(campaign_writing.load_format(name), "render", broken)

    assert main.main([str(kept), "--format", name]) == main.main([str(kept), "--write"]) == 1
    assert f"report {name}: not made: RuntimeError: planted" in capsys.readouterr().err


def test_the_comparison_changes_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is only told beside the verdict."""
    before = replace(histories.run(), run_id="before", started_at="2026-02-28T12:00:00+00:00")
    histories.keep(replace(histories.history(), run=before), tmp_path / "before")
    kept = histories.keep(histories.history(lost=(1,)), tmp_path / "run")
    monkeypatch.setattr("reports.comparison.compare", broken)

    assert main.main([str(kept), "--format", "markdown"]) == 1
    told = capsys.readouterr()
    assert "comparison: not made: RuntimeError: planted" in told.err
    assert "FAIL: 1 of 3" in told.out


def pages_with_a_planted_error() -> list[Any]:
    """Ask a web UI whose live page breaks for it and for Locust's figures; return what comes."""
    from types import SimpleNamespace

    import flask

    from chaos_hooks import live_state, web
    from chaos_hooks.live_chart import LiveChart

    live_state.document = broken  # type: ignore[assignment]
    app = flask.Flask("stand-in")

    @app.route("/stats/requests")
    def figures() -> flask.Response:
        return flask.jsonify(user_count=1)

    web_ui: Any = SimpleNamespace(
        app=app,
        environment=SimpleNamespace(parsed_options=SimpleNamespace(web_base_path="", chaos_runs_dir="/none")),
        auth_required_if_enabled=lambda view: view,
        template_args={},
    )
    session: Any = SimpleNamespace(run=None, error="", record=None, is_busy=lambda: True, live=LiveChart())
    web.add_pages(web_ui, session)
    client = app.test_client()
    return [client.get("/chaos/state").status_code, client.get("/stats/requests").get_json()]


def test_a_live_page_that_breaks_leaves_locusts_own_page() -> None:
    """It is asked by the same request; its table says what broke."""
    rows = [{"what": "not to be told", "now": "RuntimeError: planted"}]
    stats = [{"key": "chaos", "data": rows}]

    assert patched_process.call("test_rendering_error", "pages_with_a_planted_error") == [
        500,
        {"user_count": 1, "extended_stats": stats},
    ]


def test_a_real_run_with_everything_broken_is_convicted(tmp_path: Path) -> None:
    """From the web UI, looked at, with every report, the progress and the pages broken: the run goes to its
    end, its record is whole, and judged again it is the FAIL that it was."""
    port = free_port()
    defect = ("--chaos-start-args", "--gateway-defects ack-then-drop-on-redis-failure")
    ui = ("--web-port", str(port), "--autostart", "--autoquit", "0")
    with locust(tmp_path / "runs", "-f", BROKEN, "--chaos-scenario", SHORT, *defect, *ui) as process:
        until(lambda: _looked(port) or process.process.poll() is not None, process.output)
        ended = process.wait()
        kept = process.run_folder()

    assert ended.code == 1, ended.output
    assert "report html: not made: RuntimeError: planted" in ended.output
    assert "report junit: not made: RuntimeError: planted" in ended.output
    assert not list(kept.glob("report.*"))
    history = folder.read(kept)
    assert (history.ended, history.sealed, judge(history).exit_code) == ("completed", True, 1)


def _looked(port: int) -> bool:
    import requests

    try:
        return requests.get(f"http://127.0.0.1:{port}/chaos", timeout=5).status_code == 500
    except requests.ConnectionError:
        return False


def test_a_pipe_that_nobody_reads_any_more_breaks_nothing(tmp_path: Path) -> None:
    """As with `| head -1`, stderr too: the run goes on, heals, passes, and its reports are written."""
    runs = tmp_path / "runs"
    arguments = [
        "--headless",
        "--loglevel",
        "WARNING",
        "--chaos-scenario",
        SHORT,
        "--chaos-runs-dir",
        str(runs),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "locust", *arguments],
        cwd=HOME,
        env={**os.environ, "SANDBOX_PROMETHEUS": "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.stdout.close()
        code = process.wait(120)

    assert first.startswith("starting ")
    assert code == 0
    assert json.loads((runs / "latest/verdict.json").read_text())["state"] == "PASS"
    assert (runs / "latest/report.html").exists()


def test_a_report_that_nobody_reads_keeps_its_exit_code(tmp_path: Path) -> None:
    """As `python -m reports RUN --format csv | head -1`, of a run that failed."""
    kept = histories.keep(histories.history(2_000, lost=(1,)), tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-m", "reports", str(kept), "--format", "csv"],
        cwd=HOME,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()  # Long before it has judged.
        told, code = process.stderr.read(), process.wait(60)

    assert (code, told) == (1, "reports: not printed whole: Broken pipe\n")
