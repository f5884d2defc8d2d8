"""The plain join of a large ledger: which acknowledged alerts' ids were not read back, a bit an alert."""

from __future__ import annotations

from collections.abc import Iterable

from reports.attempts import Attempts
from reports.history import Outcome
from shapes.alerts import Naming


def missing(attempts: Attempts, naming: Naming, ids: Iterable[str]) -> list[int]:
    """Return the numbers of the acknowledged alerts whose own id is not among these.

    That is the first half of `reports.accounting.account`, which then asks of those left whether occurrence
    counts or aggregated resources cover them.
    """
    columns = attempts.columns
    found = bytearray(max(columns.number, default=-1) + 1)
    begins, most = len(naming.token) + 1, len(found)
    for each in ids:
        number = int(each[begins:])
        if number < most:
            found[number] = 1
    acked = [told.outcome is Outcome.ACKED and told.kind != "resolved" for told in columns.tolds]
    return [n for n, told in zip(columns.number, columns.told, strict=True) if not found[n] and acked[told]]
