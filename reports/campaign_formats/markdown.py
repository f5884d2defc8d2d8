"""A campaign's report for a pull request, under the headings of the plan's report template."""

from __future__ import annotations

from reports.campaign import Campaign
from reports.campaign_findings import key_findings
from reports.campaign_presentation import (
    GRID_LEGEND,
    Cell,
    Row,
    confidence,
    confidence_notes,
    grid,
    reproduce,
    rows,
    sentence,
    shown,
    tiles,
)
from reports.finding import Status
from reports.markup import code, escape, table
from reports.presentation import clip
from reports.recommendations import recommendations

FILE = "report.md"
# GitHub takes 65,536 characters a comment.
_COMMENT, _CELL = 65_000, 400


def render(campaign: Campaign) -> str:
    """Return the whole report; what does not fit a comment is left out, and it says so."""
    text = _report(campaign, brief=False)
    if len(text) > _COMMENT:
        text = _report(campaign, brief=True)
    if len(text) <= _COMMENT:
        return text
    return text[:_COMMENT].rpartition("\n")[0] + "\n\nThe rest does not fit a comment: see report.html\n"


def _report(campaign: Campaign, *, brief: bool) -> str:
    parts = [
        f"## {_text(sentence(campaign))}",
        "### Summary",
        _summary(campaign),
        "### Per-scenario results",
        _results(campaign, brief),
        "### Scenario x criterion grid",
        _grid(campaign),
        escape(GRID_LEGEND),
        "### Key findings",
        _findings(campaign),
        "### Confidence",
        table(("scenario", "loss"), [(code(name), _text(words)) for name, words in confidence(campaign)]),
        "\n".join(f"- {_text(note)}" for note in confidence_notes(campaign)),
        "### Recommendations",
        _list([f"**{each.kind}** {_text(each.text)}" for each in recommendations(campaign)]),
        "### How to reproduce",
        "\n".join(f"- {_text(what)}: {code(clip(value, _CELL))}" for what, value in reproduce(campaign)),
    ]
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    return escape(clip(text, 2 * _CELL))


def _list(items: list[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or "None."


def _summary(campaign: Campaign) -> str:
    about = (
        f"Campaign {code(campaign.campaign_id)}, pace {_text(campaign.pace)}, started "
        f"{_text(campaign.started_at)}, ended: {_text(campaign.ended or 'not recorded')}."
    )
    counted = [*tiles(campaign), ("in all", campaign.counts.total, "")]
    numbers = table([what for what, _, _ in counted], [[f"{number:,}" for _, number, _ in counted]])
    return f"{about}\n\n{numbers}"


def _results(campaign: Campaign, brief: bool) -> str:
    heads = ("scenario", "state", "zero loss", "breaker opened", "recovered", "other criteria", "report")
    note = "\n\nOther criteria that passed are left out to fit a comment: see report.html" if brief else ""
    return table(heads, [_row(row, brief) for row in rows(campaign)]) + note


def _row(row: Row, brief: bool) -> tuple[str, ...]:
    entry = row.entry
    name = code(entry.name) + (f" (variant of {code(entry.variant_of)})" if entry.variant_of else "")
    others = "<br>".join(
        f"{shown(entry, f)} {code(f.criterion)}: wanted {_text(f.wanted)}; got {_text(f.got)}"
        for f in row.others
        if not (brief and f.status is Status.PASS)
    )
    page = f"[report]({row.page})" if row.page else code(entry.run_id) if entry.run_id else "none"
    cells = [_cell(each) for each in (row.loss, row.breaker, row.recovery)]
    return (name, f"**{entry.state}**", *cells, others or _text(entry.reason) or "none", page)


def _cell(cell: Cell) -> str:
    return f"{cell.shown} {_text(cell.value)}<br>{_text(cell.note)}" if cell.status else _text(cell.value)


def _grid(campaign: Campaign) -> str:
    the_grid = grid(campaign)
    lines = [(code(row.entry.name), f"**{row.entry.state}**", *row.cells) for row in the_grid.rows]
    lines.append(("worst", f"**{campaign.state}**", *the_grid.worst))
    return table(("scenario", "state", *map(code, the_grid.criteria)), lines)


def _findings(campaign: Campaign) -> str:
    lines = []
    for each in key_findings(campaign):
        criterion = f" {code(each.criterion)}" if each.criterion else ""
        mend = f" Mend: {_text(each.mend)}." if each.mend else ""
        lines.append(f"**{each.kind}** {code(each.scenario)}{criterion}: {_text(each.text)}.{mend}")
    return _list(lines)
