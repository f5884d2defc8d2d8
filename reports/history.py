"""The recorded truth of one run: all that the judge ever sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from reports.interval import Interval
from reports.log import Log
from reports.observation import Observation as Observation
from reports.ranges import Ranges
from reports.workers import Worker

Made = TypeVar("Made")


class Outcome(StrEnum):
    """What the sender may believe of an alert; not what is true."""

    ACKED = "acked"
    REJECTED = "rejected"
    INDETERMINATE = "indeterminate"
    UNSENT = "unsent"


def deciding(outcomes: Sequence[Outcome]) -> int:
    """Return which of an alert's tries decides its outcome: the first that was acknowledged; else the last
    that may have been taken; else the last that was refused; else the last. So UNSENT stays what it means:
    not one of the tries was delivered."""
    for outcome in (Outcome.ACKED, Outcome.INDETERMINATE, Outcome.REJECTED):
        found = [index for index, each in enumerate(outcomes) if each is outcome]
        if found:
            return found[0] if outcome is Outcome.ACKED else found[-1]
    return len(outcomes) - 1


@dataclass(frozen=True, slots=True)
class Try:
    """One of an alert's tries, by a sender that sends again; fields as in `Attempt`."""

    outcome: Outcome
    kind: str = ""
    begun_s: float | None = None
    sent_s: float | None = None
    done_s: float | None = None
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One alert and how its sending ended. Times in seconds since the start; None if it never came so far:
    ``begun_s`` when the generator took it up, ``sent_s`` when its last byte was handed over, ``done_s``
    when the answer was whole or given up.

    ``kind`` refines the outcome: created, duplicate, aggregated, resolved of ACKED; safe, unsafe of REJECTED;
    connect, send, answer, body, killed, worker of INDETERMINATE; connect, stopped of UNSENT.

    An alert that was sent again has ``tries`` > 1 and ``each`` of them; its own fields are those of the one
    that decided (see `deciding`), but for ``begun_s``, which is the first one's. ``volley`` is the number of
    the volley that it was released in, 0 if in none.
    """

    number: int
    subject: int
    phase: str
    due_s: float
    outcome: Outcome
    kind: str = ""
    begun_s: float | None = None
    sent_s: float | None = None
    done_s: float | None = None
    status: int | None = None
    detail: str = ""
    volley: int = 0
    tries: int = 1
    each: tuple[Try, ...] = ()

    @property
    def late_s(self) -> float | None:
        """Return how late the generator itself was, whatever the target did."""
        return None if self.begun_s is None else self.begun_s - self.due_s

    @property
    def latency_s(self) -> float | None:
        """Return the seconds from the due time, not the send time, to the whole answer."""
        return None if self.done_s is None else self.done_s - self.due_s

    @property
    def sendings(self) -> tuple[Try, ...]:
        """Return every try, also of an alert that was sent once."""
        once = Try(self.outcome, self.kind, self.begun_s, self.sent_s, self.done_s, self.status, self.detail)
        return self.each or (once,)


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault as it really was: asked for, effective, and whether its effect was seen.

    ``bit`` is True when an effect of its own was observed, False when it was looked for and not seen,
    None when nobody could look.
    """

    name: str
    injector: str
    asked_at_s: float
    asked_for_s: float
    began: Interval | None = None
    ended: Interval | None = None
    bit: bool | None = None
    evidence: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One alert's place in an aggregated RemediationRequest: the alert whose id it carries, the one in its
    pod label, and how often it occurred."""

    creator: int | None
    subject: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Resource:
    """A RemediationRequest as it was read back, with the alerts that can be recognised in it.

    ``creator`` is the alert whose id stands in its annotation, ``subject`` the one in its pod label,
    ``aggregated`` those in its affected resources; ``count`` is its occurrence count; ``window`` is the id of
    the storm window that it came from, empty if it names none. ``members`` are
    those of an aggregated one, for releases that keep more of them than their names. ``differs`` names what
    of its alerts is not as it was sent, like ``labels.severity``; None if nobody compared.
    """

    name: str
    uid: str
    creator: int | None
    subject: int | None
    aggregated: tuple[int, ...]
    count: int
    window: str = ""
    members: tuple[Member, ...] = ()
    differs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """When a phase of the plan begins and ends, in seconds since the start, and its pattern."""

    name: str
    begin_s: float
    end_s: float
    pattern: str = "steady"


@dataclass(frozen=True, slots=True)
class Asked:
    """A promise as the scenario asks for it."""

    criterion: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What was to be done, by whom and against what. ``zero_unix_s`` is the wall-clock time of second 0, by
    which the times in logs are placed; None if it was not recorded. ``unusable`` are the numbers of alerts
    that are sent to be refused. ``undecidable`` gives, by criterion, why the release shows nothing to
    decide it by."""

    run_id: str
    token: str
    scenario: str
    title: str
    pace: str
    target: str
    started_at: str
    seed: int
    planned: int
    faults_planned: int
    faults_disabled: bool
    phases: tuple[PhaseSpan, ...]
    promises: tuple[Asked, ...]
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    target_facts: Mapping[str, str] = field(default_factory=dict)
    zero_unix_s: float | None = None
    undecidable: Mapping[str, str] = field(default_factory=dict)
    unusable: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class History:
    """A run as recorded. ``resources`` is None when the truth was never read; ``stable`` tells that two
    readings of it in a row agreed. ``ended`` is completed, interrupted, failed, or empty if it died.
    ``logs`` are those of the Gateway and of the components that the run's criteria name, and no others.
    ``workers`` sent the alerts of a distributed run; ``used`` is what the process that conducted it, and sent
    the alerts of any other, used from the load's start on, as `Worker.used`. ``replica`` names the one of
    several replicas whose metrics alone are seen, which was there from ``came_s`` to ``went_s``. ``ranges``
    are told, never judged; ``deliveries`` are what a relay saw of an Alertmanager's tries, by alert."""

    run: Run
    attempts: Sequence[Attempt]
    injections: tuple[Injection, ...] = ()
    observations: tuple[Observation, ...] = ()
    resources: tuple[Resource, ...] | None = None
    stable: bool = False
    sealed: bool = False
    ended: str = ""
    ended_detail: str = ""
    damage: tuple[str, ...] = ()
    logs: tuple[Log, ...] = ()
    workers: tuple[Worker, ...] = ()
    used: Mapping[str, float] | None = None
    replica: str = ""
    came_s: float = -math.inf
    went_s: float = math.inf
    ranges: Ranges | None = None
    deliveries: Mapping[int, tuple[Try, ...]] | None = None
    _known: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def clock_error_s(self) -> float:
        """Return by how much the alerts' times may differ from the probes', which are the master's."""
        return max((worker.error_s or 0.0 for worker in self.workers), default=0.0)

    def once(self, what: str, make: Callable[[], Made]) -> Made:
        """Return what ``make`` makes of this history, made once, however many ask for it."""
        if what not in self._known:
            self._known[what] = make()
        found: Made = self._known[what]
        return found

    def of(self, outcome: Outcome) -> list[Attempt]:
        """Return the attempts that ended so."""
        return [attempt for attempt in self.attempts if attempt.outcome is outcome]

    def samples(self, probe: str) -> list[Observation]:
        """Return a probe's observations in order of asking, without those that only tell of the prober."""
        found = (o for o in self.observations if o.probe == probe and not o.overslept)
        return sorted(found, key=lambda o: o.asked_s)

    def injection(self, name: str = "") -> Injection | None:
        """Return the injection of that name, or the first one."""
        wanted = [i for i in self.injections if name in ("", i.name)]
        return min(wanted, key=lambda i: i.asked_at_s) if wanted else None
