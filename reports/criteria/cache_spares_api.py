"""Deduplication is answered from the cache for the most part, not by asking the Kubernetes API."""

from __future__ import annotations

from collections.abc import Sequence

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

_HITS, _QUERIES = "dedup_hits", "k8s_queries"


def check(
    history: History,
    *,
    at_least: float = 0.5,
    reasons: Sequence[str] = ("dedup_fallback", "dedup_check"),
) -> Finding:
    """Share the cache's hits by hits and the questions to the API that deduplication asked (those for
    ``reasons``), over the run."""
    wanted = f"at least {at_least:.0%} of lookups answered by the cache"
    samples = history.samples(signals.METRICS)
    hits = counters.grown(samples, _HITS)
    asked = [counters.grown(samples, f"{_QUERIES}.{reason}") for reason in reasons]
    known = [growth.total for growth in asked if growth]
    if hits is None or not known:
        mend = f"map metrics.{_HITS}, and metrics.{_QUERIES} by its reason, in the target file"
        return unknown(wanted, "hits or questions were in no sample", 0, mend)
    queries = sum(known)
    lookups = hits.total + queries
    if lookups <= 0:
        return unknown(wanted, "nothing was looked up", hits.samples, "send alerts that repeat earlier ones")
    share = hits.total / lookups
    got = f"{share:.1%}: {hits.total:g} hits, {queries:g} questions to the API"
    numbers = {"share": share, "hits": hits.total, "queries": queries}
    if share >= at_least:
        return passed(wanted, got, hits.samples, numbers)
    return failed(wanted, got, hits.samples, numbers=numbers)
