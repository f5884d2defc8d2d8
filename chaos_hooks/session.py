"""A Locust process's session: one live run after another, each begun and ended by Locust's own events."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import gevent
import gevent.event
from locust.env import Environment

from chaos_hooks import (
    campaign_record,
    emergency_stop,
    last_words,
    notification,
    options,
    planning,
    refusal,
    roles,
)
from chaos_hooks.campaign import CampaignRun, Entry
from chaos_hooks.campaign_record import CampaignRecord
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.exploration import Exploration
from chaos_hooks.fleet import Fleet
from chaos_hooks.live_chart import LiveChart
from chaos_hooks.live_run import LiveRun, Result
from chaos_hooks.locust_stats import LocustStats
from chaos_hooks.options import Options
from chaos_hooks.progress import Progress
from chaos_hooks.worker import Worker
from reports import campaign_writing
from shapes.document import DocumentError
from shapes.scenario_shape import ScenarioShape


class Session:
    """Holds the run there is; Locust's listeners call it. ``record`` is the campaign's, None for one run."""

    def __init__(self) -> None:
        self._campaign: CampaignRun | None = None
        self._concluded: CampaignRun | None = None
        self.record: CampaignRecord | None = None
        self._codes: list[int] = []
        self._interrupts = 0
        self.results: list[Result] = []
        self.error = self.scenario_given = ""
        self._environment: Environment | None = None
        self._worker: Worker | None = None
        self._fleet: Fleet | None = None
        self._given: Options
        self._progress = Progress()
        self.live = LiveChart()

    def begin(self, environment: Environment) -> None:
        """Take the process over: check what was asked for, bind the shape, and follow the run.

        Raises:
            SystemExit: with code 2 and one sentence, when a headless run cannot begin.
        """
        self._environment = environment
        self._stats = LocustStats(environment)
        gevent.spawn(self._stats.run)
        parsed = environment.parsed_options
        assert parsed
        self._given = options.read(parsed)
        self.scenario_given = self._given.scenario
        if self._given.notify_url and (problem := notification.refused(self._given.notify_url)):
            sys.exit(refusal.say(problem))
        self._worker = roles.worker(environment, self._given, self._stats.note)
        if self._worker:
            return
        if not parsed.headless and (taken := refusal.taken_port(parsed.web_host, parsed.web_port)):
            sys.exit(refusal.say(taken))
        if parsed.headless:
            try:
                emergency_stop.refuse(Path(self._given.runs_dir))
                if self._given.resume:
                    record = campaign_record.read(Path(self._given.runs_dir), self._given.resume)
                    planning.resumed(record, campaign_record.options_of(record.plan, self._given))
                else:
                    planning.entries(self._given, self._given)
            except (SetupError, DocumentError) as problem:
                sys.exit(refusal.say(str(problem)))
            parsed.only_summary = True  # The progress line takes the place of Locust's table.
        self._fleet = roles.fleet(environment, self._given, self._progress.say)
        if isinstance(environment.shape_class, ScenarioShape):
            environment.shape_class.is_over = self.is_over
            if self._fleet:
                environment.shape_class.carriers = self._fleet.count
        # Locust takes SIGTERM over only after a headless run; until then it would just die, unjudged.
        gevent.signal_handler(signal.SIGTERM, lambda: self.stop("ended by SIGTERM"))
        # Python would raise KeyboardInterrupt in whichever greenlet happens to run, be it the one that heals.
        gevent.signal_handler(signal.SIGINT, self._interrupted, gevent.getcurrent(), bool(parsed.headless))
        gevent.spawn(self._progress.follow, lambda: self.run)
        gevent.spawn(emergency_stop.watch, Path(self._given.runs_dir), self.is_busy, self.stop)

    def _interrupted(self, main: gevent.Greenlet, headless: bool) -> None:
        """End what goes on, then Locust: a headless one ends when its run has, the web UI by a Ctrl-C of its
        own; so does either at the second Ctrl-C."""
        self._interrupts += 1
        if self._interrupts == 1:
            self.stop("stopped by the user")
            if headless and self.is_over():
                return
            if headless and self._fleet and not self._campaign:
                self._fleet.dismiss(main, "stopped by the user while it waited for workers")
                return
        gevent.kill(main, KeyboardInterrupt())

    @property
    def run(self) -> LiveRun | None:
        """Return the run that goes on, or the last one."""
        return self._campaign.current if self._campaign else None

    @property
    def running(self) -> int:
        """Return which entry of a campaign goes on, counted from 0; -1 before the first."""
        return self._campaign.index if self._campaign else -1

    def start(self) -> None:
        """Begin what was asked for; what cannot begin is told, and is over at once."""
        if self._worker or self._environment is None:
            return  # A worker begins when the master tells it; Locust's word may come before its init.
        assert self._environment.parsed_options
        self.error = ""
        self._campaign = self.record = None
        try:
            asked = options.changed_in_form(self._given, options.read(self._environment.parsed_options))
            asked, entries = self._plan(asked)
        except (SetupError, RecordError, DocumentError) as problem:
            self.error = str(problem)
            self._progress.say(f"alertstorm: {problem}")
            self._environment.process_exit_code = 2
            return
        self._environment.process_exit_code = 3  # Until there is a verdict, nothing is decided.
        progress = self._progress
        self._campaign = CampaignRun(
            entries, asked, progress.say, self._stats.note, self._finished, self._fleet, progress.group_of
        )
        if self._fleet:
            gevent.spawn(self._campaign.emit)  # A master has no users.

    def emit(self) -> None:
        """Carry the load of what goes on; the user of a worker is only a sign of it."""
        if self._worker or self._environment is None:
            gevent.event.Event().wait()
        if self._campaign:
            self._campaign.emit()

    def stop(self, reason: str) -> None:
        """End what goes on, early if need be, and remember how it ended."""
        campaign = self._campaign
        if campaign is None:
            return
        manned = self._fleet is None or self._fleet.is_manned
        campaign.break_off(reason if manned else "no worker is left")
        if campaign is self._concluded:
            return
        self._concluded = campaign
        self._conclude(campaign)

    def quit(self) -> None:
        """End what goes on, as the process ends."""
        if self._worker:
            self._worker.leave()
        self.stop("the process was told to end")

    def is_over(self) -> bool:
        """Return whether Locust may stop its test."""
        return self._campaign.is_over() if self._campaign else bool(self.error)

    def is_busy(self) -> bool:
        """Return whether something goes on that `stop` would end."""
        return bool(self._campaign) and not self.is_over()

    def print_last(self) -> None:
        """Print the verdict, the last thing a headless run says."""
        self._progress.end_group()
        if self.record:
            self._progress.say(last_words.of_campaign(self.record.folder, self.record.summary()))
        elif self.results:
            self._progress.say(last_words.of_run(self.results[-1]))

    def _finished(self, index: int, result: Result) -> None:
        """Tell of one entry's end while the others go on, and keep it."""
        self._progress.end_group()
        self.results.append(result)
        if result.verdict is None:
            self.error = result.error
        if self.record:
            self._progress.say(result.verdict.sentence if result.verdict else result.error)
            self.record.finished(index, result)

    def _conclude(self, campaign: CampaignRun) -> None:
        assert self._environment
        if self.record:
            self._end_record(self.record, campaign)
            code = campaign_writing.write_all(self.record.folder).exit_code
        elif campaign.results:
            code = max((r.exit_code for r in campaign.results.values()), key=_badness)
        else:
            code = 3  # Nothing was run, as everything was skipped or broken off.
        self._codes.append(code)
        self._environment.process_exit_code = max(self._codes, key=_badness)
        # Only now, when the verdict stands: whatever becomes of telling it changes nothing.
        self._progress.end_group()
        results = [r for r in campaign.results.values() if r.folder and r.verdict]
        folder = self.record.folder if self.record else results[-1].folder if results else None
        for problem in notification.tell(self._given.notify_url, folder):
            self._progress.say(f"alertstorm: {problem}")
        self._progress.group("Locust's own statistics")

    def _end_record(self, record: CampaignRecord, campaign: CampaignRun) -> None:
        """Write down how the campaign ended; if the disk does not take that, it is told, and never passes."""
        self.error = self.error or campaign.problem
        try:
            record.end(campaign.ended)
        except RecordError as problem:
            self.error = str(problem)
            if self.error != campaign.problem:
                self._progress.say(f"alertstorm: {problem}")

    def _plan(self, asked: Options) -> tuple[Options, Iterable[Entry]]:
        runs = Path(asked.runs_dir)
        emergency_stop.refuse(runs)
        if asked.resume:
            record = campaign_record.read(runs, asked.resume)
            asked = campaign_record.options_of(record.plan, asked)
            entries = planning.resumed(record, asked)
            record.reopen()  # Only now: a campaign that cannot be gone on with stays as it was.
            self.record = record
            return asked, entries
        entries = planning.entries(asked, self._given)
        if asked.explore >= 0:
            exploration = self.record = Exploration.of(asked, entries[0].target, self._progress.say)
            return asked, exploration.entries()
        if len(entries) > 1:
            self.record = CampaignRecord.begin(runs, entries, asked)
        return asked, entries


def _badness(code: int) -> int:
    return {0: 0, 3: 1, 1: 2, 2: 3}[code]
