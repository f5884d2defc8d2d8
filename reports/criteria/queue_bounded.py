"""The Gateway's queue of requests to the Kubernetes API stays below a bound while the API throttles."""

from __future__ import annotations

from reports import gauges
from reports.finding import Finding
from reports.gauges import Bound
from reports.history import History

EACH_REPLICA = True


def check(history: History, *, below: float, fault: str = "", max_gap_s: float = 5.0) -> Finding:
    """Look at the queue's depth in every sample; it must have been used at all."""
    bound = Bound(f"fewer than {below:g} requests queued", "k8s_queue", below, strict=True)
    return gauges.bounded(history, bound, fault, max_gap_s)
