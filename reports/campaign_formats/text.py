"""The summary at the end of a campaign, for a terminal: no colours, nothing that moves the cursor."""

from __future__ import annotations

from reports.campaign import Campaign
from reports.campaign_findings import key_findings
from reports.campaign_presentation import Row, rows, sentence
from reports.presentation import clip, plain
from reports.recommendations import recommendations

_LONGEST = 600


def render(campaign: Campaign) -> str:
    """Return the sentence, a line for each scenario, the key findings and the recommendations."""
    the_rows = rows(campaign)
    width = max([8, *(len(plain(row.entry.name)) for row in the_rows)])
    lines = [_line(sentence(campaign)), "", f"{'STATE':8} {'SCENARIO':{width}}  RESULT"]
    lines += [
        f"{row.entry.state:8} {plain(row.entry.name):{width}}  {_line(_result(row))}" for row in the_rows
    ]
    found = key_findings(campaign)
    if found:
        lines += ["", "Key findings"]
    for each in found:
        criterion = f" {each.criterion}" if each.criterion else ""
        lines.append(_line(f"{each.kind:8} {each.scenario}{criterion}: {each.text}"))
        lines += [_line(f"         mend: {each.mend}")] if each.mend else []
    advice = recommendations(campaign)
    if advice:
        lines += ["", "Recommendations", *(_line(f"{each.kind:9} {each.text}") for each in advice)]
    lines += [
        "",
        _line(f"campaign {campaign.campaign_id}, pace {campaign.pace}, ended: {campaign.ended or '-'}"),
    ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return clip(plain(text), _LONGEST)


def _result(row: Row) -> str:
    if row.entry.judged is None:
        return row.entry.reason
    loss = f"lost {row.loss.value}"
    if row.entry.state == "PASS":
        return f"{loss}; breaker opened {row.breaker.value}; recovered {row.recovery.value}"
    return row.entry.judged.verdict.sentence
