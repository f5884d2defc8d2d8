"""The Gateway's metrics can be scraped all along, also while the fault is on."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History


def check(history: History, *, max_gap_s: float = 2.0) -> Finding:
    """Find the longest time without a good scrape; a single missed one is innocent."""
    wanted = f"no more than {max_gap_s:g} s between two good scrapes"
    samples = history.samples(signals.METRICS)
    good = [o for o in samples if o.ok]
    if len(good) < 2 and len(samples) < 10:
        return unknown(wanted, f"{len(good)} good scrapes", len(good), "let the run last longer")
    end_s = max(o.answered_s for o in samples)
    gap_s, at_s = signals.longest_gap(samples, min(o.asked_s for o in samples), end_s)
    numbers = {"longest_gap_s": gap_s}
    got = f"longest {gap_s:.2f} s, from {at_s:.1f} s on; {len(samples) - len(good)} of {len(samples)} failed"
    if gap_s <= max_gap_s:
        return passed(wanted, got, len(good), numbers)
    missed = [o for o in samples if not o.ok and at_s <= o.asked_s < at_s + gap_s]
    if not missed:
        mend = "the prober itself stood still; give the generator a free core"
        return unknown(wanted, got, len(good), mend, numbers=numbers)
    examples = [f"asked at {o.asked_s:.2f} s, gave up at {o.answered_s:.2f} s: {o.error}" for o in missed]
    return failed(wanted, got, len(samples), examples, numbers)
