"""What the Gateway refuses, it refuses so that Alertmanager sends it again: with a 5xx, never a 4xx.

Alertmanager retries 5xx and refused connections at once; a 4xx, 429 too, waits for the next group_interval
and is lost if the alert resolves first (notify/util.go, Retrier.Check).
"""

from __future__ import annotations

from collections import Counter

from reports.deliveries import answers
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome

_WANTED = "every refusal is one that Alertmanager retries"


def check(history: History) -> Finding:
    """Look at each answer; where alerts are sent again, at those to every try."""
    tries = answers(history)
    answered = [(a, t) for a, t in tries if t.status is not None]
    if not answered:
        return unknown(_WANTED, "nothing was answered", 0, "check that the Gateway is reachable")
    # What cannot be used is rightly refused for good.
    refused = [
        (a, t) for a, t in tries if t.outcome is Outcome.REJECTED and a.number not in history.run.unusable
    ]
    unsafe = sorted(((a, t) for a, t in refused if t.kind != "safe"), key=lambda pair: pair[0].number)
    if unsafe:
        by_status = ", ".join(
            f"{n} with {status}" for status, n in Counter(t.status for _, t in unsafe).items()
        )
        examples = [
            f"{history.run.token}-{a.number:07d}: due {a.due_s:.3f} s, answered {t.status} {t.detail}"
            for a, t in unsafe
        ]
        return failed(_WANTED, f"{len(unsafe)} refused unsafely ({by_status})", len(answered), examples)
    return passed(_WANTED, f"{len(refused)} refused, all safely", len(answered))
