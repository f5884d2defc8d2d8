"""Campaigns of literal histories, kept in folders as a live side would keep them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import histories

from reports import campaign_writing
from reports.campaign import Campaign, CampaignPlan, EntryState, PlannedEntry, read, write_campaign
from reports.history import Asked, History

ID = "campaign-20260301T120000Z-ab12cd34"
Told = History | PlannedEntry


def told(scenario: str, **changes: object) -> History:
    """Return a whole history of a scenario; 40 alerts were acknowledged unless it says otherwise."""
    acked = changes.pop("acked", 40)
    assert isinstance(acked, int)
    title = scenario.replace("-", " ")
    return histories.history(acked, run_changes={"scenario": scenario, "title": title}, **changes)  # type: ignore[arg-type]


def keep(runs: Path, entries: Mapping[str, Told], ended: str = "completed") -> Path:
    """Write the campaign and its runs beside it; return its folder. An entry is a run's history, or what
    campaign.json is to say. What it says of a run's state is a lie: it must not be believed."""
    listed = []
    for scenario, entry in entries.items():
        if isinstance(entry, PlannedEntry):
            listed.append(entry)
            continue
        histories.keep(entry, runs / f"{scenario}-run")
        (runs / f"{scenario}-run" / "report.html").write_text("a page")
        listed.append(PlannedEntry(scenario, run=f"{scenario}-run", state=EntryState.PASS))
    folder = runs / ID
    folder.mkdir(parents=True, exist_ok=True)
    command = "locust --headless --chaos-scenario all --chaos-pace quick"
    plan = CampaignPlan(ID, "2026-03-01T12:00:00+00:00", "quick", command, tuple(listed), ended)
    write_campaign(folder, plan)
    return folder


def of(runs: Path, entries: Mapping[str, Told], ended: str = "completed") -> Campaign:
    """Return a campaign as it is read back."""
    return read(keep(runs, entries, ended))


def render(name: str, campaign: Campaign) -> str:
    """Return a campaign's report in one format."""
    return str(campaign_writing.load_format(name).render(campaign))


PASSED = told("redis-master-failure", acked=875)
FAILED = told("redis-oom", lost=range(10, 17), rejected_safe=6, rejected_unsafe=1)
UNDECIDED = told("slow-api", injections=(histories.injection(ended=None),))
INVALID = told("network-partition", injections=(histories.injection(bit=False),))
CLOSE = told(
    "breaker-close",
    # The breaker opens 0.15 s to 0.41 s after the fault began.
    promises=(Asked("zero_loss", {}), Asked("breaker_opens", {"within_s": 0.45})),
)
SKIPPED = PlannedEntry("node-loss", state=EntryState.SKIPPED, reason="it needs a cluster")
NOT_RUN = PlannedEntry("alert-storm", variant_of="storm")
BROKEN = PlannedEntry("disk-full", run="disk-full-run", state=EntryState.PASS)

ALL_PASS: Mapping[str, Told] = {"redis-master-failure": PASSED, "slow-api": told("slow-api")}
EVERY: Mapping[str, Told] = {
    "redis-master-failure": PASSED,
    "redis-oom": FAILED,
    "slow-api": UNDECIDED,
    "network-partition": INVALID,
    "breaker-close": CLOSE,
    "disk-full": BROKEN,
    "node-loss": SKIPPED,
    "alert-storm": NOT_RUN,
}
MANY: Mapping[str, Mapping[str, Told]] = {
    "all pass": ALL_PASS,
    "one failed": {"redis-master-failure": PASSED, "redis-oom": FAILED},
    "one undecided": {"redis-master-failure": PASSED, "slow-api": UNDECIDED},
    "one invalid": {"redis-master-failure": PASSED, "network-partition": INVALID},
    "one skipped": {"redis-master-failure": PASSED, "node-loss": SKIPPED},
    "all skipped": {"node-loss": SKIPPED},
    "one not run": {"redis-master-failure": PASSED, "alert-storm": NOT_RUN},
    "a broken run": {"redis-master-failure": PASSED, "disk-full": BROKEN},
    "nothing": {},
    "every": EVERY,
}


def without_tags(page: str) -> str:
    """Return a page's text, each run of white space as one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
