"""What the Gateway refuses, it refuses so that Alertmanager sends it again: with a 5xx, never a 4xx.

Alertmanager retries 5xx and refused connections at once; a 4xx, 429 too, waits for the next group_interval
and is lost if the alert resolves first (notify/util.go, Retrier.Check).
"""

from __future__ import annotations

from collections import Counter

from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "every refusal is one that Alertmanager retries"


def check(history: History) -> Finding:
    """Look at each refused alert's answer."""
    answered = [a for a in history.attempts if a.status is not None]
    if not answered:
        return unknown(_WANTED, "nothing was answered", 0, "check that the Gateway is reachable")
    refused = history.of(Outcome.REJECTED)
    unsafe = sorted((a for a in refused if a.kind != "safe"), key=lambda a: a.number)
    if unsafe:
        by_status = ", ".join(f"{n} with {status}" for status, n in Counter(a.status for a in unsafe).items())
        examples = [
            f"{history.run.token}-{a.number:07d}: due {a.due_s:.3f} s, answered {a.status} {a.detail}"
            for a in unsafe
        ]
        return failed(_WANTED, f"{len(unsafe)} refused unsafely ({by_status})", len(answered), examples)
    return passed(_WANTED, f"{len(refused)} refused, all safely", len(answered))
