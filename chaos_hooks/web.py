"""The pages that the web UI gets: the run that goes on, and the verdicts and reports of those before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
import gevent

from chaos_hooks import progress, same_origin
from chaos_hooks.options import RUNS
from chaos_hooks.session import Session
from reports import writing

_FILES = ("report.html", "report.md", "verdict.json", "junit.xml")
_SHOWN = 50


def add_pages(web_ui: Any, session: Session) -> None:
    """Add /chaos and the reports below it, behind the UI's login where there is one, and link them."""
    blueprint = flask.Blueprint("chaos", __name__, template_folder="pages")
    base = (getattr(web_ui.environment.parsed_options, "web_base_path", "") or "").rstrip("/")
    given = getattr(web_ui.environment.parsed_options, "chaos_runs_dir", "")
    runs = Path(given).resolve() if given else RUNS

    @blueprint.route("/chaos")
    @web_ui.auth_required_if_enabled
    def chaos() -> str:
        run = session.run
        busy = bool(run and not run.is_over())
        now = progress.line(run) if run and busy else "No run goes on."
        return flask.render_template(
            "chaos.html",
            now=now,
            busy=busy,
            error=session.error,
            runs=_runs(runs),
            here=f"{base}/chaos",
            home=base or "/",
        )

    @blueprint.route("/chaos/runs/<name>/<file>")
    @web_ui.auth_required_if_enabled
    def report(name: str, file: str) -> flask.Response:
        # send_from_directory refuses to leave the folder that it is given, and "..", a name too, leads out.
        if file not in _FILES or name in (".", ".."):
            flask.abort(404)
        return flask.send_from_directory(runs / Path(name).name, file)

    @blueprint.route("/chaos/stop", methods=["POST"])
    @web_ui.auth_required_if_enabled
    def stop() -> tuple[flask.Response, int]:
        refused = same_origin.refusal(dict(flask.request.headers), flask.request.host)
        if refused:
            return flask.jsonify(error=refused), 403
        if not session.is_busy():
            return flask.jsonify(error="no run goes on"), 409
        run = session.run
        # It answers before the run has ended: healing is begun at once, the reading back takes its time.
        gevent.spawn(session.stop, "emergency stop from the web UI")
        return flask.jsonify(stopping=run.bench.run_id if run else ""), 202

    web_ui.app.register_blueprint(blueprint, url_prefix=base or None)
    web_ui.template_args["extended_csv_files"] = [
        {"href": f"{base}/chaos", "title": "Chaos: verdicts and reports of all runs"},
        {"href": f"{base}/chaos/runs/latest/report.html", "title": "Chaos: report of the last run"},
    ]


def _runs(runs: Path) -> list[dict[str, Any]]:
    found = []
    folders = [p for p in runs.glob("*") if p.is_dir() and not p.is_symlink()] if runs.is_dir() else []
    for path in sorted(folders, key=lambda p: p.stat().st_mtime, reverse=True)[:_SHOWN]:
        files = [name for name in _FILES if (path / name).exists()]
        found.append({"name": path.name, "sentence": writing.stored_sentence(path), "files": files})
    return found
