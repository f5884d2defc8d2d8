"""What is told of an experiment: since when it was on for each target, until when, and what its pods show.

Three clocks are kept apart: when this process asked and was answered, what the controller stamped (whole
seconds of the cluster's clock, and after the fact, so an upper bound), and when this process saw it.
"""

from __future__ import annotations

from collections.abc import Sequence

from chaos_hooks.experiment_status import Record, State, seconds_between
from chaos_hooks.kubernetes_api import Place
from chaos_hooks.pods import Pod
from reports.interval import Interval


def injected(state: State, created: Interval, seen_s: float) -> tuple[Interval, list[str]]:
    """Return when the last target had it, as far as known, and a line for each target.

    ``created`` is when the object was created, ``seen_s`` when all of it was seen to be on.
    """
    told, latest_s = [], created.earliest_s
    for record in state.records:
        after_s = seconds_between(state.created_at, record.applied_at)
        until_s = seen_s
        stamp = "without a stamp"
        if after_s is not None:
            # Both stamps are cut to whole seconds: between them lay less than one second more.
            until_s = max(created.earliest_s, min(seen_s, created.latest_s + after_s + 1.0))
            stamp = f"stamped {record.applied_at}, {after_s:g} s after its creation"
        told.append(f"{record.target}: on by {until_s:.2f} s ({stamp}, seen at {seen_s:.2f} s)")
        latest_s = max(latest_s, until_s)
    return Interval(created.earliest_s, latest_s), told


def recovered(last: State, gone: Interval) -> list[str]:
    """Return a line for each target that was last seen to be over, before the object was gone in ``gone``."""
    told = []
    for record in last.recovered:
        after_s = seconds_between(last.deleted_at, record.recovered_at)
        stamp = "without a stamp" if after_s is None else f"{after_s:g} s after its deletion"
        told.append(
            f"{record.target}: over by {gone.latest_s:.2f} s (stamped {record.recovered_at}, {stamp})"
        )
    return told


def early(
    state: State, created: tuple[Interval, str] | None, asked_s: float
) -> tuple[Interval | None, list[str]]:
    """Return when it was over for all targets, if before it was to end at ``asked_s``, and what of it."""
    over: Sequence[Record] = state.recovered
    if not over:
        return None, []
    named = ", ".join(f"{record.target} at {record.recovered_at or 'an unknown time'}" for record in over)
    line = f"for {len(over)} of {len(state.records)} targets it was over before its time: {named}"
    if len(over) < len(state.records):
        return None, [line]
    begin_s = end_s = asked_s
    if created is not None:
        at, stamp = created
        gaps = [seconds_between(stamp, record.recovered_at) for record in over]
        known_s = [gap for gap in gaps if gap is not None]
        begin_s = at.earliest_s
        if known_s:
            begin_s = min(asked_s, max(at.earliest_s, at.earliest_s + max(known_s) - 1.0))
            end_s = min(asked_s, at.latest_s + max(known_s) + 1.0)
    return Interval(begin_s, max(begin_s, end_s)), [line]


def stuck(place: Place, name: str, state: State, after_s: float) -> str:
    """Return the sentence for an object that its deletion does not remove, with what to do."""
    held = ", ".join(state.finalizers) or "nothing that is named"
    return (
        f"{place}/{name} is still there {after_s:g} s after its deletion, held by {held} ({state}); its "
        "fault may still be on: see whether Chaos Mesh's controller and daemons run, or delete the pods "
        "that it struck"
    )


def shown(action: str, before: Sequence[Pod], now: Sequence[Pod]) -> tuple[bool, str]:
    """Return whether every pod that was struck shows what the action does, and what it shows."""
    by_name = {pod.name: pod for pod in now}
    found = [_one(action, pod, by_name.get(pod.name), now) for pod in before]
    return bool(found) and all(ok for ok, _ in found), "; ".join(line for _, line in found)


def _one(action: str, old: Pod, new: Pod | None, now: Sequence[Pod]) -> tuple[bool, str]:
    if action == "pod-kill":
        if new is not None and new.uid == old.uid and not new.leaving:
            return False, f"pod {old.name} is still the one with UID {old.uid}"
        heirs = [p for p in now if p.owner and p.owner == old.owner and p.uid != old.uid and not p.leaving]
        heir = ", ".join(f"{pod.name} {pod.uid}" for pod in heirs) or "not there yet"
        return True, f"pod {old.name} with UID {old.uid} is gone; its owner's others: {heir}"
    if new is None or new.uid != old.uid:
        return True, f"pod {old.name} with UID {old.uid} is gone"
    if action == "container-kill":
        grew = sum(new.restarts) > sum(old.restarts)
        return grew, f"pod {old.name}: restarts {sum(old.restarts)}, now {sum(new.restarts)}"
    changed = new.images != old.images
    states = f"{'ready' if new.ready else 'not ready'}, image {', '.join(new.images)}"
    # With the image swapped and no probe that notices, it looks as well as ever to its Service.
    return changed and not new.ready, f"pod {old.name}: {states}"
