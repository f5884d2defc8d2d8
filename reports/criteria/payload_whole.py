"""Each RemediationRequest holds its alerts' labels, annotations and payload as they were sent."""

from __future__ import annotations

from collections import Counter

from reports.finding import Finding, failed, passed, unknown
from reports.history import History

_WANTED = "labels, annotations and payload as they were sent"


def check(history: History) -> Finding:
    """Look at what differed when the resources were read; what a release keeps beyond that is its own."""
    if history.resources is None:
        mend = "let the run end by itself, with the Kubernetes API reachable"
        return unknown(_WANTED, "the resources were never read", 0, mend)
    compared = [r for r in history.resources if r.differs is not None]
    wrong = [r for r in compared if r.differs]
    if wrong:
        most = Counter(name for r in wrong for name in r.differs or ()).most_common(3)
        got = f"{len(wrong)} of {len(compared)} differ, in {', '.join(name for name, _ in most)}"
        examples = [f"{r.name}: {', '.join(r.differs or ())}" for r in wrong]
        return failed(_WANTED, got, len(compared), examples, {"wrong": float(len(wrong))})
    if not compared:
        mend = "send alerts that are not aggregated, or map resources.members in the target file"
        return unknown(_WANTED, "no resource could be compared", len(history.resources), mend)
    return passed(_WANTED, f"{len(compared)} compared", len(compared))
