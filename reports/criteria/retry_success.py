"""Updates that meet a conflict succeed in the end: nearly none gives up."""

from __future__ import annotations

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

_KEYS = ("updates.retried", "updates.exhausted")


def check(history: History, *, at_least: float = 0.99) -> Finding:
    """Share the updates that succeeded after a conflict by those and the ones given up, over the run."""
    wanted = f"at least {at_least:.0%} of retried updates succeed"
    samples = history.samples(signals.METRICS)
    succeeded, exhausted = (counters.grown(samples, key) for key in _KEYS)
    if succeeded is None or exhausted is None:
        mend = f"map {' and '.join(f'metrics.{key}' for key in _KEYS)} in the target file"
        return unknown(wanted, "successes or failures were in no sample", 0, mend)
    retried = succeeded.total + exhausted.total
    if retried <= 0:
        mend = "send more alerts with equal labels at one instant"
        return unknown(wanted, "no update was tried again", succeeded.samples, mend)
    share = succeeded.total / retried
    got = f"{share:.1%}: {succeeded.total:g} of {retried:g}"
    numbers = {"share": share, "succeeded": succeeded.total, "exhausted": exhausted.total}
    if share >= at_least:
        return passed(wanted, got, succeeded.samples, numbers)
    return failed(wanted, got, succeeded.samples, numbers=numbers)
