"""The W3C trace context of an alert, made from its id, so that whoever has the id finds the trace."""

from __future__ import annotations

import hashlib


def trace_id(alert_id: str) -> str:
    """Return the trace's id, 32 hex digits; the alert's id holds the run's token and is unique."""
    return hashlib.sha256(alert_id.encode()).hexdigest()[:32]


def parent(alert_id: str) -> str:
    """Return the ``traceparent`` of its POST: version 00, sampled."""
    digest = hashlib.sha256(alert_id.encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"
