"""The Conductor: injects and heals at absolute deadlines, and records what really happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from chaos_hooks.clock import RunClock
from chaos_hooks.errors import RecordError
from chaos_hooks.injection import InjectionError, Injector, Undo
from chaos_hooks.journal import Journal
from chaos_hooks.line_file import LineFile
from reports.history import Injection
from shapes.scenario import Fault
from shapes.timeline import Timeline


class Conductor:
    """Acts on the timeline. A fault is healed exactly once, on time or when the run is broken off."""

    def __init__(
        self,
        timeline: Timeline,
        injectors: Mapping[str, Injector],
        clock: RunClock,
        journal: Journal,
        record: LineFile,
        say: Callable[[str], None],
    ) -> None:
        self._timeline = timeline
        self._injectors = injectors
        self._clock = clock
        self._journal = journal
        self._record = record
        self._say = say
        self._undo: dict[str, Undo] = {}
        self.active: dict[str, Injection] = {}
        self.next_action = ""

    def run(self) -> None:
        """Do every action of the timeline at its time; return after the last heal."""
        for action in self._timeline.actions():
            self.next_action = f"{action.verb} {action.fault.name} at {action.at_s:g}s"
            self._clock.sleep_until(action.at_s)
            if action.verb == "inject":
                self._inject(action.fault)
            else:
                self._heal(action.fault.name)
        self.next_action = ""

    def heal_all(self) -> None:
        """Heal whatever is active; for the end of a run that is broken off."""
        for name in list(self._undo):
            # Whatever one backend raises, the other faults are healed. Not so while the timeline runs: there,
            # what is raised may be the run's end.
            self._heal(name, failures=Exception)

    def _inject(self, fault: Fault) -> None:
        injection = Injection(fault.name, fault.inject, fault.at_s, fault.for_s)
        self.active[fault.name] = injection

        def write_undo(undo: Undo) -> None:
            self._journal.injecting(fault.name, fault.inject, undo)
            self._undo[fault.name] = undo

        try:
            effect = self._injectors[fault.name].inject(write_undo)
        except InjectionError as problem:
            self._note(replace(injection, bit=False, error=str(problem)))
            self._say(f"fault {fault.name} was not injected: {problem}")
            if fault.name not in self._undo:
                del self.active[fault.name]  # It was refused before anything was done, so nothing is on.
            return
        began = replace(injection, began=effect.at, ended=effect.ended, bit=effect.seen)
        self._note(replace(began, evidence=effect.evidence))
        self._say(f"fault {fault.name} injected: {'; '.join(effect.evidence)}")

    def _heal(self, name: str, failures: type[Exception] = InjectionError) -> None:
        undo = self._undo.get(name)
        if undo is None:
            return
        injection = self.active[name]
        try:
            effect = self._injectors[name].heal(undo)
        except failures as problem:
            # Kept in the journal as not healed, so that the next start sweeps it.
            what = str(problem) if isinstance(problem, InjectionError) else repr(problem)
            self._note(replace(injection, error=f"not healed: {what}"))
            self._say(f"fault {name} could NOT be healed: {what}; its lease will end it")
            del self._undo[name]
            return
        del self._undo[name]
        evidence = (*injection.evidence, *effect.evidence)
        # Some faults show only in what happened until they were healed. One that never began cannot.
        bit = injection.bit
        if effect.bit is not None and injection.began is not None:
            bit = bool(bit) or effect.bit
        self._note(replace(injection, ended=injection.ended or effect.at, bit=bit, evidence=evidence))
        self._unless_full(lambda: self._journal.healed(name, "; ".join(effect.evidence)))
        self._say(f"fault {name} healed: {'; '.join(effect.evidence)}")
        del self.active[name]

    def _note(self, injection: Injection) -> None:
        self.active[injection.name] = injection
        self._unless_full(lambda: self._record.append(asdict(injection)))

    def _unless_full(self, write: Callable[[], None]) -> None:
        try:
            write()
        except RecordError as problem:
            # Healing comes before recording: a full disk must not leave a fault on.
            self._say(str(problem))
