"""Random fault schedules, run one after another until one fails; that one is reduced, and kept as a file."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from pathlib import Path

from chaos_hooks import drawing
from chaos_hooks.campaign import Entry
from chaos_hooks.campaign_record import CampaignRecord
from chaos_hooks.errors import RecordError
from chaos_hooks.live_run import Result
from chaos_hooks.options import Options
from chaos_hooks.trial import Trial, told
from reports.campaign_plan import CampaignPlan
from reports.finding import Status
from reports.verdict import State
from shapes import reduction, scenario_file, units
from shapes.fault import Fault
from shapes.target import Target

FILE = "exploration.json"
FORMAT = 1


class Exploration(CampaignRecord):
    """A campaign whose next entry follows from the results before it. Bounded in runs and in time.

    A trial that is INVALID or UNKNOWN neither fails nor passes: in the reduction it is run once more, and
    then counts as not failing.
    """

    def __init__(self, folder: Path, plan: CampaignPlan) -> None:
        super().__init__(folder, plan)
        self.trials: list[Trial] = []
        self.failing: list[Trial] = []  # Each smaller than the one before.
        self.confirmed = False
        self.complete = False
        self._target: Target
        self._asked: Options
        self._say: Callable[[str], None]
        self._ends_s = 0.0
        self._left_out = ""  # Why no packets are dropped in the kernel.

    @classmethod
    def of(cls, asked: Options, target: Target, say: Callable[[str], None]) -> Exploration:
        """Make the folder of an exploration that was found possible by `first`.

        Raises:
            SetupError, RecordError: if it cannot be made.
        """
        found = cls.begin(Path(asked.runs_dir), [], asked)
        found._asked, found._target, found._say = asked, target, say
        found._left_out = drawing.kernel_lacks(target)
        if found._left_out:
            say(f"--chaos-explore: no packets are dropped in the kernel (netns): {found._left_out}")
        found._ends_s = time.monotonic() + units.duration_s(asked.explore_for)
        found._keep()
        return found

    def entries(self) -> Iterator[Entry]:
        """Yield what is to be run next, until a schedule failed and was reduced, or the bounds are met."""
        seed = self._asked.explore
        for number in range(self._asked.explore_runs):
            if not self._may_go_on():
                return
            name = f"explore-{seed}-{number}"
            trial = yield from self._try(name, "drawn", drawing.faults_of(seed, number, self._left_out))
            if trial.state == State.FAIL:
                yield from self._reduce(name, trial)
                return
        self.complete = True

    def finished(self, index: int, result: Result) -> None:
        """Write down how a trial ended; the next one follows from it.

        Raises:
            RecordError: if the disk does not take it.
        """
        super().finished(index, result)
        trial, verdict = self.trials[index], result.verdict
        convicted = [f.criterion for f in verdict.findings if f.status is Status.FAIL] if verdict else []
        run = result.folder.name if result.folder else ""
        state = verdict.state.value if verdict else ""
        self.trials[index] = Trial(trial.scenario, trial.how, trial.faults, run, state, tuple(convicted))
        self._keep()

    def summary(self) -> str:
        """Return which schedules were run, how each ended, and the file of the smallest that fails."""
        asked = self._asked
        lines = [
            f"exploration of seed {asked.explore}: {len(self.trials)} runs of at most {asked.explore_runs}"
        ]
        lines += [f"  {t.scenario:16} {t.state or '-':8} {t.how}: {told(t.faults)}" for t in self.trials]
        if self.smallest is None:
            return "\n".join([*lines, "no schedule failed"])
        how = (
            "nothing smaller that was asked for fails" if self.complete else "its bounds ended the reduction"
        )
        how += ", and it failed again" if self.confirmed else "; it was not seen to fail again"
        lines += [f"smallest that fails ({how}): {told(self.smallest.faults)}"]
        lines += [f"convicted by {', '.join(self.smallest.convicted_by)}", f"replay: {self._replay()}"]
        return "\n".join(lines)

    @property
    def smallest(self) -> Trial | None:
        """Return the smallest schedule that failed so far."""
        return self.failing[-1] if self.failing else None

    @property
    def reduced_file(self) -> Path:
        """Return where the smallest schedule that fails is kept, once there is one."""
        return self.folder / f"explore-{self._asked.explore}-reduced.yaml"

    def _reduce(self, name: str, failed: Trial) -> Iterator[Entry]:
        self._note_smallest(failed)
        asking, count = reduction.reduction(failed.faults), 0
        try:
            question = next(asking)
            while self._may_go_on():
                count += 1
                trial = yield from self._decide(f"{name}-r{count}", question.how, question.faults)
                if trial.fails_as(failed):
                    self._note_smallest(trial)
                question = asking.send(trial.fails_as(failed))
        except StopIteration:
            self.complete = True
            yield from self._confirm(name, failed)
        self._keep()

    def _confirm(self, name: str, failed: Trial) -> Iterator[Entry]:
        """Run the smallest again. If it does not fail again it failed by chance: then the one before it."""
        count = 0
        while self._may_go_on() and self.failing:
            count += 1
            again = yield from self._decide(f"{name}-a{count}", "again", self.failing[-1].faults)
            if again.fails_as(failed):
                self.confirmed = True
                return
            if len(self.failing) == 1:
                return
            self.failing.pop()
            self._write_smallest()

    def _decide(self, name: str, how: str, faults: tuple[Fault, ...]) -> Generator[Entry, None, Trial]:
        """Run a schedule, and once more if it was undecided or invalid."""
        trial = yield from self._try(name, how, faults)
        if trial.state in (State.INVALID, State.UNKNOWN) and self._may_go_on():
            trial = yield from self._try(f"{name}b", how, faults)
        return trial

    def _try(self, name: str, how: str, faults: tuple[Fault, ...]) -> Generator[Entry, None, Trial]:
        index = len(self.trials)
        self._say(f"\nrun {index + 1} of at most {self._asked.explore_runs}: {how}: {told(faults)}")
        self.trials.append(Trial(name, how, faults))
        entry = Entry(drawing.scenario_of(self._asked, name, faults), self._target)
        self.add(entry)
        yield entry
        return self.trials[index]

    def _may_go_on(self) -> bool:
        could_begin = all(trial.state for trial in self.trials)
        return could_begin and len(self.trials) < self._asked.explore_runs and time.monotonic() < self._ends_s

    def _note_smallest(self, trial: Trial) -> None:
        self.failing.append(trial)
        self._write_smallest()

    def _write_smallest(self) -> None:
        trial = self.failing[-1]
        remarks = (
            f"Found by --chaos-explore {self._asked.explore}, run {trial.run}: it failed by "
            f"{', '.join(trial.convicted_by)}.",
            f"Replay: {self._replay()}",
        )
        text = scenario_file.text(drawing.scenario_of(self._asked, trial.scenario, trial.faults), remarks)
        self._write_file(self.reduced_file, text)
        self._keep()

    def _replay(self) -> str:
        words = ["locust", "--headless", "--chaos-scenario", os.path.relpath(self.reduced_file)]
        for flag, value in (
            ("start-args", self._asked.start_args),
            ("gateway-command", self._asked.gateway_command),
        ):
            words += [f"--chaos-{flag}", value] if value else []
        return shlex.join(words)

    def _keep(self) -> None:
        document = {
            "format": FORMAT,
            "seed": self._asked.explore,
            "left_out": {"netns": self._left_out} if self._left_out else {},
            "most_runs": self._asked.explore_runs,
            "most_s": units.duration_s(self._asked.explore_for),
            "complete": self.complete,
            "confirmed": self.confirmed,
            "trials": [asdict(trial) for trial in self.trials],
            "smallest": asdict(self.smallest) if self.smallest else None,
            "file": self.reduced_file.name if self.smallest else "",
        }
        self._write_file(self.folder / FILE, json.dumps(document, indent=1) + "\n")

    def _write_file(self, path: Path, text: str) -> None:
        beside = path.with_name(f"{path.name}.part")
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        except OSError as problem:
            raise RecordError(f"{path}: cannot be written ({problem.strerror}); make room") from None
