"""The Gateway's storm buffer never holds more alerts than it may, also when Redis refuses to write."""

from __future__ import annotations

from reports import gauges
from reports.finding import Finding
from reports.gauges import Bound
from reports.history import History

EACH_REPLICA = True


def check(history: History, *, at_most: float, fault: str = "", max_gap_s: float = 5.0) -> Finding:
    """Look at the buffer's size in every sample; it must have been used at all."""
    bound = Bound(f"at most {at_most:g} alerts buffered", "buffer.size", at_most)
    return gauges.bounded(history, bound, fault, max_gap_s)
