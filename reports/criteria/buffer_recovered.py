"""What was buffered when the Gateway died is taken up again by the next one, and counted."""

from __future__ import annotations

from collections.abc import Mapping

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History

_WANTED = "recovered alerts counted after the restart"
_KEY, _SIZE = "buffer.recovered", "buffer.size"


def check(history: History, *, fault: str = "", within_s: float = 5.0) -> Finding:
    """Read the counter in the samples after the fault: they are the new process's, whose counters began at 0.

    Without a count, FAIL only if alerts were buffered, or a window opened, by the last sample before, and the
    new process was watched for ``within_s`` seconds.
    """
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    samples = [o for o in history.samples(signals.METRICS) if o.ok]
    # Right before the fault a sample may still be of the old process, whose count would be an earlier one's.
    after = [o for o in samples if o.asked_s >= began.latest_s and _KEY in o.values]
    before = [o for o in samples if o.answered_s <= began.earliest_s and _SIZE in o.values]
    if not after or not before:
        mend = f"map metrics.{_KEY} and metrics.{_SIZE} in the target file; is the Gateway back?"
        return unknown(_WANTED, "buffer or count were not seen before and after", len(samples), mend)
    buffered, recovered = before[-1].values[_SIZE], max(o.values[_KEY] for o in after)
    numbers = {"buffered": buffered, "recovered": recovered}
    ago_s = began.earliest_s - before[-1].answered_s
    got = f"{recovered:g} recovered; {buffered:g} buffered {ago_s:.2f} s before"
    if not _restarted(before[-1].values, after[-1].values):
        mend = "kill the Gateway: only a new process can take up what the old one left"
        return unknown(_WANTED, f"{got}; the process is the same one", len(after), mend, numbers=numbers)
    if recovered > 0:
        return passed(_WANTED, got, len(after), numbers)
    if buffered <= 0 and before[-1].values.get("windows_opened", 0.0) <= 0:
        mend = "begin the fault while a storm is being buffered"
        return unknown(_WANTED, f"{got}: nothing to recover", len(after), mend, numbers=numbers)
    watched_s = after[-1].asked_s - after[0].asked_s
    if watched_s < within_s:
        mend = "lengthen the last phase"
        return unknown(_WANTED, f"{got}; watched for {watched_s:.1f} s", len(after), mend, numbers=numbers)
    return failed(_WANTED, got, len(after), numbers=numbers)


def _restarted(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Return whether it is another process, as far as the metrics tell."""
    starts = [values.get(counters.PROCESS_START) for values in (before, after)]
    return None in starts or starts[0] != starts[1]
