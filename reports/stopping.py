"""Whether a run must be broken off: its stop conditions held against what is seen, while it goes on.

Pure, though it is asked live: time and what was seen come in, a sentence or nothing comes out. What cannot be
seen counts as broken once it was unseen for as long as it might have been broken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

from reports.history import Observation
from reports.signals import COMPONENTS
from shapes.stop_condition import StopCondition


@dataclass(frozen=True, slots=True)
class Seen:
    """One look, ``at_s`` seconds after the start: alerts begun, ended and acknowledged so far, and the latest
    answer of each probe."""

    at_s: float
    begun: int = 0
    ended: int = 0
    acked: int = 0
    latest: Mapping[str, Observation] = field(default_factory=dict)


class Stopping:
    """Remembers what the conditions need to know of the looks before; begins at ``from_s`` seconds."""

    def __init__(self, conditions: Sequence[StopCondition], from_s: float) -> None:
        self._conditions = conditions
        self._from_s = from_s
        self._good_s: dict[str, float] = {}
        self._down_s: dict[str, float] = {}
        self._killed: dict[str, float] = {}
        self._looks: deque[Seen] = deque()

    def broken(self, seen: Seen) -> str:
        """Return what is broken, as a sentence; empty if the run may go on."""
        self._remember(seen)
        for condition in self._conditions:
            why = {
                "error_budget": self._error_budget,
                "component_down": self._component_down,
                "probe_gone": self._probe_gone,
            }[condition.kind](condition, seen)
            if why:
                return f"{condition.place}: {why}"
        return ""

    def _remember(self, seen: Seen) -> None:
        for name, answer in seen.latest.items():
            if answer.ok:
                self._good_s[name] = max(answer.answered_s, self._good_s.get(name, self._from_s))
        self._looks.append(seen)
        longest_s = max((c.for_s for c in self._conditions if c.kind == "error_budget"), default=0.0)
        while len(self._looks) > 1 and self._looks[1].at_s <= seen.at_s - longest_s:
            self._looks.popleft()
        components = seen.latest.get(COMPONENTS)
        if components and components.ok:
            self._remember_components(components)

    def _remember_components(self, answer: Observation) -> None:
        for name in _components(answer):
            killed = answer.values.get(f"killed:{name}", 0.0)
            before = self._killed.setdefault(name, killed)
            if answer.values[f"running:{name}"]:
                self._down_s.pop(name, None)
                self._killed[name] = killed
            elif killed == before:  # Else the harness ended it itself, and it is meant to be down.
                self._down_s.setdefault(name, answer.asked_s)
        for name in self._killed.keys() - set(_components(answer)):
            self._down_s.setdefault(name, answer.asked_s)  # Whoever is not even listed any more is not up.

    def _error_budget(self, condition: StopCondition, seen: Seen) -> str:
        since = next(s for s in reversed(self._looks) if s is self._looks[0] or self._is_old(s, condition))
        # Begun before that and without an end since: it hangs, which is no acknowledgement either.
        hanging = max(0, since.begun - seen.ended) if self._is_old(since, condition) else 0
        ended = seen.ended - since.ended
        bad = ended - (seen.acked - since.acked) + hanging
        count = ended + hanging
        if count < condition.least or bad <= condition.share * count:
            return ""
        what = f"{bad} of {count} alerts of the last {condition.for_s:g} s were not acknowledged"
        return f"{what}, more than {condition.share:.0%}"

    def _is_old(self, look: Seen, condition: StopCondition) -> bool:
        return look.at_s <= self._looks[-1].at_s - condition.for_s

    def _component_down(self, condition: StopCondition, seen: Seen) -> str:
        for name, since_s in sorted(self._down_s.items()):
            spared = any(fnmatch(name, pattern) for pattern in condition.spared)
            if not spared and seen.at_s - since_s > condition.for_s:
                return f"{name}, which no fault was to end, is down for {seen.at_s - since_s:.1f} s"
        return self._unseen(COMPONENTS, condition, seen)

    def _probe_gone(self, condition: StopCondition, seen: Seen) -> str:
        return self._unseen(condition.probe, condition, seen)

    def _unseen(self, probe: str, condition: StopCondition, seen: Seen) -> str:
        unseen_s = seen.at_s - self._good_s.get(probe, self._from_s)
        if unseen_s <= condition.for_s:
            return ""
        last = seen.latest.get(probe)
        error = f" ({last.error})" if last and last.error else ""
        return f"no good answer of the probe {probe} for {unseen_s:.1f} s{error}"


def _components(answer: Observation) -> list[str]:
    return [key.removeprefix("running:") for key in answer.values if key.startswith("running:")]
