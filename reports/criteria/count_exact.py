"""Each RemediationRequest counts its alert exactly as often as it was acknowledged.

Jepsen's counter checker: acknowledged <= count <= acknowledged + those whose fate is not known. That is
so of each try that was not answered, and of one refused with a 5xx: it may have been done all the same.
"""

from __future__ import annotations

import numpy as np

from reports import stored, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome
from reports.stored import Stored
from reports.table import Numbers, Table

_WANTED = "occurrence counts equal to the acknowledged sends"


def check(history: History) -> Finding:
    """Compare the sends of each label set with the counts of its resources; alerts in aggregated ones that
    keep no count of each member are left out."""
    if history.resources is None:
        mend = "let the run end by itself, with the Kubernetes API reachable"
        return unknown(_WANTED, "the resources were never read", 0, mend)
    told = table.of(history)
    acked = told.subject[told.are(Outcome.ACKED) & ~told.kinds("resolved")]
    subjects, sends = np.unique(acked, return_counts=True)
    store = stored.of(history)
    uncounted = store.aggregated.number[store.plain[store.aggregated.resource]]
    counted = ~np.isin(subjects, uncounted)
    subjects, sends = subjects[counted], sends[counted]
    unsure = _summed(subjects, _unsure(told))
    counts = _summed(subjects, *_counts(told, store))
    judged = len(subjects)
    wrong = np.flatnonzero((counts < sends) | (counts > sends + unsure)).tolist()
    got = f"{len(wrong)} of {judged} differ"
    numbers = {"wrong": float(len(wrong)), "judged": float(judged)}
    if not history.stable:
        mend = "two readings in a row differed; lengthen the scenario's settle"
        return unknown(_WANTED, f"{got}, in a reading that still moved", judged, mend, numbers=numbers)
    if wrong:
        columns = (each[wrong].tolist() for each in (subjects, counts, sends, unsure))
        examples = [_story(history, *of_one) for of_one in zip(*columns, strict=True)]
        return failed(_WANTED, got, judged, examples, numbers)
    if not judged:
        mend = "send alerts that the Gateway does not aggregate"
        return unknown(_WANTED, "no acknowledged alert keeps a count", 0, mend)
    return passed(_WANTED, got, judged, numbers)


def _summed(subjects: Numbers, of: Numbers, counts: Numbers | int = 1) -> Numbers:
    """Return the sum of the counts that are of each of these subjects, which are sorted."""
    sums = np.zeros(len(subjects), np.int64)
    places = np.searchsorted(subjects, of)
    known = np.append(subjects, -1)[places] == of
    np.add.at(sums, places[known], np.broadcast_to(counts, len(of))[known])
    return sums


def _unsure(told: Table) -> Numbers:
    """Return the subject of each try of which nobody knows whether it was done."""
    rows, tries = told.sendings()
    unsure = tries.are(Outcome.INDETERMINATE) | (tries.are(Outcome.REJECTED) & tries.kinds("safe"))
    return told.subject[rows[unsure]]


def _counts(told: Table, store: Stored) -> tuple[Numbers, Numbers]:
    """Return of which subjects the resources and members are that keep a count, and the counts."""
    single = store.plain & ~store.aggregates
    own = np.where(store.subject >= 0, store.subject, stored.subjects_of(told, store.creator))
    members = stored.members(store, told)
    known = members >= 0
    single &= own >= 0
    numbers = np.concatenate((own[single], members[known]))
    return numbers, np.concatenate((store.count[single], store.member_count[known]))


def _story(history: History, subject: int, count: int, acked: int, unsure: int) -> str:
    allowed = f"{acked} to {acked + unsure}" if unsure else f"{acked}"
    return f"{history.run.token}-{subject:07d}: counted {count} times, wanted {allowed}"
