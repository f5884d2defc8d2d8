"""What the Gateway refuses for want of a dependency, it refuses with the status of its contract: 503.

Alertmanager sends every 5xx again, so that another one loses nothing: it breaks the contract alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from reports import table
from reports.deliveries import answers
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome


def check(history: History, *, statuses: Sequence[int] = (503,)) -> Finding:
    """Look at the 5xx answers to every try that was refused; 4xx are for safe_rejections."""
    wanted = f"every refusal with {' or '.join(map(str, statuses))}"
    told = table.of(history)
    rows, tries = answers(history)
    status = tries.statuses()
    count = int(np.count_nonzero(tries.answered()))
    if not count:
        return unknown(wanted, "nothing was answered", 0, "check that the Gateway is reachable")
    refused = tries.are(Outcome.REJECTED) & (status >= 500)
    wrong = np.flatnonzero(refused & ~np.isin(status, list(statuses)))
    if len(wrong):
        wrong = wrong[np.argsort(tries.number[wrong], kind="stable")]
        counted = sorted(Counter(status[wrong].tolist()).items())
        by_status = ", ".join(f"{n} with {status}" for status, n in counted)
        columns = (tries.number[wrong], told.due_s[rows[wrong]], tries.told[wrong])
        examples = [
            f"{history.run.token}-{number:07d}: due {due_s:.3f} s, answered {tries.tolds[place].detail}"
            for number, due_s, place in zip(*(each.tolist() for each in columns), strict=True)
        ]
        got = f"{len(wrong)} of {np.count_nonzero(refused)} refusals: {by_status}"
        return failed(wanted, got, count, examples)
    return passed(wanted, f"{np.count_nonzero(refused)} refused so", count)
