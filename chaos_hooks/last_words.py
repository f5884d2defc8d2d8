"""The last words of a headless run: its verdict, a table of the criteria, and where the report is."""

from __future__ import annotations

import os
from pathlib import Path

from chaos_hooks.live_run import Result
from reports import campaign as reports_of_campaign
from reports import folder as run_folder
from reports import writing
from reports.campaign_formats import text as campaign_text
from reports.formats import text


def of_run(result: Result) -> str:
    """Return what is told of one run; if the table cannot be made, the verdict's sentence stands."""
    error = f"\nalertstorm: {result.error}" if result.error else ""
    folder, verdict = result.folder, result.verdict
    if verdict is None or folder is None:
        return f"\nalertstorm: {result.error}"
    told, problem = writing.attempted("text", lambda: text.render(run_folder.read(folder), verdict))
    said = told or f"{verdict.sentence}\n{problem}"
    return "\n".join([*([error] if error else []), "", said, _report(folder)])


def of_campaign(folder: Path, summary: str) -> str:
    """Return what is told of a campaign, with what else is to be said of it."""
    told, problem = writing.attempted("text", lambda: campaign_text.render(reports_of_campaign.read(folder)))
    return "\n".join(("", told or problem, summary, _report(folder)))


def _report(folder: Path) -> str:
    path = folder / "report.html"
    if not path.exists():
        return f"no report.html was made; python -m reports {os.path.relpath(folder)} --write tells why"
    return f"report: {os.path.relpath(path)}"
