"""What a campaign found: convictions, what stayed undecided, closest calls, the best; and how sure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reports.accounting import loss_bound
from reports.bounds import at_most
from reports.campaign import Campaign, CampaignEntry, EntryState
from reports.finding import Finding, Status
from reports.interval import Interval

# A criterion that passed, but whose latest time used more of its limit than this, was a close call.
CLOSE = 0.8
KINDS = ("FAIL", "INVALID", "UNKNOWN", "NOT_RUN", "SKIPPED", "CLOSE", "BEST")


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """One thing to know of, of one of the ``KINDS``; ``mend`` says how what is undecided can be decided."""

    kind: str
    scenario: str
    criterion: str
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is known of the loss in one scenario, or over several. ``bound`` (0 to 1): with 95 % confidence
    the loss lies below it; None if some were lost, or nothing counts. ``why``: why it does not count."""

    name: str
    lost: int
    acked: int
    bound: float | None
    why: str = ""

    @property
    def counted(self) -> bool:
        """Return whether it rests on evidence."""
        return not self.why


def used(finding: Finding) -> float | None:
    """Return which share of its limit a criterion's latest time used; None if it has no limit in seconds."""
    numbers = finding.numbers
    if not {"earliest_s", "latest_s", "limit_s"} <= set(numbers) or numbers["limit_s"] <= 0:
        return None
    ratio = numbers["latest_s"] / numbers["limit_s"]
    return ratio if math.isfinite(ratio) else None


def losses(campaign: Campaign) -> list[Loss]:
    """Return each scenario's loss."""
    return [_loss(entry) for entry in campaign.entries]


def pooled(campaign: Campaign) -> Loss:
    """Return the loss over all scenarios that decided it: with none of n = sum of acknowledged lost, the
    bound is 1 - 0.05^(1/n), as for one scenario."""
    counted = [loss for loss in losses(campaign) if loss.counted]
    lost, acked = sum(loss.lost for loss in counted), sum(loss.acked for loss in counted)
    why = "" if counted else "no scenario decided it"
    return Loss("all scenarios", lost, acked, None if lost else loss_bound(acked), why)


def key_findings(campaign: Campaign) -> list[KeyFinding]:
    """Return what to know of, the worst first."""
    found = [*_verdicts(campaign), *_close(campaign), *_best(campaign)]
    return sorted(found, key=lambda each: KINDS.index(each.kind))


def convictions(campaign: Campaign) -> list[tuple[CampaignEntry, Finding]]:
    """Return every failed criterion that counts."""
    return [(e, f) for e, f in _all(campaign) if f.status is Status.FAIL and e.counts(f)]


def undecided(campaign: Campaign) -> list[tuple[CampaignEntry, Finding]]:
    """Return every criterion that counts and could not be decided."""
    return [(e, f) for e, f in _all(campaign) if f.status is Status.UNKNOWN and e.counts(f)]


def close_calls(campaign: Campaign) -> list[tuple[CampaignEntry, Finding, float]]:
    """Return the criteria that passed with more than ``CLOSE`` of their limit used, the closest first."""
    found = [each for each in _timed(campaign) if each[2] > CLOSE]
    return sorted(found, key=lambda each: -each[2])


def _all(campaign: Campaign) -> list[tuple[CampaignEntry, Finding]]:
    return [(entry, finding) for entry in campaign.entries for finding in entry.findings]


def _timed(campaign: Campaign) -> Iterator[tuple[CampaignEntry, Finding, float]]:
    for entry, finding in _all(campaign):
        part = used(finding)
        if part is not None and finding.status is Status.PASS and entry.counts(finding):
            yield entry, finding, part


def _loss(entry: CampaignEntry) -> Loss:
    asked = [f for f in entry.findings if f.criterion == "zero_loss"]
    if entry.judged is None:
        return Loss(entry.name, 0, 0, None, f"{entry.state}: {entry.reason}")
    account = entry.judged.verdict.account
    lost, acked = len(account.lost), account.acked
    if not asked:
        return Loss(entry.name, 0, acked, None, "its scenario does not ask for zero_loss")
    if asked[0].status is Status.UNKNOWN:
        return Loss(entry.name, 0, acked, None, f"zero_loss is undecided: {asked[0].got}")
    if not entry.counts(asked[0]):
        broken = next(f for f in entry.findings if f.assumption and f.status is not Status.PASS)
        return Loss(entry.name, 0, acked, None, f"{broken.criterion} does not hold: {broken.got}")
    return Loss(entry.name, lost, acked, None if lost else loss_bound(acked))


def _verdicts(campaign: Campaign) -> Iterator[KeyFinding]:
    for entry, finding in convictions(campaign):
        text = f"wanted {finding.wanted}; got {finding.got}"
        yield KeyFinding("FAIL", entry.name, finding.criterion, text)
    for entry, finding in undecided(campaign):
        text = f"wanted {finding.wanted}; got {finding.got}"
        kind = "INVALID" if finding.assumption else "UNKNOWN"
        yield KeyFinding(kind, entry.name, finding.criterion, text, finding.mend)
    for entry in campaign.entries:
        if entry.judged is None:
            yield KeyFinding(entry.state.value, entry.name, "", entry.reason, _mend(entry))
        void = [f for f in entry.findings if f.status is Status.FAIL and not entry.counts(f)]
        for finding in void:
            text = f"got {finding.got}, which convicts nobody: the run is {entry.state}"
            yield KeyFinding("INVALID", entry.name, finding.criterion, text)


def _mend(entry: CampaignEntry) -> str:
    if entry.state is EntryState.INVALID:
        return "run this scenario again, and keep its run's folder beside the campaign's"
    return "run the campaign again, to its end" if entry.state is EntryState.NOT_RUN else ""


def _close(campaign: Campaign) -> Iterator[KeyFinding]:
    for entry, finding, part in close_calls(campaign):
        yield KeyFinding("CLOSE", entry.name, finding.criterion, _of_limit(finding, part))


def _best(campaign: Campaign) -> Iterator[KeyFinding]:
    best: dict[str, tuple[CampaignEntry, Finding, float]] = {}
    for entry, finding, part in _timed(campaign):
        if part <= CLOSE and (finding.criterion not in best or part < best[finding.criterion][2]):
            best[finding.criterion] = (entry, finding, part)
    for criterion, (entry, finding, part) in best.items():
        yield KeyFinding("BEST", entry.name, criterion, f"most room: {_of_limit(finding, part)}")
    clean = [(loss.bound, loss) for loss in losses(campaign) if loss.counted and loss.bound is not None]
    if clean:
        bound, loss = min(clean, key=lambda each: each[0])
        text = f"strongest evidence: 0 of {loss.acked:,} lost, at most {at_most(bound)} at 95 %"
        yield KeyFinding("BEST", loss.name, "zero_loss", text)


def _of_limit(finding: Finding, part: float) -> str:
    took = Interval(finding.numbers["earliest_s"], finding.numbers["latest_s"])
    return f"in {took}, up to {part:.0%} of the {finding.numbers['limit_s']:g} s allowed"
