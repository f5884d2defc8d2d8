"""A campaign: live runs one after another in one Locust test, each apart from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass

import gevent
import gevent.event

from chaos_hooks.cool_down import CoolDown
from chaos_hooks.delivery import Told
from chaos_hooks.errors import RecordError
from chaos_hooks.fleet import Fleet
from chaos_hooks.live_run import LiveRun, Result
from chaos_hooks.options import Options
from shapes.scenario import Scenario
from shapes.target import Target


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of a campaign and what it runs against; ``skip`` says why it is not run at all."""

    scenario: Scenario
    target: Target
    skip: str = ""


class CampaignRun:
    """Runs every entry, also after one that failed; `results` has one Result for each that was run.

    A single scenario is a campaign of one. Each entry is asked for when it is to be run, so that it may
    follow from the results before it. ``begun`` is called before an entry says its first word, ``finished``
    after each with its index and result, so that an interruption loses nothing. If the disk does not take
    that, no further entry is begun, and `problem` says why.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        options: Options,
        say: Callable[[str], None],
        told: Told,
        finished: Callable[[int, Result], None],
        fleet: Fleet | None = None,
        begun: Callable[[Scenario], None] = lambda _: None,
    ) -> None:
        self.current: LiveRun | None = None
        self.index = -1  # Of the entry that goes on.
        self.results: dict[int, Result] = {}
        self.broken_off = ""
        self.problem = ""
        self._whole = False
        self._entries = entries
        self._options = options
        self._say = say
        self._told = told
        self._finished = finished
        self._begun = begun
        self._fleet = fleet
        self._changed = gevent.event.Event()
        self._over = gevent.event.Event()
        self._cool_down = CoolDown(options, say, lambda: bool(self.broken_off))
        self._greenlet = gevent.spawn(self._run)

    def emit(self) -> None:
        """Carry the load of each run in turn; the Locust user calls this, and it returns after the last."""
        carried: LiveRun | None = None
        while not self._over.is_set():
            self._changed.clear()
            run = self.current
            if run is None or run is carried:
                self._changed.wait()
                continue
            carried = run
            run.emit()

    def is_over(self) -> bool:
        """Return whether every entry has its result, or the campaign was broken off."""
        return self._over.is_set()

    @property
    def ended(self) -> str:
        """Return how it ended: completed, interrupted, or failed, when something kept it from going on."""
        if self.broken_off:
            return "interrupted"
        return "completed" if self._whole else "failed"

    def break_off(self, reason: str) -> None:
        """End the run that goes on, begin no other, and return when that is done."""
        if self._over.is_set():
            return
        self.broken_off = self.broken_off or reason
        if self.current:
            self.current.break_off(reason)
        self._over.wait()

    def _run(self) -> None:
        try:
            for index, entry in enumerate(self._entries):
                if self.broken_off:
                    return
                if entry.skip:
                    self._say(f"{entry.scenario.name} is skipped: {entry.skip}")
                    continue
                if isinstance(self._entries, Sized) and len(self._entries) > 1:
                    self._say(f"\n{index + 1} of {len(self._entries)}: {entry.scenario.name}")
                self.index = index
                self._begun(entry.scenario)
                result = self._rested(entry)
                if result is None:
                    return  # What was never begun is to be run when this is gone on with.
                self.results[index] = result
                self._finished(index, result)
            self._whole = True
        except RecordError as problem:
            self.problem = str(problem)
            self._say(f"alertstorm: {problem}")
        finally:
            self._over.set()
            self._changed.set()

    def _rested(self, entry: Entry) -> Result | None:
        """Run one entry; in a campaign, against a target that is not started anew, once it is steady.

        None: it was broken off before that.
        """
        alone = isinstance(self._entries, Sized) and len(self._entries) == 1
        if alone or not self._cool_down.concerns(entry.target):
            return self._one(entry)
        lack = self._cool_down.lacks(entry.target)
        if self.broken_off:
            return None
        if lack:
            return Result(None, None, lack)
        result = self._one(entry)
        if self.current:
            self._cool_down.clean(entry.target, self.current.bench.naming)
        return result

    def _one(self, entry: Entry) -> Result:
        run = LiveRun(entry.scenario, entry.target, self._options, self._say, self._told, self._fleet)
        self.current = run
        self._changed.set()
        run.join()
        assert run.result
        return run.result
