"""What the Gateway refuses for want of a dependency, it refuses with the status of its contract: 503.

Alertmanager sends every 5xx again, so that another one loses nothing: it breaks the contract alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.deliveries import answers
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Outcome


def check(history: History, *, statuses: Sequence[int] = (503,)) -> Finding:
    """Look at the 5xx answers to every try that was refused; 4xx are for safe_rejections."""
    wanted = f"every refusal with {' or '.join(map(str, statuses))}"
    tries = [(a, t) for a, t in answers(history) if t.status is not None]
    if not tries:
        return unknown(wanted, "nothing was answered", 0, "check that the Gateway is reachable")
    refused = [(a, t) for a, t in tries if t.outcome is Outcome.REJECTED and (t.status or 0) >= 500]
    wrong = sorted(((a, t) for a, t in refused if t.status not in statuses), key=lambda p: p[0].number)
    if wrong:
        counted = sorted(Counter(t.status or 0 for _, t in wrong).items())
        by_status = ", ".join(f"{n} with {status}" for status, n in counted)
        examples = [
            f"{history.run.token}-{a.number:07d}: due {a.due_s:.3f} s, answered {t.detail}" for a, t in wrong
        ]
        return failed(wanted, f"{len(wrong)} of {len(refused)} refusals: {by_status}", len(tries), examples)
    return passed(wanted, f"{len(refused)} refused so", len(tries))
