"""The Gateway's metrics can be scraped all along, also while the fault is on."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation

EACH_REPLICA = True

# Several times the probes' period: a prober that rests for longer stood still.
_PAUSE_S = 1.0


def check(history: History, *, max_gap_s: float = 2.0) -> Finding:
    """Find the longest time without a good scrape; a single missed one is innocent."""
    wanted = f"no more than {max_gap_s:g} s between two good scrapes"
    samples = history.samples(signals.METRICS)
    good = [o for o in samples if o.ok]
    if not samples or (len(good) < 2 and len(samples) < 10):
        return unknown(wanted, f"{len(good)} good scrapes", len(good), "let the run last longer")
    begin_s = min(max(0.0, history.came_s), samples[0].asked_s)
    end_s = max(min(signals.planned_end_s(history), history.went_s), *(o.answered_s for o in samples))
    gap_s, at_s = signals.longest_gap(samples, begin_s, end_s)
    numbers = {"longest_gap_s": gap_s}
    got = f"longest {gap_s:.2f} s, from {at_s:.1f} s on; {len(samples) - len(good)} of {len(samples)} failed"
    if gap_s <= max_gap_s and good:
        return passed(wanted, got, len(good), numbers)
    missed = [o for o in samples if not o.ok and at_s <= o.asked_s < at_s + gap_s]
    if gap_s - _unasked_s(missed, at_s, at_s + gap_s) <= max_gap_s:
        mend = "the prober itself stood still; give the generator a free core, and let the run end by itself"
        return unknown(wanted, got, len(good), mend, numbers=numbers)
    examples = [f"asked at {o.asked_s:.2f} s, gave up at {o.answered_s:.2f} s: {o.error}" for o in missed]
    return failed(wanted, got, len(samples), examples, numbers)


def _unasked_s(missed: list[Observation], begin_s: float, end_s: float) -> float:
    """Return how much of a gap nobody tried to scrape in, leaving out the prober's own rhythm."""
    froms = [begin_s, *(o.answered_s for o in missed)]
    untils = [*(o.asked_s for o in missed), end_s]
    pauses = (until_s - from_s for from_s, until_s in zip(froms, untils, strict=True))
    return sum(pause_s for pause_s in pauses if pause_s >= _PAUSE_S)
