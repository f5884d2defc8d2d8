"""The Gateway gives its Redis connections back: when all is quiet at the end, the pool is not used up."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

EACH_REPLICA = True

_ACTIVE, _MOST = "redis_pool.active", "redis_pool.max"
_WANTED = "free connections at the end of the run"


def check(history: History, *, quiet_s: float = 1.0) -> Finding:
    """Look at every sample of the last ``quiet_s`` seconds, after the last fault: one with a free connection
    is enough, as a call may be on its way in any of them."""
    samples = [
        o for o in history.samples(signals.METRICS) if o.ok and _ACTIVE in o.values and _MOST in o.values
    ]
    if any(i.began and not i.ended for i in history.injections):
        return unknown(_WANTED, "a fault was never healed", len(samples), "see fault_bit")
    healed_s = max((i.ended.latest_s for i in history.injections if i.ended), default=0.0)
    until_s = max((o.answered_s for o in history.samples(signals.METRICS)), default=0.0)
    last = [o for o in samples if o.asked_s >= max(healed_s, until_s - quiet_s)]
    if len(last) < 2:
        mend = f"map metrics.{_ACTIVE} and metrics.{_MOST} in the target file, and keep /metrics up"
        return unknown(_WANTED, f"{len(last)} samples at the end", len(samples), mend)
    least = min(o.values[_ACTIVE] for o in last)
    most = last[-1].values[_MOST]
    numbers = {"least_active": least, "max": most}
    got = f"at least {least:g} of {most:g} in use in the last {len(last)} samples"
    if most > 0 and all(o.values[_ACTIVE] >= o.values[_MOST] for o in last):
        return failed(_WANTED, got, len(last), numbers=numbers)
    return passed(_WANTED, got, len(last), numbers)
