"""Why a run is undecided, and what would decide it: for each UNKNOWN the changes, in words and as data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from reports import levers, table
from reports.bounds import at_most
from reports.documents import dumped
from reports.finding import Finding, Status
from reports.history import Asked, History
from reports.levers import Case, Change
from reports.presentation import plain
from reports.verdict import UnknownCriterionError, Verdict, load_criterion

SCHEMA = "alertstorm/explanation/v1"
# Bounds on the loss that people ask for.
_SHARES = (0.01, 0.001, 0.0001)

# What a criterion's mend says is to be changed, and how much follows from the run, in the order in which
# it is told.
_LEVERS: tuple[tuple[tuple[str, ...], Callable[[Case], list[Change]]], ...] = (
    (("probe more often",), levers.probes),
    (("last phase", "run last longer", "up longer after"), levers.last_phase),
    (("lengthen the fault", "fault last longer"), levers.fault_length),
    (("lower the rate",), levers.load),
    (("raise the rate", "raise the load", "fell due"), levers.rate),
    (("begin the fault",), levers.fault_begin),
    (("settle",), levers.settle),
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One criterion: its status, what it got, and the changes; of those the first is the one to try first."""

    criterion: str
    status: str
    got: str
    changes: tuple[Change, ...]


def explain(history: History, verdict: Verdict) -> tuple[Explanation, ...]:
    """Return an explanation for each UNKNOWN, and one for the bound on the loss if there is one."""
    undecided = [f for f in verdict.findings if f.status is Status.UNKNOWN]
    found = [Explanation(f.criterion, f.status.value, f.got, _changes(history, f)) for f in undecided]
    if verdict.loss_bound is not None:
        acked, bound = verdict.account.acked, verdict.loss_bound
        shares = [share for share in _SHARES if share < bound][:2]
        changes = tuple(levers.volume(history, acked, share) for share in shares)
        got = f"0 of {acked:,} lost: at most {at_most(bound, 3)} at 95 %"
        found += [Explanation("loss_bound", Status.PASS.value, got, changes)] * bool(changes)
    return tuple(found)


def text(history: History, verdict: Verdict) -> str:
    """Return the explanations in words."""
    lines = [plain(verdict.sentence), ""]
    explanations = explain(history, verdict)
    for each in explanations:
        lines.append(plain(f"{each.status:8} {each.criterion}: {each.got}"))
        lines += [plain(f"         {change.text}") for change in each.changes]
    if not any(each.status == Status.UNKNOWN for each in explanations):
        lines.append("no criterion is undecided")
    return "\n".join(lines) + "\n"


def document(history: History, verdict: Verdict) -> str:
    """Return the explanations as JSON, `alertstorm/explanation/v1`."""
    return dumped(
        {
            "schema": SCHEMA,
            "run_id": history.run.run_id,
            "state": verdict.state.value,
            "explanations": [asdict(each) for each in explain(history, verdict)],
        }
    )


def _changes(history: History, finding: Finding) -> tuple[Change, ...]:
    case = Case(history, finding, _options(history, finding))
    if finding.criterion == "fault_bit":
        return _unbitten(history, finding)
    if finding.mend == "see fault_bit":
        return (Change("other", "the fault must bite first: see fault_bit"),)
    mend = finding.mend
    changes = [c for words, lever in _LEVERS if any(w in mend for w in words) for c in lever(case)]
    # The criterion's own words stay: they tell also what no figure can, such as a metric to map.
    return (*changes, Change("other", f"mend: {mend}"))


def _unbitten(history: History, finding: Finding) -> tuple[Change, ...]:
    changes = []
    for injection in history.injections:
        if injection.bit:
            continue
        end_s = injection.asked_at_s + injection.asked_for_s
        due_s = table.of(history).due_s
        due = int(((due_s >= injection.asked_at_s) & (due_s < end_s)).sum())
        what = f"{injection.name}, on from {injection.asked_at_s:g} s for {injection.asked_for_s:g} s"
        if injection.error:
            changes.append(Change("other", f"{what}: {injection.error}"))
        elif due < 2:
            wanted = round(2 / injection.asked_for_s, 4)
            now = levers.sent_per_s(history)
            told = f"{what}, met {due} alerts; send {wanted:g} a second, not {now:.3g}, or let it last longer"
            changes.append(Change("rate", told, round(now, 4), wanted, "1/s"))
        else:
            told = f"{what}, was not seen to bite though {due} alerts fell due: check its options and target"
            changes.append(Change("other", told))
    return (*changes, Change("other", f"mend: {finding.mend}"))


def _options(history: History, finding: Finding) -> MappingProxyType[str, Any]:
    """Return the options that a criterion was asked with, its own defaults among them."""
    asked = [a for a in history.run.promises if a.criterion == finding.criterion] or [
        Asked(finding.criterion, {})
    ]
    try:
        check = load_criterion(asked[0]).check
    except UnknownCriterionError:
        return MappingProxyType({})
    takes = inspect.signature(check).parameters.values()
    defaults = {p.name: p.default for p in takes if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
    # A criterion may be asked twice; the one that says the same is meant.
    same = (a for a in asked if len(asked) > 1 and _says(check, history, a) == (finding.wanted, finding.got))
    return MappingProxyType({**defaults, **next(same, asked[0]).options})


def _says(check: Callable[..., Finding], history: History, asked: Asked) -> tuple[str, str]:
    try:
        found = check(history, **asked.options)
    except Exception:  # noqa: BLE001 - one that crashes was judged UNKNOWN already, and says nothing here
        return "", ""
    return found.wanted, found.got
