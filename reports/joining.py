"""The join of the ledger with what was read back, for all alerts at once: where each acknowledged one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports import stored
from reports.stored import Pairs, Stored
from reports.table import Mask, Numbers, Table


@dataclass(frozen=True, slots=True)
class Places:
    """Of which alerts, by row, the truth says what; each acknowledged one is of one of the first four.
    ``there`` are those, of whatever outcome, whose own id was read back."""

    created: Mask
    aggregated: Mask
    deduplicated: Mask
    lost: Mask
    there: Mask


def join(told: Table, store: Stored, wanted: Mask) -> Places:
    """Return where the ``wanted`` alerts are, those that the truth must hold.

    Alerts with equal labels, of one subject, are settled together, by number: those that created a resource
    of theirs; those found in an aggregated one by their own id; of those whose pod name stands in one, which
    all with equal labels share, the first, and all of which the Gateway said that they were aggregated. As
    many of the rest as the counts of their resources leave room for are deduplicated; the others are lost.
    """
    pairs = stored.holders(store, told)
    of_members = stored.members(store, told)
    creators = store.creator[pairs.resource]
    made = _own(told, creators, pairs.number)
    by_id = _own(told, store.member_creator, of_members)
    created = wanted & made
    named = wanted & by_id & ~made
    others = wanted & ~made & ~by_id
    subjects, group = np.unique(told.subject, return_inverse=True)
    listed = others & _listed(store, pairs, subjects)[group]
    ordered = told.in_order()
    aggregated = np.zeros(len(told), bool)
    in_turn = ordered[listed[ordered]]
    aggregated[in_turn[np.unique(group[in_turn], return_index=True)[1]]] = True
    aggregated |= listed & told.kinds("aggregated")
    rest = others & ~aggregated
    counted = _counted(ordered[rest[ordered]], group, _room(store, pairs, of_members, subjects))
    deduplicated = np.zeros(len(told), bool)
    deduplicated[counted] = True
    there = made | by_id
    rows = told.rows(store.aggregated.number[store.plain[store.aggregated.resource]])
    there[rows[rows >= 0]] = True
    return Places(created, aggregated | named, deduplicated, rest & ~deduplicated, there)


def _own(told: Table, numbers: Numbers, subjects: Numbers) -> Mask:
    """Tell which alerts are named by a resource that is of their own subject."""
    rows = told.rows(numbers)
    known = rows >= 0
    rows, subjects = rows[known], subjects[known]
    found = np.zeros(len(told), bool)
    found[rows[told.subject[rows] == subjects]] = True
    return found


def _listed(store: Stored, pairs: Pairs, subjects: Numbers) -> Mask:
    """Tell of which subjects an aggregated resource of theirs names the pod."""
    named = Pairs(store.aggregated.number, store.aggregated.resource)
    both = pairs.some(np.isin(pairs.keys(), named.keys())) if len(named.number) else None
    return np.isin(subjects, both.number) if both else np.zeros(len(subjects), bool)


def _room(store: Stored, pairs: Pairs, of_members: Numbers, subjects: Numbers) -> NDArray[np.int64]:
    """Return how many occurrences of each subject are counted beyond the creators. One that is named twice
    (two resources from one alert) frees no count for another."""
    single = pairs.some(~store.aggregates[pairs.resource])
    own = store.count[single.resource] - (store.creator[single.resource] >= 0)
    theirs = store.member_count - (store.member_creator >= 0)
    numbers = np.concatenate((single.number, of_members))
    spare = np.maximum(0, np.concatenate((own, theirs)))
    places = np.searchsorted(subjects, numbers)
    places[places == len(subjects)] = 0
    known = subjects[places] == numbers if len(subjects) else np.zeros(len(numbers), bool)
    room: NDArray[np.int64] = np.zeros(len(subjects), np.int64)
    np.add.at(room, places[known], spare[known])
    return room


def _counted(rows: Numbers, group: Numbers, room: NDArray[np.int64]) -> Numbers:
    """Return those of some rows, which stand by number, that are within their group's room."""
    order = np.argsort(group[rows], kind="stable")
    rows = rows[order]
    groups = group[rows]
    first = np.searchsorted(groups, groups, side="left")
    return rows[np.arange(len(rows)) - first < room[groups]]
