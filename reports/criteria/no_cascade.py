"""What is broken breaks nothing else: no component but the fault's target restarts, exits or goes unready."""

from __future__ import annotations

import itertools

from reports import counters, signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import History, Observation
from reports.interval import Interval

_WANTED = "no other component restarted, exited or unready"


def check(
    history: History, *, targets: tuple[str, ...] | list[str] = (), gateway: str = "gateway"
) -> Finding:
    """Compare each component's processes over the run. Those whose process the harness ended are the faults'
    targets, and ``targets`` names more; ``gateway`` is the one whose readiness is probed: two bad answers in
    a row are unready, a single one is innocent.
    """
    looks = [o for o in history.samples(signals.COMPONENTS) if o.ok]
    names = sorted(
        {key.removeprefix("starts:") for o in looks for key in o.values if key.startswith("starts:")}
    )
    if not names:
        mend = "use a target with a control_url; without one, nobody watches the components"
        return unknown(_WANTED, "no component was seen", 0, mend)
    spared = {*targets, *(n for n in names if _grew(looks, f"killed:{n}"))}
    examples = [line for name in names if name not in spared for line in _harm(looks, name)]
    if gateway not in spared:
        examples += _unready(history)
    watched = [name for name in names if name not in spared]
    if examples:
        return failed(_WANTED, "; ".join(examples[:3]), len(looks), examples)
    problem = _unseen(history, looks)
    if problem or not watched:
        mend = "let the probes run from before the fault until after it, with the control API up"
        return unknown(_WANTED, problem or "every component was a target", len(looks), mend)
    got = f"none of {len(watched)}" + (f"; the targets were {', '.join(sorted(spared))}" if spared else "")
    return passed(_WANTED, got, len(looks), {"watched": float(len(watched))})


def _harm(looks: list[Observation], name: str) -> list[str]:
    seen = [o for o in looks if f"starts:{name}" in o.values]
    exits, starts = (counters.grown(seen, f"{key}:{name}") for key in ("exits", "starts"))
    lines = []
    if exits and exits.total and exits.first:
        lines.append(f"{name} exited {exits.total:g} times by itself, first by {exits.first.latest_s:.1f} s")
    if starts and starts.total and starts.first:
        lines.append(
            f"{name} was started again {starts.total:g} times, first by {starts.first.latest_s:.1f} s"
        )
    stopped = [o for o in seen if o.values.get(f"running:{name}") == 0.0]
    if stopped and not lines:
        lines.append(f"{name} was not running at {stopped[0].answered_s:.1f} s")
    return lines


def _grew(looks: list[Observation], key: str) -> bool:
    growth = counters.grown(looks, key)
    return bool(growth and growth.total)


def _unready(history: History) -> list[str]:
    ready = history.samples(signals.READY)
    for one, other in itertools.pairwise(ready):
        if not one.ok and not other.ok:
            return [f"the Gateway was not ready at {one.answered_s:.1f} s ({one.error})"]
    return []


def _unseen(history: History, looks: list[Observation]) -> str:
    """Return what was not watched; counts of starts and exits cover what lies between two looks."""
    if not any(o.ok for o in history.samples(signals.READY)):
        return "the Gateway was never seen ready"
    spans = [signals.while_on(history, i.name) for i in history.injections]
    known = [span for span in spans if span]
    if history.run.faults_planned and not known:
        return "the fault never began"
    whole = Interval(
        min((s.earliest_s for s in known), default=looks[0].answered_s),
        max((s.latest_s for s in known), default=looks[0].answered_s),
    )
    if looks[0].answered_s > whole.earliest_s or looks[-1].asked_s < whole.latest_s or len(looks) < 2:
        return f"watched only from {looks[0].answered_s:.1f} s to {looks[-1].asked_s:.1f} s"
    return ""
