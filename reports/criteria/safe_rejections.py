"""What the Gateway refuses, it refuses so that Alertmanager sends it again: with a 5xx, never a 4xx.

Alertmanager retries 5xx and refused connections at once; a 4xx, 429 too, waits for the next group_interval
and is lost if the alert resolves first (notify/util.go, Retrier.Check).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from reports import table
from reports.deliveries import answers
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "every refusal is one that Alertmanager retries"


def check(history: History) -> Finding:
    """Look at each answer; where alerts are sent again, at those to every try."""
    told = table.of(history)
    rows, tries = answers(history)
    answered = int(np.count_nonzero(tries.answered()))
    if not answered:
        return unknown(_WANTED, "nothing was answered", 0, "check that the Gateway is reachable")
    # What cannot be used is rightly refused for good.
    usable = ~np.isin(tries.number, np.array(sorted(history.run.unusable), np.int64))
    refused = tries.are(Outcome.REJECTED) & usable
    unsafe = np.flatnonzero(refused & ~tries.kinds("safe"))
    if len(unsafe):
        unsafe = unsafe[np.argsort(tries.number[unsafe], kind="stable")]
        ends = [tries.tolds[place] for place in tries.told[unsafe].tolist()]
        counted = Counter(t.status for t in ends)
        by_status = ", ".join(f"{n} with {status}" for status, n in counted.items())
        alerts = zip(tries.number[unsafe].tolist(), told.due_s[rows[unsafe]].tolist(), ends, strict=True)
        examples = [
            f"{history.run.token}-{number:07d}: due {due_s:.3f} s, answered {t.status} {t.detail}"
            for number, due_s, t in alerts
        ]
        return failed(_WANTED, f"{len(unsafe)} refused unsafely ({by_status})", answered, examples)
    return passed(_WANTED, f"{np.count_nonzero(refused)} refused, all safely", answered)
