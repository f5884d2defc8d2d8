"""The Gateway does not call itself ready while it takes no alert at all."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome
from reports.interval import Interval

_LEAST = 3


def check(history: History, *, within_s: float = 2.5) -> Finding:
    """Find the stretches in which every alert was refused, and look at the readiness in them.

    FAIL if one lasted more than ``within_s`` seconds, three alerts or more, and every answer of the readiness
    from ``within_s`` seconds after its beginning was a yes.
    """
    wanted = f"not ready {within_s:g} s after it began to refuse every alert"
    ready = history.samples(signals.READY)
    answered = sorted((a for a in history.attempts if a.done_s is not None), key=lambda a: a.done_s or 0.0)
    if len(ready) < 2 or not answered:
        return unknown(wanted, "readiness or answers were not seen", len(ready), "let the run last longer")
    lies, watched = [], 0
    for span, refused in _stretches(answered):
        from_s = span.earliest_s + within_s
        looks = [o for o in ready if from_s <= o.asked_s and o.answered_s <= span.latest_s]
        if len(refused) < _LEAST or len(looks) < 2:
            continue
        watched += 1
        if all(o.ok for o in looks):
            when = f"from {looks[0].asked_s:.1f} to {looks[-1].answered_s:.1f} s"
            lies.append(f"ready {when}, while all {len(refused)} alerts were refused")
    if lies:
        return failed(wanted, lies[0], len(ready), lies)
    told = f"{watched} stretches in which every alert was refused, none of them called ready"
    return passed(wanted, told, len(ready))


def _stretches(answered: list[Attempt]) -> list[tuple[Interval, list[Attempt]]]:
    """Return each time in which every answer was a refusal, from the first of them to the last."""
    found: list[list[Attempt]] = [[]]
    for attempt in answered:
        if attempt.outcome is Outcome.REJECTED:
            found[-1].append(attempt)
        elif found[-1]:
            found.append([])
    return [(Interval(each[0].done_s or 0.0, each[-1].done_s or 0.0), each) for each in found if each]
