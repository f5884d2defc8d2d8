"""A storm that the Gateway's restart cuts in two stays one storm: all its alerts end in one window."""

from __future__ import annotations

from reports import signals
from reports.finding import Finding, failed, passed, unknown
from reports.history import Attempt, History, Outcome, Resource

_WANTED = "one window for the storm's alerts from before and after"


def check(history: History, *, phase: str = "storm", fault: str = "") -> Finding:
    """Find the windows of the phase's aggregated alerts: answered so, or found in an aggregated resource.

    What came before the storm was recognised has a resource of its own, and is none of it.
    """
    began = signals.began(history.injection(fault))
    if began is None:
        return unknown(_WANTED, "the fault never began", 0, "see fault_bit")
    if history.resources is None or not history.stable:
        return unknown(_WANTED, "the resources were not read, or still moved", 0, "lengthen settle")
    holder = _holders(history.resources)
    acked = [a for a in history.of(Outcome.ACKED) if a.phase == phase]
    storm = [a for a in acked if a.kind == "aggregated" or a.subject in holder]
    before = [a for a in storm if a.done_s is not None and a.done_s <= began.earliest_s]
    after = [a for a in storm if a.begun_s is not None and a.begun_s >= began.latest_s]
    if not before or not after:
        got = f"{len(before)} aggregated before the fault, {len(after)} after it began"
        mend = f"begin the fault in the midst of a phase {phase!r} that is a storm"
        return unknown(_WANTED, got, len(storm), mend)
    windows = {holder[a.subject].window for a in storm if a.subject in holder}
    astray = [a for a in storm if a.subject not in holder]
    if len(windows - {""}) > 1 or astray:
        return failed(_WANTED, _got(windows, storm, astray), len(storm), _examples(history, windows, astray))
    if windows != windows - {""}:
        mend = "map resources.window in the target file to where the Gateway writes it"
        return unknown(_WANTED, "the resources name no window", len(storm), mend)
    got = f"one, for {len(storm)} alerts ({len(before)} before, {len(after)} after)"
    return passed(_WANTED, got, len(storm), {"alerts": float(len(storm))})


def _holders(resources: tuple[Resource, ...]) -> dict[int, Resource]:
    return {number: r for r in resources if r.aggregated for number in r.aggregated}


def _got(windows: set[str], storm: list[Attempt], astray: list[Attempt]) -> str:
    return f"{len(windows)} windows, and {len(astray)} of {len(storm)} alerts in no aggregated resource"


def _examples(history: History, windows: set[str], astray: list[Attempt]) -> list[str]:
    found = [f"window {window}" for window in sorted(windows) if window]
    return found + [f"{history.run.token}-{a.number:07d}: answered {a.kind}, not aggregated" for a in astray]
