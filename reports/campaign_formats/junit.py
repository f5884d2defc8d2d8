"""A campaign for CI: one suite a scenario; what was skipped is skipped, what was not run is an error."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from reports.campaign import Campaign, CampaignEntry, EntryState
from reports.campaign_findings import losses
from reports.campaign_presentation import confidence, loss_words, reproduce, sentence
from reports.suites import cases_of, document, empty_case, suite, tell

FILE = "junit.xml"


def render(campaign: Campaign) -> str:
    """Return the document. A campaign that did not pass has at least one failure or error in it."""
    suites = [
        _suite(campaign, entry, loss_words(loss))
        for entry, loss in zip(campaign.entries, losses(campaign), strict=True)
    ]
    bad = sum(int(each.get(key, "0")) for each in suites for key in ("failures", "errors"))
    if campaign.exit_code and not bad:
        # All skipped, or cut short between two scenarios: every importer would show it green.
        suites.append(_whole(campaign))
    return document(suites, sum(_length_s(entry) for entry in campaign.entries))


def _suite(campaign: Campaign, entry: CampaignEntry, loss: str) -> ET.Element:
    name = f"alertstorm.{entry.name}"
    cases = cases_of(entry.findings, name)
    if not cases:
        cases = [empty_case("verdict", name)]
        message = entry.reason or "no criterion was asked"
        if entry.state is EntryState.SKIPPED:
            tell(cases[0], "skipped", message)
        else:
            tell(cases[0], "error", message, entry.state.value)
    properties = [("state", entry.state.value), ("loss", loss), ("variant_of", entry.variant_of)]
    properties += [("run_id", entry.run_id), ("campaign_id", campaign.campaign_id)]
    run = entry.judged.run if entry.judged else None
    return suite(
        name,
        cases,
        time_s=_length_s(entry),
        started_at=run.started_at if run else campaign.started_at,
        properties=[(what, value) for what, value in properties if value],
        evidence=[entry.judged.verdict.sentence if entry.judged else entry.reason],
    )


def _whole(campaign: Campaign) -> ET.Element:
    case = empty_case("campaign", "alertstorm.campaign")
    tell(case, "error", sentence(campaign), campaign.state.value)
    return suite(
        "alertstorm.campaign",
        [case],
        time_s=0.0,
        started_at=campaign.started_at,
        properties=reproduce(campaign),
        evidence=[f"{name}: {words}" for name, words in confidence(campaign)],
    )


def _length_s(entry: CampaignEntry) -> float:
    return max((p.end_s for p in entry.judged.run.phases), default=0.0) if entry.judged else 0.0
