"""A campaign: several scenarios one after another, each judged again from its own run's folder.

Its folder lies beside those of its runs and holds `campaign.json`, which the live side writes before the
first run and again after each (`write_campaign`), and the reports.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from reports.campaign_plan import CampaignPlan, EntryState, PlannedEntry, read_plan, write_campaign
from reports.chart import Chart, chart
from reports.finding import Finding, Status
from reports.folder import FolderError
from reports.history import History, Run
from reports.presentation import Fact, facts, plain
from reports.verdict import EXIT_CODES, State, Verdict, judge
from reports.writing import read_run

__all__ = [
    "Campaign",
    "CampaignEntry",
    "CampaignPlan",
    "EntryState",
    "PlannedEntry",
    "read",
    "write_campaign",
]

LATEST = "latest-campaign"
HOW_ENDED = {
    "completed": "came to its end",
    "interrupted": "was interrupted",
    "failed": "failed",
    "": "died, or still goes on",
}
_MOST_POINTS = 1


@dataclass(frozen=True, slots=True)
class Judged:
    """What a campaign keeps of a run; the history itself may be large, and is let go."""

    run: Run
    verdict: Verdict
    truth_read: bool
    facts: tuple[Fact, ...]
    drawn: Chart | None
    has_page: bool


@dataclass(frozen=True, slots=True)
class CampaignEntry:
    """One scenario of a campaign. ``name`` is unique in it; ``reason`` says why there is no verdict."""

    name: str
    scenario: str
    variant_of: str
    run_id: str
    state: EntryState
    reason: str
    judged: Judged | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the run's findings, worst first; none if it was not judged."""
        return self.judged.verdict.findings if self.judged else ()

    @property
    def holds(self) -> bool:
        """Return whether all that the run rests on held; if not, its findings count for nothing."""
        assumed = [f for f in self.findings if f.assumption]
        return bool(assumed) and all(f.status is Status.PASS for f in assumed)

    def counts(self, finding: Finding) -> bool:
        """Return whether a finding says something: also in an INVALID run assumptions and proofs do."""
        proof = finding.conclusive and finding.status is Status.FAIL
        return self.holds or finding.assumption or proof


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of ``total`` scenarios ended so."""

    total: int
    passed: int
    failed: int
    undecided: int
    invalid: int
    skipped: int
    not_run: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it was run, with what its runs prove."""

    campaign_id: str
    started_at: str
    pace: str
    command: str
    ended: str
    entries: tuple[CampaignEntry, ...]

    @property
    def state(self) -> State:
        """Return FAIL if a scenario failed; PASS if one passed, all but skipped ones did and the campaign
        came to its end; else UNKNOWN. What was not run never passes."""
        states = {entry.state for entry in self.entries}
        if EntryState.FAIL in states:
            return State.FAIL
        whole = self.ended == "completed" and states <= {EntryState.PASS, EntryState.SKIPPED}
        return State.PASS if whole and EntryState.PASS in states else State.UNKNOWN

    @property
    def exit_code(self) -> int:
        """Return 0 passed, 1 failed, 3 undecided."""
        return EXIT_CODES[self.state]

    @property
    def counts(self) -> Counts:
        """Return how many scenarios ended how."""
        number = {state: sum(e.state is state for e in self.entries) for state in EntryState}
        return Counts(
            total=len(self.entries),
            passed=number[EntryState.PASS],
            failed=number[EntryState.FAIL],
            undecided=number[EntryState.UNKNOWN],
            invalid=number[EntryState.INVALID],
            skipped=number[EntryState.SKIPPED],
            not_run=number[EntryState.NOT_RUN],
        )


def read(folder: Path) -> Campaign:
    """Read a campaign back and judge its runs, whatever was judged before. A run that is missing, broken or
    not the scenario's makes its entry INVALID, with the reason.

    Raises:
        FolderError: if there is no readable campaign.json.
    """
    plan = read_plan(folder)
    runs_dir = folder.resolve().parent
    entries: list[CampaignEntry] = []
    for planned in plan.entries:
        before = sum(e.scenario == planned.scenario for e in entries)
        name = planned.scenario if not before else f"{planned.scenario} #{before + 1}"
        taken = {e.run_id: e.name for e in entries if e.run_id}
        entries.append(_entry(plan, planned, name, runs_dir, taken))
    return Campaign(
        plan.campaign_id, plan.started_at, plan.pace, plan.command, plan.ended, entries=tuple(entries)
    )


def point_latest(folder: Path) -> None:
    """Let the link `latest-campaign` beside the campaign's folder name it.

    Raises:
        OSError: if the disk does not take it.
    """
    beside = folder.parent / f".{LATEST}-{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(folder.name)
    beside.replace(folder.parent / LATEST)


def _entry(
    plan: CampaignPlan, planned: PlannedEntry, name: str, runs_dir: Path, taken: dict[str, str]
) -> CampaignEntry:
    bare = CampaignEntry(name, planned.scenario, planned.variant_of, "", EntryState.INVALID, "")
    if planned.run is None:
        state, reason = _without_run(plan, planned)
        return replace(bare, state=state, reason=reason)
    if planned.run in ("", ".", "..") or Path(planned.run).name != planned.run:
        return replace(bare, reason=f"run {planned.run!r} is no name of a folder beside it")
    bare = replace(bare, run_id=planned.run)
    if planned.run in taken:
        return replace(bare, reason=f"names the run of {taken[planned.run]} once more")
    return _with_run(bare, planned, runs_dir / planned.run)


def _without_run(plan: CampaignPlan, planned: PlannedEntry) -> tuple[EntryState, str]:
    if planned.state is EntryState.NOT_RUN:
        return planned.state, planned.reason or f"the campaign {HOW_ENDED[plan.ended]}; it was not run"
    if planned.state is EntryState.SKIPPED:
        return planned.state, planned.reason or "no reason is recorded"
    if planned.state is EntryState.INVALID and planned.reason:
        return planned.state, planned.reason
    # What a file says of a run that nobody can look at is no evidence.
    why = f"recorded as {planned.state}, but no run is named that could be judged"
    return EntryState.INVALID, "; ".join(part for part in (planned.reason, why) if part)


def _with_run(bare: CampaignEntry, planned: PlannedEntry, folder: Path) -> CampaignEntry:
    try:
        history = read_run(folder)
        verdict = judge(history)
    except Exception as broken:  # noqa: BLE001 - one broken run must not cost the others their verdicts
        known = isinstance(broken, FolderError | OSError)
        reason = str(broken) if known else f"{folder}: not to be judged: {type(broken).__name__}: {broken}"
        reason = "; ".join(part for part in (planned.reason, plain(reason)) if part)
        return replace(bare, reason=reason)
    if history.run.scenario not in (planned.scenario, planned.variant_of):
        reason = f"run {bare.run_id} is one of {history.run.scenario}, not of {planned.scenario}"
        return replace(bare, reason=reason)
    judged = Judged(
        run=history.run,
        verdict=verdict,
        truth_read=history.resources is not None,
        facts=facts(history, verdict),
        drawn=_drawn(history, verdict),
        has_page=(folder / "report.html").is_file(),
    )
    state = EntryState(verdict.state.value)
    return replace(bare, state=state, reason=planned.reason, judged=judged)


def _drawn(history: History, verdict: Verdict) -> Chart | None:
    try:
        return chart(history, verdict, _MOST_POINTS)
    except Exception:  # noqa: BLE001 - a picture never changes a verdict; the page says that there is none
        return None
