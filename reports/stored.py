"""What was read back, as columns: which RemediationRequests hold which alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.history import History, Resource
from reports.table import Mask, Numbers, Table

NONE = -1
# No alert has such a number, whatever somebody wrote into a resource; and sums of counts stay exact.
_FAR = 2**31


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which resource (by its place) holds what (an alert's number, or a subject's)."""

    number: NDArray[np.int64]
    resource: NDArray[np.int64]

    def some(self, which: Mask) -> Pairs:
        """Return some of them."""
        return Pairs(self.number[which], self.resource[which])

    def keys(self) -> NDArray[np.int64]:
        """Return each as one number."""
        return (self.resource << 32) | self.number


@dataclass(frozen=True, slots=True)
class Stored:
    """Resources as columns, NONE for none; ``aggregated`` are the numbers in them. Of ``members`` the
    resource, creator, subject and count. ``plain`` are those without members."""

    creator: NDArray[np.int64]
    subject: NDArray[np.int64]
    count: NDArray[np.int64]
    aggregates: Mask
    plain: Mask
    aggregated: Pairs
    member_resource: NDArray[np.int64]
    member_creator: NDArray[np.int64]
    member_subject: NDArray[np.int64]
    member_count: NDArray[np.int64]


def of(history: History) -> Stored:
    """Return a history's resources as columns; none if they were never read."""
    return history.once("stored", lambda: columns(history.resources or ()))


def columns(resources: Sequence[Resource]) -> Stored:
    """Return resources as columns."""
    count = len(resources)
    storms = [k for k, r in enumerate(resources) if r.aggregated]
    kept = [k for k, r in enumerate(resources) if r.members]
    members = [(k, member) for k in kept for member in resources[k].members]
    aggregates, plain = np.zeros(count, bool), np.ones(count, bool)
    aggregates[storms], plain[kept] = True, False
    numbers = [n for k in storms for n in resources[k].aggregated]
    sizes = [len(resources[k].aggregated) for k in storms]
    return Stored(
        creator=_numbers((r.creator for r in resources), count),
        subject=_numbers((r.subject for r in resources), count),
        count=_numbers((r.count for r in resources), count),
        aggregates=aggregates,
        plain=plain,
        aggregated=Pairs(_numbers(numbers, len(numbers)), np.repeat(np.array(storms, np.int64), sizes)),
        member_resource=_numbers((k for k, _ in members), len(members)),
        member_creator=_numbers((m.creator for _, m in members), len(members)),
        member_subject=_numbers((m.subject for _, m in members), len(members)),
        member_count=_numbers((m.count for _, m in members), len(members)),
    )


def subjects_of(table: Table, numbers: Numbers) -> NDArray[np.int64]:
    """Return the subject of each of these alerts; NONE of those that are none."""
    rows = table.rows(numbers)
    found: NDArray[np.int64] = np.full(len(rows), NONE)
    found[rows >= 0] = table.subject[rows[rows >= 0]]
    return found


def holders(stored: Stored, table: Table) -> Pairs:
    """Return which resources without members are of which alerts with equal labels, by their subject: its
    own, and, of an aggregated one, those of its alerts; of that its own only if it names its creator."""
    own = np.where(stored.subject >= 0, stored.subject, subjects_of(table, stored.creator))
    has = stored.plain & (own >= 0) & ((stored.creator >= 0) | ~stored.aggregates)
    named = stored.aggregated.some(stored.plain[stored.aggregated.resource])
    theirs = subjects_of(table, named.number)
    numbers = np.concatenate((own[has], np.where(theirs >= 0, theirs, named.number)))
    resources = np.concatenate((np.flatnonzero(has), named.resource))
    keys = np.concatenate((np.zeros(int(has.sum()), bool), np.ones(len(theirs), bool)))
    if not keys.any():
        return Pairs(numbers, resources)
    _, first = np.unique(Pairs(numbers, resources).keys(), return_index=True)
    return Pairs(numbers[first], resources[first])


def members(stored: Stored, table: Table) -> NDArray[np.int64]:
    """Return the subject of each member; NONE if it is not known."""
    return np.where(
        stored.member_subject >= 0, stored.member_subject, subjects_of(table, stored.member_creator)
    )


def _numbers(values: Iterable[int | None], count: int) -> NDArray[np.int64]:
    # None becomes NaN; numbers are exact in floats far beyond `_FAR`.
    found = np.array(list(values), np.float64).reshape(count)
    return np.where(np.isnan(found), NONE, np.minimum(found, _FAR)).astype(np.int64)
