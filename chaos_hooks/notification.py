"""Who else is told of a verdict: a URL that gets its JSON, and the summary of a GitHub Actions job."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests

from reports import folder as run_folder
from reports.folder import FolderError
from reports.redaction import Redactor

VERDICT = "verdict.json"
MARKDOWN = "report.md"
_TIMEOUT_S = 10.0


def refused(url: str) -> str:
    """Return what is wrong with a notification URL; empty if nothing is. The URL itself may hold a secret, so
    it is not repeated."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "--chaos-notify-url: is no http:// or https:// URL; give the whole address"
    if parts.username or parts.password:
        return "--chaos-notify-url: holds a user or a password; use a URL that needs none"
    return ""


def tell(url: str, folder: Path | None) -> list[str]:
    """Tell everyone of the verdict in a folder; return the problems, each as one line. None changes it."""
    if folder is None:
        return []
    problems = [post(url, folder) if url else "", summarise(folder)]
    return [problem for problem in problems if problem]


def post(url: str, folder: Path) -> str:
    """Send a run's or a campaign's verdict.json, without secrets; return no problem, or it as one line.

    A failure never changes a verdict. No redirect is followed, no proxy or password of the environment used;
    the answer is not looked at but for its status.
    """
    where = urlsplit(url).hostname
    try:
        document = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
        body = json.dumps(Redactor(keep=_kept(folder)).document(document)).encode()
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=_TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
    except Exception as problem:  # noqa: BLE001 - the verdict stands, whatever breaks in telling it
        return f"the verdict was not sent to {where}: {type(problem).__name__}"
    if not 200 <= answer.status_code < 300:
        return f"the verdict was not taken by {where}: status {answer.status_code}"
    return ""


def summarise(folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Add the Markdown report to a job's summary, if there is one; return no problem, or it as one line."""
    path = environment.get("GITHUB_STEP_SUMMARY", "")
    if not path:
        return ""
    try:
        report = (folder / MARKDOWN).read_text(encoding="utf-8")
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(report + "\n")
    except OSError as problem:
        return f"GITHUB_STEP_SUMMARY: not written: {problem.strerror}"
    return ""


def _kept(folder: Path) -> set[str]:
    try:
        return {run_folder.description(folder).token}
    except FolderError:
        return set()
