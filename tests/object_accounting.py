"""The accounting object by object: slow, and so plain that `reports.accounting` is held to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from reports.accounting import Account
from reports.history import Attempt, History, Member, Outcome, Resource


@dataclass(slots=True)
class _Group:
    """The alerts with equal labels, the resources that hold them, and the places that they have in aggregated
    ones, each with that resource's name."""

    attempts: list[Attempt]
    resources: list[Resource]
    held: list[tuple[str, Member]]


@dataclass(frozen=True, slots=True)
class _Settled:
    created: int
    aggregated: int
    deduplicated: int
    lost: tuple[int, ...]
    recovered: tuple[int, ...]


def account(history: History) -> Account:
    """Join the ledger with the resources by alert id.

    An acknowledged alert is accounted for when its own id is read back from a resource, or, as a duplicate
    leaves no id behind, when the occurrence counts of its labels' resources cover it: after the creators, a
    count must be left for each (as Jepsen's counter checker reads: acknowledged <= count <= attempted).
    """
    groups = _groups(history)
    settled = [_settle(group) for group in groups.values()]
    rejected = history.of(Outcome.REJECTED)
    resolved = sum(a.kind == "resolved" for a in history.of(Outcome.ACKED))
    return Account(
        planned=history.run.planned,
        acked=len(history.of(Outcome.ACKED)),
        rejected_safe=sum(a.kind == "safe" for a in rejected),
        rejected_unsafe=sum(a.kind != "safe" for a in rejected),
        indeterminate=len(history.of(Outcome.INDETERMINATE)),
        unsent=len(history.of(Outcome.UNSENT)),
        created=sum(s.created for s in settled),
        aggregated=sum(s.aggregated for s in settled),
        deduplicated=sum(s.deduplicated for s in settled),
        resolved=resolved,
        lost=tuple(sorted(n for s in settled for n in s.lost)),
        recovered=tuple(sorted(n for s in settled for n in s.recovered)),
        duplicates=_duplicates(groups),
        unexpected=_unexpected(history),
    )


def _groups(history: History) -> dict[int, _Group]:
    groups: dict[int, _Group] = defaultdict(lambda: _Group([], [], []))
    subject_of = {a.number: a.subject for a in history.attempts}
    for attempt in history.attempts:
        groups[attempt.subject].attempts.append(attempt)
    for resource in history.resources or ():
        if resource.members:
            for member in resource.members:
                subject = member.subject
                if subject is None and member.creator is not None:
                    subject = subject_of.get(member.creator)
                if subject is not None:
                    groups[subject].held.append((resource.name, member))
            continue
        creator = resource.creator
        subject = resource.subject
        if subject is None and creator is not None:
            subject = subject_of.get(creator)
        members = {subject_of.get(number, number) for number in resource.aggregated}
        if subject is not None and (creator is not None or not resource.aggregated):
            members.add(subject)
        for number in members:
            groups[number].resources.append(resource)
    return groups


def _settle(group: _Group) -> _Settled:
    acked = sorted((a for a in group.attempts if _wants_truth(a)), key=lambda a: a.number)
    unsure = [a.number for a in group.attempts if a.outcome is Outcome.INDETERMINATE]
    creators = {r.creator for r in group.resources if r.creator is not None}
    members = {n for r in group.resources for n in r.aggregated}
    held = {member.creator for _, member in group.held if member.creator is not None}
    created = [a for a in acked if a.number in creators]
    by_id = {a.number for a in acked if a.number in held and a.number not in creators}
    others = [a for a in acked if a.number not in creators and a.number not in by_id]
    # Members are read from pod names, which all alerts with equal labels share: such a name shows that one
    # of them arrived, and holds all those of which the Gateway said that they were aggregated.
    listed = [a for a in others if a.subject in members]
    aggregated = {a.number for k, a in enumerate(listed) if k == 0 or a.kind == "aggregated"}
    rest = [a for a in others if a.number not in aggregated]
    single = [r for r in group.resources if not r.aggregated]
    # A creator that is named twice (two resources from one alert) frees no count for another.
    spare = sum(max(0, r.count - (r.creator is not None)) for r in single)
    spare += sum(max(0, m.count - (m.creator is not None)) for _, m in group.held)
    counted = min(len(rest), spare)
    return _Settled(
        created=len(created),
        aggregated=len(aggregated) + len(by_id),
        deduplicated=counted,
        lost=tuple(a.number for a in rest[counted:]),
        recovered=tuple(n for n in unsure if n in creators or n in members or n in held),
    )


def _wants_truth(attempt: Attempt) -> bool:
    return attempt.outcome is Outcome.ACKED and attempt.kind != "resolved"


def _duplicates(groups: dict[int, _Group]) -> tuple[tuple[str, ...], ...]:
    found = []
    for _, group in sorted(groups.items()):
        names = sorted({r.name for r in group.resources if not r.aggregated} | {n for n, _ in group.held})
        if len(names) > 1:
            found.append(tuple(names))
    return tuple(found)


def _unexpected(history: History) -> tuple[str, ...]:
    """Name the resources of this run that no alert explains: their alert was never sent."""
    sent = [a for a in history.attempts if a.outcome is not Outcome.UNSENT]
    numbers, subjects = {a.number for a in sent}, {a.subject for a in sent}
    found = []
    for resource in history.resources or ():
        # Pod names, of the label as of the aggregated ones, tell the subject: a repeat brings its labels
        # there although the first alert with these labels was never sent.
        pods = resource.aggregated or (resource.subject,)
        strange = any(pod is not None and pod not in subjects for pod in pods)
        creators = (resource.creator, *(member.creator for member in resource.members))
        if strange or any(n is not None and n not in numbers for n in creators):
            found.append(resource.name)
    return tuple(sorted(found))
