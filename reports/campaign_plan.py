"""campaign.json: what a campaign is to run and how far it came, as the live side writes and rewrites it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from reports.folder import FolderError

FILE = "campaign.json"
FORMAT = 1
ENDED = ("completed", "interrupted", "failed", "")


class EntryState(StrEnum):
    """How a scenario of a campaign ended. SKIPPED was left out on purpose; NOT_RUN was meant to be run."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    INVALID = "INVALID"
    SKIPPED = "SKIPPED"
    NOT_RUN = "NOT_RUN"


@dataclass(frozen=True, slots=True)
class PlannedEntry:
    """One scenario as recorded: ``run`` is the name of its run's folder, None until it has one. ``state`` is
    believed only without a run; ``reason`` is one sentence for SKIPPED, NOT_RUN and what could not begin."""

    scenario: str
    variant_of: str = ""
    run: str | None = None
    state: EntryState = EntryState.NOT_RUN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """A campaign as recorded; ``ended`` is completed, interrupted, failed, or empty while it goes on, and
    for ever if it died. ``options`` are the live side's own, for who goes on with it."""

    campaign_id: str
    started_at: str
    pace: str
    command: str
    entries: tuple[PlannedEntry, ...]
    ended: str = ""
    options: Mapping[str, str | int | bool] = field(default_factory=dict)


def is_campaign(folder: Path) -> bool:
    """Return whether a folder is a campaign's, and not a run's."""
    return (folder / FILE).is_file()


def write_campaign(folder: Path, plan: CampaignPlan) -> None:
    """Write campaign.json, in place of the one before: a reader finds the whole of either.

    Raises:
        OSError: if the disk does not take it.
    """
    beside = folder / f"{FILE}.part"
    with beside.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"format": FORMAT, **asdict(plan)}, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / FILE)


def read_plan(folder: Path) -> CampaignPlan:
    """Read campaign.json back.

    Raises:
        FolderError: if it is missing, torn, or says what it cannot say.
    """
    path = folder / FILE
    try:
        got = json.loads(path.read_text(encoding="utf-8"))
        if got.pop("format") != FORMAT:
            raise FolderError(f"{path}: was written in another format than {FORMAT}; use that version")
        entries = tuple(_entry(each) for each in got.pop("entries"))
        plan = CampaignPlan(**got, entries=entries)
        _check_texts(asdict(plan), "campaign")
        if not all(isinstance(each, str | int) for each in plan.options.values()):
            raise ValueError(f"options are {plan.options!r}")
        if plan.ended not in ENDED:
            raise ValueError(f"ended is {plan.ended!r}")
    except OSError as problem:
        raise FolderError(f"{path}: cannot be read ({problem.strerror}); name a campaign's folder") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        if isinstance(problem, FolderError):
            raise
        mend = "it was changed by hand, or written by another version"
        raise FolderError(f"{path}: is no campaign's description ({problem}); {mend}") from None
    return plan


def _entry(value: dict[str, Any]) -> PlannedEntry:
    _check_texts(value, "entry")
    return PlannedEntry(**{**value, "state": EntryState(value["state"])})


def _check_texts(value: dict[str, Any], what: str) -> None:
    for key, each in value.items():
        if key in ("entries", "options") or (key == "run" and each is None):
            continue
        if not isinstance(each, str):
            raise ValueError(f"{what}: {key} is {each!r}, not a text")
