"""What to do after a campaign: each recommendation follows from findings by a rule, with their figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reports.bounds import at_most
from reports.campaign import Campaign, CampaignEntry, EntryState
from reports.campaign_findings import close_calls, convictions, losses, pooled, undecided
from reports.finding import Finding

# What a conviction by a criterion asks of the Gateway's makers.
ADVICE = {
    "zero_loss": "Answer 2xx only once the RemediationRequest is written, or its count raised: {seen}.",
    "no_duplicates": "Make creation idempotent, by a name that follows from the fingerprint: {seen}.",
    "no_unexpected": "Find what creates RemediationRequests that no alert explains: {seen}.",
    "safe_rejections": "Refuse with a 5xx what is to be sent again; Alertmanager retries a 4xx, 429 too, "
    "only at the next group_interval: {seen}.",
    "breaker_opens": "Let the circuit breaker open sooner, after fewer failures or a shorter timeout of the "
    "dependency's client: {seen}.",
    "fallback_seen": "Go on through the Kubernetes API while the cache is away, and count it: {seen}.",
    "recovery": "Recover sooner; look first at the breaker's open time and the client's reconnect "
    "backoff: {seen}.",
    "sentinel_promotes": "Lower Sentinel's down-after-milliseconds and failover-timeout: {seen}.",
    "metrics_continuous": "Serve /metrics without waiting for any dependency: {seen}.",
    "payload_whole": "Copy labels, annotations and payload whole into the RemediationRequest: {seen}.",
    "refusal_status": "Refuse with 503 while a dependency is away, as the contract says: {seen}.",
    "ready_honest": "Let readiness follow whether alerts can be taken: {seen}.",
    "pool_returns": "Give every Redis connection back, on errors, too: {seen}.",
}
# A criterion without advice of its own is still reported, by its promise.
_OTHER = "Keep the promise of {criterion}, “{promise}”: {seen}."


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and why: ``kind`` is MEND the Gateway, DECIDE what is undecided, RUN what was not run,
    WIDEN a margin, or NOT SHOWN, the limits of what was proved."""

    kind: str
    text: str


def recommendations(campaign: Campaign) -> list[Recommendation]:
    """Return all that follows from the findings, the most urgent first; none is made up."""
    return [*_mend(campaign), *_decide(campaign), *_run(campaign), *_widen(campaign), *_not_shown(campaign)]


def _mend(campaign: Campaign) -> Iterator[Recommendation]:
    for criterion, group in _by_criterion(convictions(campaign)).items():
        seen = "; ".join(f"{e.name}: wanted {f.wanted}, got {f.got}" for e, f in group)
        advice = ADVICE.get(criterion, _OTHER)
        promise = group[0][1].promise.rstrip(".")
        yield Recommendation("MEND", advice.format(seen=seen, criterion=criterion, promise=promise))


def _decide(campaign: Campaign) -> Iterator[Recommendation]:
    by_mend: dict[str, list[str]] = {}
    for entry, finding in undecided(campaign):
        mend = finding.mend or "see the run's report"
        by_mend.setdefault(mend, []).append(f"{finding.criterion} of {entry.name}")
    for mend, what in by_mend.items():
        yield Recommendation("DECIDE", f"To decide {', '.join(what)}: {mend}.")
    for entry in campaign.entries:
        if entry.judged is None and entry.state is EntryState.INVALID:
            again = "run it again, and keep its run's folder beside the campaign's"
            yield Recommendation("DECIDE", f"To have {entry.name} judged: {again} ({_bare(entry.reason)}).")


def _run(campaign: Campaign) -> Iterator[Recommendation]:
    left = [e.name for e in campaign.entries if e.state is EntryState.NOT_RUN]
    if left:
        yield Recommendation("RUN", f"Run what was not run ({len(left):,}): {', '.join(left)}.")
    elif campaign.ended != "completed":
        yield Recommendation(
            "RUN", "Run the campaign again, to its end: whether more was to come is not known."
        )
    for entry in campaign.entries:
        if entry.state is EntryState.SKIPPED:
            yield Recommendation("RUN", f"{entry.name} was skipped: {_bare(entry.reason)}.")


def _widen(campaign: Campaign) -> Iterator[Recommendation]:
    for criterion, group in _by_criterion((e, f) for e, f, _ in close_calls(campaign)).items():
        seen = "; ".join(
            f"{e.name} used up to {f.numbers['latest_s']:.2f} s of {f.numbers['limit_s']:g} s"
            for e, f in group
        )
        text = f"{criterion} passed with little room, so a slower day may break it: {seen}."
        yield Recommendation("WIDEN", text)


def _not_shown(campaign: Campaign) -> Iterator[Recommendation]:
    """Yield the limits of the proof: the bound, and what would halve it at the rate that was sent."""
    over_all = pooled(campaign)
    if over_all.counted and over_all.bound is not None:
        bound = over_all.bound
        # 1 - 0.05^(1/n) <= bound / 2, solved for n.
        needed = math.ceil(math.log(0.05) / math.log1p(-bound / 2)) - over_all.acked
        text = f"A loss rarer than {at_most(bound)} of acknowledged alerts (0 of {over_all.acked:,} lost). "
        text += f"{needed:,} more without a loss{_at_the_rate(campaign, needed)} would halve that bound."
        yield Recommendation("NOT SHOWN", text)
        clean = [(loss.bound, loss) for loss in losses(campaign) if loss.counted and loss.bound is not None]
        weakest, loss = max(clean, key=lambda each: each[0])
        if len(clean) > 1:
            text = f"By itself {loss.name} shows the least: at most {at_most(weakest)} (0 of {loss.acked:,})."
            yield Recommendation("NOT SHOWN", text)
    runs = [e.judged.run for e in campaign.entries if e.judged]
    if runs:
        targets, paces = sorted({r.target for r in runs}), sorted({r.pace for r in runs})
        where = f"target {' and '.join(targets)} and pace {' and '.join(paces)}"
        yield Recommendation("NOT SHOWN", f"Anything beyond {where}; nothing else was tested.")


def _at_the_rate(campaign: Campaign, more: int) -> str:
    counted = {loss.name for loss in losses(campaign) if loss.counted}
    runs = [e.judged for e in campaign.entries if e.judged and e.name in counted]
    length_s = sum(max((p.end_s for p in judged.run.phases), default=0.0) for judged in runs)
    acked = sum(judged.verdict.account.acked for judged in runs)
    if not length_s or not acked:
        return ""
    return (
        f", {_long(more * length_s / acked)} at this campaign's {acked / length_s:.3g} acknowledged a second,"
    )


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60):,} min"


def _by_criterion(
    found: Iterable[tuple[CampaignEntry, Finding]],
) -> dict[str, list[tuple[CampaignEntry, Finding]]]:
    groups: dict[str, list[tuple[CampaignEntry, Finding]]] = {}
    for entry, finding in found:
        groups.setdefault(finding.criterion, []).append((entry, finding))
    return groups


def _bare(reason: str) -> str:
    return reason.rstrip(". ")
