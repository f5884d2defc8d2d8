"""A Gateway's replicas, told apart by their pods' UIDs: how long each was there, and what it showed.

The probe `PRESENCE` tells which pods were there, as ``NAME:UID`` with 1 for ready; each pod's metrics are
those of a probe of its own, ``replica:NAME:UID``. A History that was read from a folder holds what all did
together as its metrics, see `replica_sums`; a criterion with ``EACH_REPLICA`` is asked of each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from reports import signals
from reports.finding import Finding, Status, unknown
from reports.history import History, Observation

PRESENCE = "replicas"
PREFIX = "replica:"
# In a look at the replicas: their metrics came through the API server, which may itself be what did not
# answer.
PROXIED = "proxied"
_ASIDE_S = 1.0
_MANY = 4


@dataclass(frozen=True, slots=True)
class Replica:
    """One pod's life as a replica: infinite where it was there before the first look, or after the last."""

    name: str
    uid: str
    came_s: float = -math.inf
    went_s: float = math.inf

    @property
    def probe(self) -> str:
        """Return the name of its metrics' probe."""
        return f"{PREFIX}{self.name}:{self.uid}"

    @property
    def stayed(self) -> bool:
        """Return whether it was there all along."""
        return math.isinf(self.came_s) and math.isinf(self.went_s)

    def __str__(self) -> str:
        """Name it, with when it came and went."""
        came = "" if math.isinf(self.came_s) else f"from {self.came_s:.1f} s on"
        went = "" if math.isinf(self.went_s) else f"until {self.went_s:.1f} s"
        when = ", ".join(part for part in (came, went) if part)
        return f"{self.name} ({when}, uid {self.uid[:8]})" if when else self.name


def are_told(observations: Iterable[Observation]) -> bool:
    """Return whether anybody looked for replicas."""
    return any(o.probe == PRESENCE for o in observations)


def of(observations: Iterable[Observation]) -> list[Replica]:
    """Return the replicas of a run, those that were there first before those that came later.

    One that comes is a replica from the time on that it was first seen ready; it goes with the last look in
    which it was there.
    """
    looks = sorted((o for o in observations if o.probe == PRESENCE and o.ok), key=lambda o: o.asked_s)
    found = []
    for key in dict.fromkeys(key for o in looks for key in o.values if key != PROXIED):
        name, _, uid = key.partition(":")
        there = [o for o in looks if key in o.values]
        ready = [o.answered_s for o in there if o.values[key]]
        came_s = -math.inf if there[0] is looks[0] else min(ready, default=math.inf)
        went_s = math.inf if there[-1] is looks[-1] else there[-1].asked_s
        if came_s < went_s:
            found.append(Replica(name, uid, came_s, went_s))
    return sorted(found, key=lambda r: (r.came_s, r.name, r.uid))


def view(history: History, one: Replica) -> History:
    """Return the run as if this replica were the Gateway: its metrics, for as long as it was there.

    What did not answer while the API server was not seen to answer either, through which it was asked, says
    nothing of the replica.
    """
    looks = [o for o in history.observations if o.probe == PRESENCE]
    deaf = [o for o in looks if not o.ok] if any(o.values.get(PROXIED) for o in looks) else []
    own = [
        replace(o, probe=signals.METRICS)
        for o in history.observations
        if o.probe == one.probe
        and one.came_s <= o.asked_s
        and o.answered_s <= one.went_s
        and (o.ok or not any(_meets(o, bad) for bad in deaf))
    ]
    others = [o for o in history.observations if o.probe != signals.METRICS]
    return replace(
        history, observations=(*others, *own), replica=one.probe, came_s=one.came_s, went_s=one.went_s
    )


def judge_each(history: History, check: Callable[[History], Finding]) -> Finding:
    """Ask a criterion of each replica; the worst answer decides, and each is told.

    What cannot be decided of one that came or went, for want of time, is told and decides nothing; but one
    without a single good sample is UNKNOWN, and so is a run in which nothing was decided of any.
    """
    everybody = of(history.observations)
    asked = [(one, view(history, one)) for one in everybody]
    found = [(one, check(seen), seen) for one, seen in asked]
    deciding = [
        (one, f) for one, f, seen in found if f.status is not Status.UNKNOWN or not _too_short(one, seen)
    ]
    told = tuple(f"{one}: {f.status.value}: {f.got}" for one, f, _ in found)
    if not deciding:
        wanted = found[0][1].wanted if found else "every replica judged by itself"
        mend = "see the probe 'replicas'; let the target file's endpoints.pods select the Gateway's pods"
        return unknown(wanted, "no replica was there for long enough", 0, mend, told)
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    status = min((f.status for _, f in deciding), key=order.index)
    worst = [(one, f) for one, f in deciding if f.status is status]
    first, finding = worst[0]
    return replace(
        finding,
        wanted=f"{finding.wanted}, of each of {len(everybody)} replicas",
        got=_listed([f"{one}: {f.got}" for one, f in worst]),
        samples=sum(f.samples for _, f in deciding),
        examples=(*(f"{first}: {line}" for line in finding.examples), *told),
    )


def _too_short(one: Replica, seen: History) -> bool:
    """Return whether a replica need not be decided: it came or went, and was seen, if it could be."""
    if one.stayed:
        return False
    good = any(o.ok for o in seen.samples(signals.METRICS))
    return good or one.went_s - max(one.came_s, 0.0) < signals.BLIND_S


def _listed(lines: list[str]) -> str:
    rest = len(lines) - _MANY
    return "; ".join(lines[:_MANY]) + (f"; and {rest} more" if rest > 0 else "")


def _meets(o: Observation, bad: Observation) -> bool:
    return o.asked_s <= bad.answered_s + _ASIDE_S and bad.asked_s - _ASIDE_S <= o.answered_s
