"""What a campaign leaves on disk while it goes on, so that it can be reported and resumed at any time."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from chaos_hooks import description, options
from chaos_hooks.campaign import Entry
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.live_run import Result
from chaos_hooks.options import Options
from reports import campaign_plan
from reports.campaign_plan import CampaignPlan, EntryState, PlannedEntry
from reports.folder import FolderError

LATEST = "latest-campaign"
_RESUMABLE = (EntryState.NOT_RUN, EntryState.INVALID)


class CampaignRecord:
    """campaign.json in a folder of its own, rewritten after each entry."""

    def __init__(self, folder: Path, plan: CampaignPlan) -> None:
        self.folder = folder
        self.plan = plan

    @classmethod
    def begin(cls, runs: Path, entries: list[Entry], asked: Options) -> Self:
        """Make the folder and write down what is to be run.

        Raises:
            SetupError: if the folder cannot be made.
            RecordError: if the disk does not take what belongs into it.
        """
        name = f"campaign-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{description.token()}"
        folder = runs / name
        try:
            folder.mkdir(parents=True)
        except OSError as problem:
            raise SetupError(f"--chaos-runs-dir: {folder}: {problem.strerror}; name another folder") from None
        command = shlex.join(["locust", *_without_url(sys.argv[1:])])
        plan = CampaignPlan(
            campaign_id=name,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            pace=asked.pace,
            command=command,
            entries=tuple(_planned(entry) for entry in entries),
            options=asdict(replace(asked, notify_url="")),
        )
        record = cls(folder, plan)
        record._write()
        try:
            description.point_latest(folder, LATEST)
        except OSError as problem:
            place = folder.parent / LATEST
            raise RecordError(f"{place}: cannot be made a link ({problem.strerror}); move it away") from None
        return record

    def reopen(self) -> None:
        """Write down that the campaign goes on.

        Raises:
            RecordError: if the disk does not take it.
        """
        self.plan = replace(self.plan, ended="")
        self._write()

    def add(self, entry: Entry) -> None:
        """Write down one more entry that is to be run.

        Raises:
            RecordError: if the disk does not take it.
        """
        self.plan = replace(self.plan, entries=(*self.plan.entries, _planned(entry)))
        self._write()

    def finished(self, index: int, result: Result) -> None:
        """Write down how an entry ended.

        Raises:
            RecordError: if the disk does not take it.
        """
        entry = self.plan.entries[index]
        if result.verdict is None or result.folder is None:
            ended = replace(entry, state=EntryState.INVALID, reason=result.error or "it could not begin")
        else:
            ended = replace(
                entry, run=result.folder.name, state=EntryState(result.verdict.state.value), reason=""
            )
        entries = list(self.plan.entries)
        entries[index] = ended
        self.plan = replace(self.plan, entries=tuple(entries))
        self._write()

    def summary(self) -> str:
        """Return what is to be told at the end beside the campaign's report."""
        return ""

    def end(self, how: str) -> None:
        """Write down that the campaign is over, and how: completed, interrupted or failed.

        Raises:
            RecordError: if the disk does not take it.
        """
        self.plan = replace(self.plan, ended=how)
        self._write()

    def _write(self) -> None:
        try:
            campaign_plan.write_campaign(self.folder, self.plan)
        except OSError as problem:
            raise RecordError(
                f"{self.folder}: cannot be written ({problem.strerror}); make room, or name another folder"
            ) from None


def read(runs: Path, name: str) -> CampaignRecord:
    """Return an earlier campaign's record, unchanged; ``name`` is its id, its path or ``latest``.

    Raises:
        SetupError: if there is none.
    """
    folder = runs / (LATEST if name == "latest" else name)
    folder = folder if folder.exists() else Path(name)
    try:
        plan = campaign_plan.read_plan(folder)
    except FolderError as problem:
        raise SetupError(f"--chaos-resume: {problem}") from None
    return CampaignRecord(folder.resolve(), plan)


def options_of(plan: CampaignPlan, given: Options) -> Options:
    """Return the campaign's own options, but for those that were given anew: that differ from what they are
    when nobody gives them. Where runs are kept, and which campaign is meant, is always what was given."""
    plain = options.ungiven()
    known = {f.name for f in fields(Options)} - {"resume", "runs_dir"}
    kept: dict[str, Any] = {
        name: value
        for name, value in plan.options.items()
        if name in known
        and type(value) is type(getattr(plain, name))
        and getattr(given, name) == getattr(plain, name)
    }
    return replace(given, **kept)


def _without_url(arguments: list[str]) -> list[str]:
    """Leave the URL to notify away: it may hold a secret."""
    flag, kept = "--chaos-notify-url", []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if flag not in (before, argument) and not argument.startswith(f"{flag}="):
            kept.append(argument)
    return kept


def left_to_run(plan: CampaignPlan) -> list[int]:
    """Return the indexes of the entries that have no result worth keeping: never run, or INVALID."""
    return [index for index, entry in enumerate(plan.entries) if entry.state in _RESUMABLE]


def _planned(entry: Entry) -> PlannedEntry:
    state = EntryState.SKIPPED if entry.skip else EntryState.NOT_RUN
    return PlannedEntry(entry.scenario.name, entry.scenario.variant_of, None, state, entry.skip)
