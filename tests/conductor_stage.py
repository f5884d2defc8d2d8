"""A Conductor on a stage of its own: a clock that jumps, and fault backends that do what a test wants."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import gevent
import gevent.event

from chaos_hooks import journal
from chaos_hooks.clock import RunClock
from chaos_hooks.conductor import Conductor
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.journal import Journal
from chaos_hooks.line_file import LineFile
from reports.interval import Interval
from shapes.scenario import AlertRecipe, Fault, Phase, Scenario
from shapes.timeline import Timeline


class JumpingClock:
    """A clock that sleeps by jumping; ``slow_s`` passes at each asking for the time."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.slept_until: list[float] = []

    def now(self) -> float:
        return self.at_s

    def sleep_until(self, at_s: float) -> None:
        self.slept_until.append(at_s)
        self.at_s = max(self.at_s, at_s)


@dataclass
class FakeInjector:
    """Does what a test wants of it, and tells a log shared by all what was called when."""

    name: str
    clock: JumpingClock
    log: list[str]
    journaled: Callable[[], list[str]]
    inject_fails: str = ""
    heal_fails: BaseException | None = None
    takes_s: float = 0.0
    hangs: gevent.event.Event | None = None
    undos: list[Undo] = field(default_factory=list)

    def available(self) -> str:
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        begun_s = self.clock.now()
        if self.inject_fails == "before the undo":
            raise InjectionError("refused")
        write_undo({"of": self.name})
        assert self.journaled()[-1] == f"inject {self.name}", "the undo is on disk before anything is done"
        if self.hangs:
            self.hangs.set()
            gevent.sleep(1000)
        self.clock.at_s += self.takes_s
        if self.inject_fails:
            raise InjectionError("no answer")
        self.log.append(f"{self.name} injected at {begun_s:g}")
        return Effect(Interval(begun_s, self.clock.now()), True, (f"{self.name} bit",))

    def heal(self, undo: Undo) -> Effect:
        self.undos.append(undo)
        if self.heal_fails:
            raise self.heal_fails
        self.log.append(f"{self.name} healed at {self.clock.now():g}")
        return Effect(Interval(self.clock.now(), self.clock.now()), True, (f"{self.name} is back",))

    def sweep(self, undo: Undo) -> str:
        raise NotImplementedError


class Stage:
    """A Conductor with fake injectors for faults given as name, at and for."""

    def __init__(self, folder: Path, *faults: tuple[str, float, float]) -> None:
        self.folder = folder / "run"
        self.folder.mkdir()
        self.clock = JumpingClock()
        self.said: list[str] = []
        self.log: list[str] = []
        planned = tuple(Fault(name, "fake", at_s, for_s, {}) for name, at_s, for_s in faults)
        phase = Phase("chaos", "steady", Fraction(1), 100.0)
        scenario = Scenario("s", "S", "t", "quick", 0, AlertRecipe(), (phase,), 0.0, planned, ())
        self.fakes = {f.name: FakeInjector(f.name, self.clock, self.log, self.journaled) for f in planned}
        self.journal = Journal(self.folder)
        self.record = LineFile(self.folder / "injections.jsonl")
        self.conductor = Conductor(
            Timeline(scenario),
            self.fakes,
            cast(RunClock, self.clock),
            self.journal,
            self.record,
            self.said.append,
        )

    def journaled(self) -> list[str]:
        lines = (self.folder / journal.NAME).read_text().splitlines()
        return [f"{entry['verb']} {entry['fault']}" for entry in map(json.loads, lines)]

    def recorded(self, name: str) -> list[dict[str, Any]]:
        lines = map(json.loads, (self.folder / "injections.jsonl").read_text().splitlines())
        return [line for line in lines if line["name"] == name]

    def leftovers(self) -> list[str]:
        """End the run, and return what the next one would find on."""
        self.journal.close()
        return [left.fault for left in journal.leftovers(self.folder.parent)]
