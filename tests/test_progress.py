"""The progress of a headless run: one line, and a sentence for each change that it would miss."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from chaos_hooks import progress
from chaos_hooks.live_run import Stage
from chaos_hooks.progress import Progress
from reports.history import Observation, Outcome
from reports.signals import CLOSED, HALF_OPEN, METRICS, OPEN, SENTINEL
from shapes.scenario import AlertRecipe, Fault, Phase, Scenario
from shapes.timeline import Timeline


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Run:
    """What the progress line reads of a live run."""

    def __init__(self, at_s: float = 3.0, stage: Stage = Stage.RUNNING) -> None:
        phases = tuple(Phase(name, "steady", Fraction(10), 5.0) for name in ("baseline", "chaos"))
        fault = Fault("primary-down", "process", 5.0, 4.0, {})
        self.scenario = Scenario("s", "S", "t", "quick", 0, AlertRecipe(), phases, 2.0, (fault,), ())
        self.stage = stage
        self.clock = SimpleNamespace(now=lambda: at_s)
        self.bench = SimpleNamespace(
            timeline=Timeline(self.scenario),
            conductor=SimpleNamespace(active={}),
            tally=SimpleNamespace(begun=0, counts=dict.fromkeys(Outcome, 0)),
            prober=SimpleNamespace(latest={}),
        )

    def saw(self, breaker: float | None = None, primary: str = "") -> Run:
        """Let the probes have seen a state of the breaker, and a primary."""
        values = {} if breaker is None else {"received": 7.0, "breaker.redis": breaker}
        self.bench.prober.latest[METRICS] = Observation(METRICS, 0.0, 0.1, breaker is not None, values)
        if primary:
            found = {f"primary:{primary}": 1.0}
            self.bench.prober.latest[SENTINEL] = Observation(SENTINEL, 0.0, 0.1, True, found)
        return self


def test_the_line_tells_time_phase_next_action_counts_and_breaker() -> None:
    """All of it in one line; counts that are zero are left out."""
    run = Run(6.4).saw(HALF_OPEN)
    run.bench.conductor.active["primary-down"] = object()
    run.bench.tally.begun = 64
    run.bench.tally.counts |= {Outcome.ACKED: 50, Outcome.REJECTED: 3}

    assert progress.line(run) == (  # type: ignore[arg-type]
        "[  6.4s/12s] chaos | heal primary-down in 3s | FAULT primary-down"
        " | 64/100 alerts: 50 acked, 3 rejected | breaker half-open"
    )


@pytest.mark.parametrize(
    ("run", "begins"),
    [
        (Run(-0.5), "[  0.0s/12s] before | inject primary-down in 6s | 0/100 alerts: none answered"),
        (Run(11.0), "[ 11.0s/12s] settle | 0/100 alerts: none answered"),
        (Run(11.0, Stage.SETTLING), "[ 11.0s/12s] settling | 0/100"),
        (Run(2.0, Stage.PREPARING), "[  0.0s/12s] preparing | 0/100"),
        (Run(30.0, Stage.COLLECTING), "[ 30.0s/12s] collecting | 0/100"),
    ],
)
def test_the_line_holds_at_every_time(run: Any, begins: str) -> None:
    """Before the first alert, after the last, and while it is collected."""
    assert progress.line(run).startswith(begins)


def test_a_run_that_has_no_parts_yet_has_a_line() -> None:
    """While its target is started; the web page asks for it then, too."""
    run: Any = Run(0.0, Stage.PREPARING)
    run.bench.conductor = run.bench.tally = run.bench.prober = None

    assert progress.line(run).startswith("[  0.0s/12s] preparing")


@pytest.mark.parametrize(
    ("run", "word"),
    [
        (Run(), ""),
        (Run().saw(CLOSED), "closed"),
        (Run().saw(OPEN), "OPEN"),
        (Run().saw(7.0), ""),
        (Run().saw(), ""),
    ],
)
def test_the_breaker_is_named_only_if_known(run: Any, word: str) -> None:
    """A failed look tells nothing, and what stands for no state neither."""
    assert progress.breaker_word(run) == word


def test_a_sentence_takes_the_live_lines_place() -> None:
    """On a terminal the line is wiped before a sentence, and written over when it changes."""
    stream = Terminal()
    shown = Progress(stream)
    shown._show("[1s] long line")
    shown._show("[2s] short")
    shown.say("fault healed")
    shown.say("and more")

    wiped = "\r" + " " * len("[2s] short") + "\r"
    assert stream.getvalue() == f"\r[1s] long line\r[2s] short    {wiped}fault healed\nand more\n"


def test_the_live_line_is_ended_before_others_print() -> None:
    """Locust's table begins on a line of its own; ended twice is ended once."""
    stream = Terminal()
    shown = Progress(stream)
    shown._show("[9s] last")
    shown.end_group()
    shown.end_group()

    assert stream.getvalue() == "\r[9s] last\n"


def test_elsewhere_than_on_a_terminal_lines_follow_each_other() -> None:
    """A log keeps them all, and no carriage return."""
    stream = io.StringIO()
    shown = Progress(stream)
    shown._show("[1s] line")
    shown.say("fault healed")

    assert stream.getvalue() == "[1s] line\nfault healed\n"


def follow(monkeypatch: pytest.MonkeyPatch, *looks: Callable[[], Any]) -> str:
    """Let the progress look so often, and return what it printed of changes."""
    monkeypatch.setattr(progress, "_LOOK_S", 0.0)
    monkeypatch.setattr(progress, "_EVERY_PLAIN_S", 1e9)
    stream, left = io.StringIO(), list(looks)

    def current() -> Any:
        if not left:
            raise gevent.GreenletExit
        return left.pop(0)()

    gevent.spawn(Progress(stream).follow, current).join(20)
    assert not left
    return stream.getvalue()


def test_every_change_of_breaker_and_primary_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its time; what is not known for a while is no change."""
    run = Run(4.25)
    told = follow(
        monkeypatch,
        lambda: None,
        lambda: run.saw(CLOSED, "127.0.0.1:1"),
        lambda: run.saw(OPEN),
        lambda: run.saw(None, "127.0.0.1:2"),
        lambda: run.saw(CLOSED),
    )

    assert told.splitlines() == [
        "breaker: closed -> OPEN, seen at 4.2s",
        "Redis primary: 127.0.0.1:1 -> 127.0.0.1:2, seen at 4.2s",
        "breaker: OPEN -> closed, seen at 4.2s",
    ]


def test_another_runs_target_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run of the web UI has a primary of its own."""
    first, second = Run().saw(OPEN, "127.0.0.1:1"), Run().saw(CLOSED, "127.0.0.1:9")

    assert follow(monkeypatch, lambda: first, lambda: second, lambda: second) == ""
