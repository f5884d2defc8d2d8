"""The Gateway's pool of Redis connections never holds more than it may, also while Redis hangs."""

from __future__ import annotations

from reports import gauges
from reports.finding import Finding
from reports.gauges import Bound
from reports.history import History

EACH_REPLICA = True


def check(history: History, *, fault: str = "", max_gap_s: float = 5.0) -> Finding:
    """Compare the connections in use with the pool's size in every sample."""
    # Between two calls the pool rests, so that 0 in every sample is no sign of a wrong mapping.
    bound = Bound(
        "no more connections in use than the pool holds", "redis_pool.active", "redis_pool.max", used=False
    )
    return gauges.bounded(history, bound, fault, max_gap_s)
