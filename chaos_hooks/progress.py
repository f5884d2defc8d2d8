"""What a headless run prints while it goes: one line, rewritten on a terminal, now and then elsewhere."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import sys
from collections.abc import Callable
from typing import TextIO

import gevent

from chaos_hooks.live_run import LiveRun, Stage
from reports.history import Outcome
from reports.presentation import plain
from reports.signals import CLOSED, HALF_OPEN, METRICS, OPEN, SENTINEL
from shapes.scenario import Scenario

_LOOK_S = 0.1
_EVERY_S = 0.5
_EVERY_PLAIN_S = 5.0
_WORDS = {CLOSED: "closed", HALF_OPEN: "half-open", OPEN: "OPEN"}


class Progress:
    """Prints to a stream; `say` puts a whole line above the live one.

    Under GitHub Actions what a scenario says is in a group of its own, and no text of others' is taken for a
    command to the runner. Nothing that is told here costs the run: a stream that takes no more is told of on
    stderr, once, and the run goes on to its verdict.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._groups = not self._live and os.environ.get("GITHUB_ACTIONS") == "true"
        self._in_group = False
        self._width = 0
        self._gone = False
        self._complaints: set[str] = set()

    def say(self, sentence: str) -> None:
        """Print a line that stays."""
        sentence = _harmless(sentence) if self._groups else sentence
        self._print("\r" + " " * self._width + "\r" if self._width else "", sentence + "\n")
        self._width = 0

    def group(self, title: str) -> None:
        """Begin a group of lines, where the CI folds them."""
        self.end_group()
        if self._groups:
            self._print("", f"::group::{title}\n")
            self._in_group = True
            atexit.unregister(self.end_group)
            atexit.register(self.end_group)  # Whatever ends the process, but for a SIGKILL.

    def group_of(self, scenario: Scenario) -> None:
        """Begin the group of a scenario's run."""
        self.group(f"{scenario.name} ({scenario.pace})")

    def end_group(self) -> None:
        """End the group, so that what follows is seen without a click; on a terminal, the live line."""
        if self._width:
            self._print("", "\n")
            self._width = 0
        if self._in_group:
            self._print("", "::endgroup::\n")
            self._in_group = False

    def follow(self, current: Callable[[], LiveRun | None]) -> None:
        """Print the line of the current run for as long as the process lives."""
        shown_s, before = 0.0, ("", "")
        last: LiveRun | None = None
        while True:
            run = current()
            if run is not last:
                last, before = run, ("", "")  # A new run has a target of its own: nothing has changed.
            if run and run.stage in (Stage.RUNNING, Stage.SETTLING, Stage.COLLECTING):
                now_s = run.clock.now()
                try:
                    before = self._tell_changes(run, before)
                    if abs(now_s - shown_s) >= (_EVERY_S if self._live else _EVERY_PLAIN_S):
                        shown_s = now_s
                        self._show(line(run))
                except Exception as problem:  # noqa: BLE001 - what is only told must not end the telling
                    self._complain(f"the progress could not be told: {type(problem).__name__}: {problem}")
            gevent.sleep(_LOOK_S)

    def _tell_changes(self, run: LiveRun, before: tuple[str, str]) -> tuple[str, str]:
        """Say when the breaker or the primary is seen to have changed, which the rare line would miss."""
        now = (breaker_word(run), primary(run))
        for name, was, is_now in zip(("breaker", "Redis primary"), before, now, strict=True):
            if was and is_now and was != is_now:
                self.say(f"{name}: {was} -> {is_now}, seen at {run.clock.now():.1f}s")
        return (now[0] or before[0], now[1] or before[1])

    def _show(self, text: str) -> None:
        if not self._live:
            self._print("", text + "\n")
            return
        self._print("\r", text.ljust(self._width))
        self._width = len(text)

    def _print(self, before: str, text: str) -> None:
        if self._gone:
            return
        try:
            self._stream.write(before + text)
            self._stream.flush()
        except (OSError, ValueError) as problem:
            self._gone = True
            self._complain(
                f"nothing more is printed ({problem}); the run goes on, its reports are in its folder"
            )
            _let_go(self._stream)

    def _complain(self, sentence: str) -> None:
        """Tell it on stderr, once."""
        if sentence not in self._complaints:
            self._complaints.add(sentence)
            with contextlib.suppress(OSError, ValueError):  # Nobody is left who could be told.
                print(f"alertstorm: {plain(sentence)}", file=sys.stderr, flush=True)


def _let_go(stream: TextIO) -> None:
    """Point a broken stream to nowhere, or Python would end with a code of its own when it flushes it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _harmless(text: str) -> str:
    """Return text of which GitHub's runner takes no line for a command: it looks for `::` at a line's begin,
    spaces apart, and for `##[` anywhere."""
    return re.sub(r"(?m)^(\s*):(?=:)", r"\1: ", text).replace("##[", "## [")


def line(run: LiveRun) -> str:
    """Return the run's state in one line: time, phase, next action, counts, breaker."""
    preparing = run.stage is Stage.PREPARING  # The run's clock stands for nothing yet.
    now_s = 0.0 if preparing else run.clock.now()
    timeline = run.bench.timeline
    phase = timeline.phase_at(now_s) if run.stage is Stage.RUNNING else run.stage.value
    parts = [f"[{max(0.0, now_s):5.1f}s/{timeline.ends_s:.0f}s] {phase}"]
    upcoming = next((a for a in timeline.actions() if a.at_s > now_s), None)
    if upcoming and not preparing:
        parts.append(f"{upcoming.verb} {upcoming.fault.name} in {upcoming.at_s - now_s:.0f}s")
    if run.bench.conductor and run.bench.conductor.active:
        parts.append("FAULT " + ", ".join(run.bench.conductor.active))
    if run.bench.tally:
        parts.append(counts(run))
    breaker = breaker_word(run)
    if breaker:
        parts.append(f"breaker {breaker}")
    return " | ".join(parts)


def counts(run: LiveRun) -> str:
    """Return the ledger's counts so far, those that are not zero."""
    tally = run.bench.tally
    assert tally
    named = [f"{tally.counts.get(o, 0)} {o.value}" for o in Outcome if tally.counts.get(o, 0)]
    return f"{tally.begun}/{run.scenario.alerts} alerts: {', '.join(named) or 'none answered'}"


def breaker_word(run: LiveRun) -> str:
    """Return the breaker's state as the last probe has it; empty if unknown."""
    latest = run.bench.prober.latest.get(METRICS) if run.bench.prober else None
    states = [v for k, v in (latest.values if latest else {}).items() if k.startswith("breaker.")]
    return _WORDS.get(states[0], "") if states else ""


def primary(run: LiveRun) -> str:
    """Return the Redis primary's address as the Sentinels have it; empty if unknown."""
    latest = run.bench.prober.latest.get(SENTINEL) if run.bench.prober else None
    return next((key.removeprefix("primary:") for key in latest.values), "") if latest else ""
