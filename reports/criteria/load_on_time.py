"""The generator kept its own schedule: every planned alert was begun, and begun on time."""

from __future__ import annotations

import numpy as np

from reports import table
from reports.finding import Finding, passed, unknown
from reports.history import History


def check(history: History, *, p99_s: float = 0.25, max_s: float = 2.0) -> Finding:
    """Measure how late alerts were begun; what the target does afterwards is not counted."""
    wanted = f"all begun, p99 at most {p99_s * 1000:g} ms late, none over {max_s * 1000:g} ms"
    late_s = table.ordered(np.maximum(0.0, table.of(history).late_s))
    if not len(late_s):
        return unknown(wanted, "no alert was begun", 0, "see the log for why the load never started")
    # The nearest rank, ceil(0.99 n), counted from 1.
    p50, p99, most = (float(late_s[k]) for k in (len(late_s) // 2, (99 * len(late_s) + 99) // 100 - 1, -1))
    late = int(np.count_nonzero(late_s > p99_s))
    numbers = {"p50_s": p50, "p99_s": p99, "max_s": most, "late": float(late)}
    begun = f"{len(late_s)} of {history.run.planned} begun"
    got = f"{begun}, p99 {p99 * 1000:.1f} ms late, max {most * 1000:.1f} ms{_busy(history)}"
    told = table.of(history)
    waited_s = table.ordered((told.sent_s - told.begun_s)[told.tries == 1])[-1:].tolist()
    if waited_s and waited_s[0] > p99_s:
        # Begun is when the generator took an alert up; with every connection busy its bytes go out later.
        numbers["sent_after_max_s"] = waited_s[0]
        got += f"; sent up to {waited_s[0]:.1f} s after that, when a connection was free"
    if len(late_s) < history.run.planned:
        mend = "let the run end by itself, or find in the log what ended it"
        return unknown(wanted, got, len(late_s), mend, numbers=numbers)
    if p99 > p99_s or most > max_s:
        mend = "the generator was starved; give it a free core, or lower the rate"
        return unknown(wanted, got, len(late_s), mend, numbers=numbers)
    return passed(wanted, got, len(late_s), numbers)


def _busy(history: History) -> str:
    """Tell how busy the processes that sent were: why they were late, if they were."""
    used = [each.used for each in history.workers] or [history.used]
    shares = [each["cpu_s"] / max(each["over_s"], 1e-3) for each in used if each]
    return f"; sent by {len(used)} at {max(shares):.0%} of a core" if shares else ""
