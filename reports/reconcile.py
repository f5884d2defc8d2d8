"""The plain join of a large ledger: which acknowledged alerts' ids were not read back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reports import table
from reports.attempts import Attempts
from reports.history import Outcome
from shapes.alerts import Naming


def missing(attempts: Attempts, naming: Naming, ids: Iterable[str]) -> list[int]:
    """Return the numbers of the acknowledged alerts whose own id is not among these.

    That is the first half of `reports.accounting.account`, which then asks of those left whether occurrence
    counts or aggregated resources cover them.
    """
    told = table.of_attempts(attempts)
    begins = len(naming.token) + 1
    found = np.fromiter((int(each[begins:]) for each in ids), np.int64)
    acked = told.are(Outcome.ACKED) & ~told.kinds("resolved")
    rows = told.rows(found)
    acked[rows[rows >= 0]] = False
    numbers: list[int] = told.number[acked].tolist()
    return numbers
