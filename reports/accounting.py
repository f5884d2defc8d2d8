"""The join of what was acknowledged with what is there: accounted for, lost, duplicated, unexpected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from reports import stored
from reports import table as tables
from reports.history import History, Outcome
from reports.joining import join
from reports.stored import Stored
from reports.table import Mask, Numbers, Table

KEPT_FOR_LATER = ("buffered", "queued")


@dataclass(frozen=True, slots=True)
class Account:
    """Where every planned alert ended; numbers are alert numbers, names are resource names.

    planned = sent + unsent, sent = acked + rejected + indeterminate,
    acked = created + deduplicated + aggregated + resolved + lost.
    ``recovered`` are the indeterminate ones that turned up; the others among them are not lost.
    """

    planned: int
    acked: int
    rejected_safe: int
    rejected_unsafe: int
    indeterminate: int
    unsent: int
    created: int
    deduplicated: int
    aggregated: int
    resolved: int
    lost: tuple[int, ...]
    recovered: tuple[int, ...]
    duplicates: tuple[tuple[str, ...], ...]
    unexpected: tuple[str, ...]

    @property
    def rejected(self) -> int:
        """Return the refused ones, safely or not."""
        return self.rejected_safe + self.rejected_unsafe

    @property
    def sent(self) -> int:
        """Return those of which at least a byte may have been delivered."""
        return self.acked + self.rejected + self.indeterminate

    @property
    def adds_up(self) -> bool:
        """Return whether the sums agree; if not, the harness is wrong."""
        truth = self.created + self.deduplicated + self.aggregated + self.resolved + len(self.lost)
        return self.planned == self.sent + self.unsent and self.acked == truth


def account(history: History) -> Account:
    """Join the ledger with the resources by alert id.

    An acknowledged alert is accounted for when its own id is read back from a resource, or, as a duplicate
    leaves no id behind, when the occurrence counts of its labels' resources cover it: after the creators, a
    count must be left for each (as Jepsen's counter checker reads: acknowledged <= count <= attempted).
    """
    return history.once("account", lambda: _account(history))


def still_due(history: History, numbers: Collection[int]) -> list[int]:
    """Return those of some missing alerts that may still come: the Gateway answered that it keeps them for
    later (buffered, queued), and the run was broken off before it let them. They are not proven lost."""
    if history.ended == "completed":
        return []
    told = tables.of(history)
    rows = told.rows(np.fromiter(numbers, np.int64, len(numbers)))
    kept = told.kinds(*KEPT_FOR_LATER)
    return [n for n, row in zip(numbers, rows, strict=True) if row >= 0 and kept[row]]


def loss_bound(acked: int) -> float | None:
    """Return the share of alerts, 0 to 1, below which the loss lies with 95 % confidence when none of
    ``acked`` was lost: 1 - 0.05^(1/n), the exact binomial bound (Clopper-Pearson for zero events)."""
    return None if acked <= 0 else 1 - 0.05 ** (1 / acked)


def _account(history: History) -> Account:
    told, store = tables.of(history), stored.of(history)
    rejected, safe = told.are(Outcome.REJECTED), told.kinds("safe")
    acked, resolved = told.are(Outcome.ACKED), told.kinds("resolved")
    unsure = told.are(Outcome.INDETERMINATE)
    places = join(told, store, acked & ~resolved)
    names = [resource.name for resource in history.resources or ()]
    return Account(
        planned=history.run.planned,
        acked=_count(acked),
        rejected_safe=_count(rejected & safe),
        rejected_unsafe=_count(rejected & ~safe),
        indeterminate=_count(unsure),
        unsent=_count(told.are(Outcome.UNSENT)),
        created=_count(places.created),
        aggregated=_count(places.aggregated),
        deduplicated=_count(places.deduplicated),
        resolved=_count(acked & resolved),
        lost=_numbers(told.number[places.lost]),
        recovered=_numbers(told.number[unsure & places.there]),
        duplicates=_duplicates(told, store, names),
        unexpected=tuple(sorted(names[k] for k in np.flatnonzero(_unexpected(told, store)))),
    )


def _count(which: Mask) -> int:
    return int(np.count_nonzero(which))


def _numbers(numbers: Numbers) -> tuple[int, ...]:
    return tuple(np.sort(numbers).tolist())


def _duplicates(told: Table, store: Stored, names: list[str]) -> tuple[tuple[str, ...], ...]:
    """Name the resources that hold the same alerts, by groups; aggregated ones hold many."""
    pairs, of_members = stored.holders(store, told), stored.members(store, told)
    single, known = ~store.aggregates[pairs.resource], of_members >= 0
    subject = np.concatenate((pairs.number[single], of_members[known]))
    resource = np.concatenate((pairs.resource[single], store.member_resource[known]))
    order = np.argsort(subject, kind="stable")
    subject, resource = subject[order], resource[order]
    again = np.flatnonzero(subject[1:] == subject[:-1])
    several: dict[int, set[str]] = {}
    for k in again.tolist():
        several.setdefault(int(subject[k]), set()).update((names[resource[k]], names[resource[k + 1]]))
    return tuple(tuple(sorted(each)) for each in several.values() if len(each) > 1)


def _unexpected(told: Table, store: Stored) -> Mask:
    """Tell which resources of this run no alert explains: their alert was never sent."""
    sent = ~told.are(Outcome.UNSENT)
    subjects = told.subject[sent]

    def unsent(numbers: Numbers) -> Mask:
        rows = told.rows(numbers)
        known: Mask = (rows >= 0) & np.append(sent, False)[rows]
        return (numbers >= 0) & ~known

    def unlabelled(numbers: Numbers) -> Mask:
        return (numbers >= 0) & ~np.isin(numbers, subjects)

    # Pod names, of the label as of the aggregated ones, tell the subject: a repeat brings its labels there
    # although the first alert with these labels was never sent.
    strange = unsent(store.creator) | (unlabelled(store.subject) & ~store.aggregates)
    strange[store.aggregated.resource[unlabelled(store.aggregated.number)]] = True
    strange[store.member_resource[unsent(store.member_creator)]] = True
    return strange
