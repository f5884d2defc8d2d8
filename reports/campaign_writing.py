"""Campaign reports on disk: a campaign is read, its runs are judged, and every format written."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

from reports import campaign_formats
from reports.campaign import Campaign, read
from reports.writing import UnknownFormatError, attempted, keep


def format_names() -> list[str]:
    """Return the names of all campaign formats: the files in `reports/campaign_formats/`."""
    return sorted(module.name for module in pkgutil.iter_modules(campaign_formats.__path__))


def load_format(name: str) -> ModuleType:
    """Return a campaign format's module.

    Raises:
        UnknownFormatError: naming those that exist.
    """
    if name not in format_names():
        listed = ", ".join(format_names())
        raise UnknownFormatError(f"unknown format {name!r} for a campaign; there are: {listed}")
    return importlib.import_module(f"reports.campaign_formats.{name}")


def write_all(folder: Path) -> Campaign:
    """Read a campaign, judge its runs, and write every format that has a file of its own into its folder.

    Rendering never changes a verdict: a format that fails is one line on stderr, and its old report, which
    may say otherwise, is taken away.

    Raises:
        FolderError: if there is no readable campaign.json.
    """
    campaign = read(folder)
    for name in format_names():
        problem = _write_one(folder, name, campaign)
        if problem:
            print(problem, file=sys.stderr)
    return campaign


def rendered(name: str, campaign: Campaign) -> tuple[str, str]:
    """Return a report and no problem, or no report and the problem as one line."""
    return attempted(name, lambda: str(load_format(name).render(campaign)))


def _write_one(folder: Path, name: str, campaign: Campaign) -> str:
    file, problem = attempted(name, lambda: str(getattr(load_format(name), "FILE", "")))
    if not file:
        return problem
    return keep(folder / file, *rendered(name, campaign))
