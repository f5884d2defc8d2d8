"""Each RemediationRequest counts its alert exactly as often as it was acknowledged.

Jepsen's counter checker: acknowledged <= count <= acknowledged + those whose fate is not known. That is
so of each try that was not answered, and of one refused with a 5xx: it may have been done all the same.
"""

from __future__ import annotations

from collections import Counter

from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Member, Outcome, Resource, Try

_WANTED = "occurrence counts equal to the acknowledged sends"


def check(history: History) -> Finding:
    """Compare the sends of each label set with the counts of its resources; alerts in aggregated ones that
    keep no count of each member are left out."""
    if history.resources is None:
        mend = "let the run end by itself, with the Kubernetes API reachable"
        return unknown(_WANTED, "the resources were never read", 0, mend)
    acked = Counter(a.subject for a in history.of(Outcome.ACKED) if a.kind != "resolved")
    unsure = Counter(a.subject for a in history.attempts for t in a.sendings if _unsure(t))
    uncounted = {n for r in history.resources if not r.members for n in r.aggregated}
    counts = _counts(history, history.resources)
    judged = sorted(subject for subject in acked if subject not in uncounted)
    wrong = [s for s in judged if not acked[s] <= counts[s] <= acked[s] + unsure[s]]
    got = f"{len(wrong)} of {len(judged)} differ"
    numbers = {"wrong": float(len(wrong)), "judged": float(len(judged))}
    if not history.stable:
        mend = "two readings in a row differed; lengthen the scenario's settle"
        return unknown(_WANTED, f"{got}, in a reading that still moved", len(judged), mend, numbers=numbers)
    if wrong:
        examples = [_story(history, s, counts[s], acked[s], unsure[s]) for s in wrong]
        return failed(_WANTED, got, len(judged), examples, numbers)
    if not judged:
        mend = "send alerts that the Gateway does not aggregate"
        return unknown(_WANTED, "no acknowledged alert keeps a count", 0, mend)
    return passed(_WANTED, got, len(judged), numbers)


def _unsure(of: Try) -> bool:
    return of.outcome is Outcome.INDETERMINATE or (of.outcome is Outcome.REJECTED and of.kind == "safe")


def _counts(history: History, resources: tuple[Resource, ...]) -> Counter[int]:
    subject_of = {a.number: a.subject for a in history.attempts}
    counts: Counter[int] = Counter()
    for resource in resources:
        counted: tuple[Resource | Member, ...] = () if resource.aggregated else (resource,)
        for each in resource.members or counted:
            subject = each.subject
            if subject is None and each.creator is not None:
                subject = subject_of.get(each.creator)
            if subject is not None:
                counts[subject] += each.count
    return counts


def _story(history: History, subject: int, count: int, acked: int, unsure: int) -> str:
    allowed = f"{acked} to {acked + unsure}" if unsure else f"{acked}"
    return f"{history.run.token}-{subject:07d}: counted {count} times, wanted {allowed}"
