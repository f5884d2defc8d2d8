"""A campaign as one page: read offline, in light or dark, on paper, without colour; it has no JavaScript."""

from __future__ import annotations

from pathlib import Path

from reports import formats, pages
from reports.campaign import Campaign
from reports.campaign_findings import key_findings
from reports.campaign_presentation import (
    GRID_LEGEND,
    confidence,
    confidence_notes,
    grid,
    reproduce,
    rows,
    sentence,
    shown,
    tiles,
)
from reports.recommendations import recommendations
from reports.sparkline import sparkline

FILE = "report.html"
_ASSETS = Path(__file__).parent / "assets"
# The page looks like that of a run, so it begins with its style.
_RUN_ASSETS = Path(formats.__file__).parent / "assets"


def render(campaign: Campaign) -> str:
    """Return the page; every text in it is escaped by the template."""
    return pages.template("campaign.html.j2", _ASSETS, _RUN_ASSETS).render(
        campaign=campaign,
        sentence=sentence(campaign),
        tiles=tiles(campaign),
        rows=[
            (row, sparkline(row.entry.judged.drawn) if row.entry.judged else None) for row in rows(campaign)
        ],
        grid=grid(campaign),
        grid_legend=GRID_LEGEND,
        shown=shown,
        key_findings=key_findings(campaign),
        confidence=confidence(campaign),
        confidence_notes=confidence_notes(campaign),
        recommendations=recommendations(campaign),
        reproduce=reproduce(campaign),
    )
