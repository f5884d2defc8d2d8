"""Delta debugging of fault schedules: from one that fails to a smallest one that still does.

Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input (2002), over faults; then each is
made shorter, and those that overlap are taken apart. It runs nothing: it asks, and is told what still fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, replace

from shapes.fault import Fault
from shapes.schedule import APART_S, ended_s, from_start, overlap_s

Faults = tuple[Fault, ...]
SHORTEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """Does this smaller schedule still fail? ``how`` tells how it was made."""

    how: str
    faults: Faults


# Yields questions, is sent the answers, returns the smallest schedule that fails.
Asking = Generator[Question, bool, Faults]


def reduction(faults: Faults) -> Asking:
    """Ask for fewer faults, then for shorter ones, then for overlapping ones apart; nothing twice.

    What is sent is whether the schedule asked about still fails: an undecided run does not.
    """
    known = [(from_start(faults), True)]
    asking = _all(from_start(faults))
    try:
        question = next(asking)
        while True:
            answer = next((fails for asked, fails in known if asked == question.faults), None)
            if answer is None:
                answer = yield question
                known.append((question.faults, answer))
            question = asking.send(answer)
    except StopIteration as done:
        smallest: Faults = done.value
        return smallest


def _all(faults: Faults) -> Asking:
    faults = yield from _fewer(faults)
    faults = yield from _shorter(faults)
    return (yield from _apart(faults))


def _fewer(faults: Faults) -> Asking:
    """Leave out ever smaller parts, until no single fault can be left out."""
    parts = 2
    while len(faults) > 1:
        for gone in _split(faults, parts):
            rest = tuple(fault for fault in faults if fault not in gone)
            how = f"without {', '.join(fault.name for fault in gone)}"
            if rest and (yield Question(how, from_start(rest))):
                faults, parts = rest, max(2, parts - 1)
                break
        else:
            if parts >= len(faults):
                break
            parts = min(2 * parts, len(faults))
    return from_start(faults)


def _shorter(faults: Faults) -> Asking:
    """Halve each fault as long as it still fails, down to `SHORTEST_S` s: keep its begin, else its end."""
    for index in range(len(faults)):
        while faults[index].for_s / 2 >= SHORTEST_S:
            found = yield from _halved(faults, index)
            if found is None:
                break
            faults = found
    return from_start(faults)


def _halved(faults: Faults, index: int) -> Generator[Question, bool, Faults | None]:
    fault = faults[index]
    half_s = round(fault.for_s / 2, 3)
    for which, at_s in (("begin", fault.at_s), ("end", round(fault.at_s + fault.for_s - half_s, 3))):
        changed = replace(fault, at_s=at_s, for_s=half_s)
        # Unmoved, so that the places in the tuple stay; what is asked about is moved to the start.
        candidate = (*faults[:index], changed, *faults[index + 1 :])
        if (yield Question(f"{fault.name} for {half_s:g} s, its {which}", from_start(candidate))):
            return candidate
    return None


def _apart(faults: Faults) -> Asking:
    """Move each fault that overlaps an earlier one, and all after it, behind that one's end."""
    for index in range(1, len(faults)):
        earlier = [fault for fault in faults[:index] if overlap_s(fault, faults[index])]
        if not earlier:
            continue
        by_s = max(ended_s(fault) for fault in earlier) + APART_S - faults[index].at_s
        later = tuple(replace(fault, at_s=round(fault.at_s + by_s, 3)) for fault in faults[index:])
        candidate = from_start((*faults[:index], *later))
        names = ", ".join(fault.name for fault in earlier)
        if (yield Question(f"{faults[index].name} after the end of {names}", candidate)):
            faults = candidate
    return faults


def _split(faults: Faults, parts: int) -> list[Faults]:
    """Return the faults in so many parts, as equal as they can be."""
    bounds = [len(faults) * k // parts for k in range(parts + 1)]
    return [faults[a:b] for a, b in itertools.pairwise(bounds) if a < b]
