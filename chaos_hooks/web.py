"""The pages that the web UI gets: the run that goes on, and the verdicts and reports of those before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flask
import gevent
from werkzeug.exceptions import NotFound

from chaos_hooks import live_state, same_origin
from chaos_hooks.options import RUNS
from chaos_hooks.session import Session
from reports import formats, writing

_PAGES = Path(__file__).parent / "pages"
_REPORT_ASSETS = Path(formats.__file__).parent / "assets"
_ASSETS = {
    "live.js": _PAGES,
    "live.css": _PAGES,
    "run.css": _REPORT_ASSETS,
    "chart.js": _REPORT_ASSETS,
    "uPlot.iife.min.js": _REPORT_ASSETS / "uplot",
    "uPlot.min.css": _REPORT_ASSETS / "uplot",
}
_SHOWN = 50
_TAB = "chaos"
# The page loads nothing from elsewhere, and nobody may frame its stop button.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_pages(web_ui: Any, session: Session) -> None:
    """Add /chaos and the reports below it, behind the UI's login where there is one, link them, and add the
    tab; refuse what other sites' pages would change, Locust's own start and stop, too."""
    blueprint = flask.Blueprint("chaos", __name__, template_folder="pages")
    base = (getattr(web_ui.environment.parsed_options, "web_base_path", "") or "").rstrip("/")
    given = getattr(web_ui.environment.parsed_options, "chaos_runs_dir", "")
    runs = Path(given).resolve() if given else RUNS

    @blueprint.route("/chaos")
    @web_ui.auth_required_if_enabled
    def chaos() -> flask.Response:
        told = live_state.document(session)
        page = flask.render_template(
            "chaos.html",
            now=told["line"],
            busy=told["busy"],
            error=told["error"],
            runs=_runs(runs, _going(told)),
            here=f"{base}/chaos",
            home=base or "/",
        )
        return flask.Response(page, headers={"Content-Security-Policy": _POLICY})

    @blueprint.route("/chaos/state")
    @web_ui.auth_required_if_enabled
    def state() -> flask.Response:
        return flask.jsonify(live_state.document(session))

    @blueprint.route("/chaos/assets/<file>")
    @web_ui.auth_required_if_enabled
    def asset(file: str) -> flask.Response:
        return _sent(_ASSETS[file], file) if file in _ASSETS else _nothing()

    @blueprint.route("/chaos/runs/<name>/<file>")
    @web_ui.auth_required_if_enabled
    def report(name: str, file: str) -> flask.Response:
        # send_from_directory refuses to leave the folder that it is given, and "..", a name too, leads out.
        if file not in live_state.REPORTS or name in (".", ".."):
            return _nothing()
        return _sent(runs / Path(name).name, file)

    @blueprint.route("/chaos/stop", methods=["POST"])
    @web_ui.auth_required_if_enabled
    def stop() -> tuple[flask.Response, int]:
        if not session.is_busy():
            return flask.jsonify(error="no run goes on"), 409
        run = session.run
        # It answers before the run has ended: healing is begun at once, the reading back takes its time.
        gevent.spawn(session.stop, "emergency stop from the web UI")
        return flask.jsonify(stopping=run.bench.run_id if run else ""), 202

    @web_ui.app.before_request
    def guard() -> tuple[flask.Response, int] | None:
        request = flask.request
        changes = request.method not in ("GET", "HEAD", "OPTIONS")
        if not changes and request.path.split("/chaos")[0] != base:
            return None
        headers = dict(request.headers)
        told = same_origin.refusal(headers, request.host) if changes else same_origin.reading_refusal(headers)
        told = told or same_origin.host_refusal(getattr(web_ui, "host", ""), request.host)
        return (flask.jsonify(error=told), 403) if told else None

    @web_ui.app.after_request
    def with_tab(response: flask.Response) -> flask.Response:
        if flask.request.path == f"{base}/stats/requests" and response.is_json:
            rows = [{"key": _TAB, "data": _rows(session)}]
            response.set_data(json.dumps({**response.get_json(), "extended_stats": rows}))
        return response

    gevent.spawn(session.live.follow, lambda: session.run)
    web_ui.app.register_blueprint(blueprint, url_prefix=base or None)
    web_ui.template_args["extended_tabs"] = [{"title": "Chaos", "key": _TAB}]
    columns = [{"key": "what", "title": "What"}, {"key": "now", "title": "Now"}]
    web_ui.template_args["extended_tables"] = [{"key": _TAB, "structure": columns}]
    web_ui.template_args["extended_csv_files"] = [
        {"href": f"{base}/chaos", "title": "Chaos: the live page, and the verdicts and reports of all runs"},
        {"href": f"{base}/chaos/runs/latest/report.html", "title": "Chaos: report of the last run"},
    ]


def _rows(session: Session) -> list[dict[str, str]]:
    try:
        return live_state.rows(session)
    except Exception as problem:  # noqa: BLE001 - Locust's own page must not break with this table
        return [{"what": "not to be told", "now": f"{type(problem).__name__}: {problem}"}]


def _sent(folder: Path, file: str) -> flask.Response:
    try:
        return flask.send_from_directory(folder, file)
    except NotFound:
        return _nothing()


def _nothing() -> flask.Response:
    # Not by abort: behind a login Locust makes a page with status 200 of every exception.
    return flask.Response("not found\n", 404, content_type="text/plain")


def _going(told: dict[str, Any]) -> set[str]:
    """Return the names of the folders of the run and the campaign that go on."""
    names = {told["run"]["run_id"]} if told["run"] else set()
    return (names | ({told["campaign"]["name"]} if told["campaign"] else set())) if told["busy"] else set()


def _runs(runs: Path, going: set[str]) -> list[dict[str, Any]]:
    found = []
    folders = [p for p in runs.glob("*") if p.is_dir() and not p.is_symlink()] if runs.is_dir() else []
    for path in sorted(folders, key=lambda p: p.stat().st_mtime, reverse=True)[:_SHOWN]:
        files = [name for name in live_state.REPORTS if (path / name).exists()]
        state, word, rest = live_state.state_of(writing.stored_sentence(path))
        if path.name in going:
            state, word, rest = "RUNNING", "RUNNING", ""
        found.append({"name": path.name, "state": state, "word": word, "rest": rest, "files": files})
    return found
