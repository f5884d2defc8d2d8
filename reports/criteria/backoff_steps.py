"""After a conflict an update waits for one of the steps allowed, after a second one for a longer one.

The waits are drawn with jitter, so they are told apart by the step that they were drawn for, a label.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports import counters, signals, table
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation, Outcome


def check(
    history: History, *, steps_ms: Sequence[float] = (100, 200, 400), metric: str = "update_backoff"
) -> Finding:
    """Count the waits of each step over the run.

    FAIL if a wait has another step, if the second step was taken more often than the first, or never though
    updates met conflicts in a row. How often they did follows from the counters: conflicts, less one for each
    update that met any, be it retried or exhausted; one more for each alert that was not acknowledged.
    """
    wanted = f"waits of {', '.join(f'{s:g}' for s in steps_ms)} ms"
    samples = history.samples(signals.METRICS)
    waits = _waits(samples, metric)
    if not waits:
        mend = f"map metrics.{metric} in the target file, by the label that names the step in seconds"
        return unknown(wanted, "its steps are in no sample", 0, mend)
    count = sum(o.ok for o in samples)
    numbers = {f"{step:g} ms": n for step, n in waits.items() if n}
    got = ", ".join(f"{n:g} of {step}" for step, n in numbers.items()) or "none"
    taken = [waits.get(round(step, 6), 0.0) for step in steps_ms]
    strange = [f"{s:g} ms" for s, n in waits.items() if n and s not in {round(step, 6) for step in steps_ms}]
    if strange:
        return failed(wanted, f"{got}; {', '.join(strange)} is none of them", count, numbers=numbers)
    if len(taken) > 1 and taken[1] > taken[0]:
        return failed(wanted, f"{got}; more second waits than first ones", count, numbers=numbers)
    if not any(taken):
        mend = "send more alerts with equal labels at one instant"
        return unknown(wanted, "no update waited", count, mend)
    in_a_row = _in_a_row(history)
    if len(taken) > 1 and in_a_row > 0 and not taken[1]:
        told = f"{got}, though {in_a_row:g} conflicts followed another"
        return failed(wanted, told, count, numbers=numbers)
    return passed(wanted, got, count, numbers)


def _waits(samples: list[Observation], metric: str) -> dict[float, float]:
    """Return how many waits there were by their step in milliseconds."""
    found: dict[float, float] = {}
    for key in sorted({k for o in samples if o.ok for k in o.values if k.startswith(f"{metric}.")}):
        try:
            step_ms = round(float(key.removeprefix(f"{metric}.")) * 1000, 6)
        except ValueError:
            continue
        growth = counters.grown(samples, key)
        found[step_ms] = growth.total if growth else 0.0
    return dict(sorted(found.items()))


def _in_a_row(history: History) -> float:
    """Return how many conflicts surely followed another of the same update; 0 if that is not known."""
    samples = history.samples(signals.METRICS)
    growths = [counters.grown(samples, f"updates.{word}") for word in ("conflicts", "retried", "exhausted")]
    conflicts, retried, exhausted = (growth.total if growth else None for growth in growths)
    if conflicts is None or retried is None or exhausted is None:
        return 0.0
    unsure = len(history.attempts) - int(table.of(history).are(Outcome.ACKED).sum())
    return max(0.0, conflicts - retried - exhausted - unsure)
