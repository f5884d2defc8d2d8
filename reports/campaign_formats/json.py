"""A campaign for programs, `alertstorm/campaign/v1`, as `reports/schema/campaign-v1.schema.json` has it."""

from __future__ import annotations

from dataclasses import asdict

from reports.campaign import Campaign, CampaignEntry
from reports.campaign_findings import Loss, key_findings, losses, pooled
from reports.campaign_presentation import grid, sentence
from reports.documents import dumped, finding_document
from reports.recommendations import recommendations

FILE = "verdict.json"
SCHEMA = "alertstorm/campaign/v1"


def render(campaign: Campaign) -> str:
    """Return the document; the same campaign gives the same bytes."""
    return dumped(
        {
            "schema": SCHEMA,
            "state": campaign.state.value,
            "exit_code": campaign.exit_code,
            "sentence": sentence(campaign),
            "campaign_id": campaign.campaign_id,
            "started_at": campaign.started_at,
            "pace": campaign.pace,
            "command": campaign.command,
            "ended": campaign.ended,
            "counts": asdict(campaign.counts),
            "loss": _loss(pooled(campaign)),
            "entries": [
                _entry(entry, loss) for entry, loss in zip(campaign.entries, losses(campaign), strict=True)
            ],
            "grid": _grid(campaign),
            "key_findings": [asdict(each) for each in key_findings(campaign)],
            "recommendations": [asdict(each) for each in recommendations(campaign)],
        }
    )


def _loss(loss: Loss) -> dict[str, object]:
    # What does not count is not known: null, not zero.
    return {
        "lost": loss.lost if loss.counted else None,
        "acked": loss.acked if loss.counted else None,
        "bound": loss.bound,
        "not_counted_because": loss.why,
    }


def _entry(entry: CampaignEntry, loss: Loss) -> dict[str, object]:
    verdict = entry.judged.verdict if entry.judged else None
    return {
        "name": entry.name,
        "scenario": entry.scenario,
        "variant_of": entry.variant_of,
        "run": entry.run_id or None,
        "state": entry.state.value,
        "reason": entry.reason,
        "sentence": verdict.sentence if verdict else None,
        "loss": _loss(loss),
        "findings": [{**finding_document(f), "counts": entry.counts(f)} for f in entry.findings],
    }


def _grid(campaign: Campaign) -> dict[str, object]:
    the_grid = grid(campaign)
    return {
        "criteria": list(the_grid.criteria),
        "rows": [
            {
                "name": row.entry.name,
                "state": row.entry.state.value,
                "cells": [{"status": s, "counts": c} if s else None for s, c in row.answers],
            }
            for row in the_grid.rows
        ],
        "worst": list(the_grid.worst),
    }
