"""The emitter of a distributed load: it leases the schedule to the workers and gathers their ledgers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import gevent

from chaos_hooks import fleet_part, orders
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.fleet import Fleet, Member
from chaos_hooks.fleet_part import Part
from chaos_hooks.ledger import Ledger
from chaos_hooks.ledger_copy import LedgerCopy
from chaos_hooks.line_file import LineFile
from chaos_hooks.orders import Orders
from chaos_hooks.peer_clock import Estimate
from chaos_hooks.politeness import politely
from chaos_hooks.usage import Usage
from reports import workers
from reports.history import Outcome
from shapes import load, ranges, slices
from shapes.alerts import Planned
from shapes.dealer import AHEAD_S, Dealer, Lease
from shapes.scenario import Scenario

_TICK_S = 0.05
_PREPARE_S = 15.0
_LAST_WORDS_S = 5.0  # What a worker may take for its last rows, beyond the timeouts of its answers.


class FleetEmitter:
    """Does what `Emitter` does, by others' hands. Every offer is written down before it leaves."""

    def __init__(
        self,
        fleet: Fleet,
        told: Orders,
        scenario: Scenario,
        clock: RunClock,
        ledger: Ledger,
        fail: Callable[[BaseException], None],
        say: Callable[[str], None],
    ) -> None:
        """Take the ledger's folder for the workers' ledgers, too.

        Raises:
            RecordError: if the disk does not take the record of the leases.
        """
        self.parts: dict[str, Part] = {}
        self._fleet = fleet
        self._orders = told
        self._scenario = scenario
        self._clock = clock
        self._ledger = ledger
        self._folder: Path = ledger.path.parent
        self._fail = fail
        self._say = say
        self._dealer = Dealer()
        self._usage = Usage()
        self._record = LineFile(self._folder / workers.LEASES, new=True)
        self._started = self._stopped = self._finishing = self._settled = False

    @property
    def begun(self) -> int:
        """Return how many alerts the workers have begun, as they told last."""
        return sum(part.figures.get("begun", 0) for part in self.parts.values())

    @property
    def counts(self) -> dict[Outcome, int]:
        """Return the alerts ended so far by outcome, as the workers told last."""
        told = [part.figures.get("counts", {}) for part in self.parts.values()]
        return {outcome: sum(counts.get(outcome.value, 0) for counts in told) for outcome in Outcome}

    def prepare(self) -> None:
        """Give the workers their orders; return when as many are prepared as the fleet wants.

        Raises:
            SetupError: if they are not within some seconds.
        """
        self._fleet.attend(self._orders.run_id, self)
        with gevent.Timeout(_PREPARE_S, False):
            while len(self._prepared()) < self._fleet.least:
                gevent.sleep(_TICK_S)
            self._fleet.least = 1  # A campaign goes on with those that are left.
            return
        raise SetupError(self._fleet.missing)

    def emit(self, planned: Iterable[Planned]) -> None:
        """Lease every slice a second before it begins; return when the last was, or after `stop`."""
        try:
            self._emit(planned)
        except Exception as problem:  # noqa: BLE001 - told to the run, which ends by it.
            self._fail(problem)

    def stop(self) -> None:
        """Lease no more, and let the workers begin no more."""
        if not self._stopped:
            self._stopped = True
            self._dealer.close()
            self._tell_all("stop")

    def finish(self) -> None:
        """Let the workers finish what they have, retries too, and wait for their ledgers' seals."""
        if not self._stopped:
            self._tell_finish()
            policy = self._orders.policy
            retries_s = max(0.0, policy.ends_s - self._clock.now()) if policy else 0.0
            answers_s = self._orders.connect_timeout_s + self._orders.answer_timeout_s
            self._await_seals(retries_s + answers_s + _LAST_WORDS_S)

    def drain(self, for_s: float) -> None:
        """Wait for the workers' last rows; what is still unknown then is INDETERMINATE."""
        if self._settled:
            return
        self._settled = True
        self._tell_finish()
        self._await_seals(for_s + _LAST_WORDS_S)
        self._fleet.attend("", None)
        parts = list(self.parts.values())
        fleet_part.settle(parts, self._ledger, self._plan, self._clock.now(), self._say)
        fleet_part.write(self._folder / workers.WORKERS, parts, self._usage.used())
        self._record.close()

    def joined(self, member: Member) -> None:
        """Give a worker its orders; before the load as well as in its midst."""
        if member.name in self.parts or self._finishing or self._stopped:
            return
        try:
            self.parts[member.name] = Part(member, LedgerCopy(self._folder, member.name))
        except RecordError as problem:
            self._fail(problem)
            return
        member.post.send("run", {"orders": orders.to_wire(self._orders)})

    def obey(self, member: Member, name: str, data: Any) -> None:
        """Take a worker's word."""
        part = self.parts.get(member.name)
        if part is None:
            return
        if name == "prepared":
            part.prepared, part.path = True, data["path"]
            if self._started:
                self._start(part)
        elif name == "started":
            part.clock = Estimate(data["offset_s"], data["error_s"])
            part.measured(part.clock)
        elif name == "clock":
            part.measured(Estimate(data["offset_s"], data["error_s"]))
        elif name == "answer":
            self._answered(part, data["lease"], accepted=data["accepted"])
        elif name == "figures":
            part.figures = data
        elif name == "trouble":
            self._fail(RecordError(data["what"]))

    def rows(self, member: Member, begins: int, data: bytes) -> int:
        """Take a piece of a worker's ledger; return from where on the next is wanted."""
        part = self.parts[member.name]
        try:
            return part.copy.add(begins, data)
        except (RecordError, ValueError) as problem:
            self._fail(RecordError(str(problem)))
            return begins

    def _plan(self) -> Iterator[Planned]:
        return politely(load.plan(self._scenario))

    def _emit(self, planned: Iterable[Planned]) -> None:
        self._started = True
        for part in self._prepared():
            self._start(part)
        begins_s = 0.0
        for piece in slices.cut(politely(planned)):
            begins_s = piece.begins_s
            self._deal_until(begins_s - AHEAD_S)
            if self._stopped:
                return
            self._offer(self._dealer.deal(piece, self._clock.now()))
        self._deal_until(begins_s + slices.SLICE_S)
        self._dealer.close()

    def _deal_until(self, at_s: float) -> None:
        """Offer what waits for a worker until a time, or `stop`."""
        while not self._stopped:
            for part in self._prepared():
                self._note_presence(part)
            self._offer(self._dealer.tick(self._clock.now()))
            if self._clock.now() >= at_s:
                return
            gevent.sleep(min(_TICK_S, max(0.0, at_s - self._clock.now())))

    def _note_presence(self, part: Part) -> None:
        if self._fleet.is_here(part.member):
            self._dealer.join(part.member.name)
        else:
            self._dealer.leave(part.member.name)

    def _offer(self, offers: list[Lease]) -> None:
        told = [(lease, ranges.pack(alert.number for alert in lease.alerts)) for lease in offers]
        self._record.append(*({"r": "offer", "l": le.number, "w": le.worker, "n": n} for le, n in told))
        for lease, numbers in told:
            part = self.parts[lease.worker]
            part.leases[lease.number] = numbers
            part.member.post.send("lease", {"run": self._orders.run_id, **orders.lease_to_wire(lease)})

    def _answered(self, part: Part, number: int, *, accepted: bool) -> None:
        if self._dealer.answer(number, accepted=accepted) is None:
            return
        if not accepted:
            del part.leases[number]
            part.refused += 1
        try:
            self._record.append({"r": "answer", "l": number, "ok": accepted})
        except RecordError as problem:
            self._fail(problem)

    def _prepared(self) -> list[Part]:
        return [part for part in self.parts.values() if part.prepared]

    def _start(self, part: Part) -> None:
        zero_s, zero_unix_s = self._clock.zero
        data = {"run": self._orders.run_id, "zero_s": zero_s, "zero_unix_s": zero_unix_s}
        part.member.post.send("start", data)
        self._note_presence(part)

    def _tell_finish(self) -> None:
        if not self._finishing:
            self._finishing = True
            self._tell_all("finish")

    def _tell_all(self, name: str) -> None:
        for part in self.parts.values():
            part.member.post.send(name, {"run": self._orders.run_id})

    def _await_seals(self, for_s: float) -> None:
        """Return when every worker that is still here has sealed its ledger, or after so many seconds."""
        with gevent.Timeout(for_s, False):
            while any(not p.copy.sealed and self._fleet.is_here(p.member) for p in self.parts.values()):
                gevent.sleep(_TICK_S)
