"""The kept logs: searched for an id, errors counted by the faults' times, and each pod's silence told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import histories
import pytest
from plan_histories import check, looks, steps

from reports import __main__ as command
from reports import log_search
from reports.finding import Status
from reports.history import History
from reports.log import Log, LogLine

ZERO = 1_772_366_400.0  # 2026-03-01T12:00:00Z
LINES = {
    "gateway": [
        '2026-03-01T12:00:01.000Z gateway-0: {"level":"info","msg":"took k3x9-0000001"}',
        '2026-03-01T12:00:03.000Z gateway-0: {"level":"error","msg":"redis: dial 10.0.0.7: refused"}',
        '2026-03-01T12:00:03.500Z gateway-1: {"level":"error","msg":"redis: dial 10.0.0.9: refused"}',
        '2026-03-01T12:00:06.000Z gateway-0: {"level":"error","msg":"lost K3X9-0000001"}',
        '2026-03-01T12:01:00.000Z gateway-0: level=error msg="too late"',
        "E0301 12:00:04.000000 1 no time of RFC 3339",
    ],
    "redis-0": ["2026-03-01T12:00:02.000Z redis-0: all is well, no ERRORS"],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run's folder with logs; its fault is on from 2 s to 5 s."""
    told = histories.history(run_changes={"zero_unix_s": ZERO})
    folder = histories.keep(told, tmp_path / "run")
    (folder / "logs").mkdir(exist_ok=True)
    for name, lines in LINES.items():
        (folder / "logs" / f"{name}.log").write_text("\n".join(lines) + "\n")
    return folder


def test_an_id_is_found_in_every_log(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With component and time in the run, in whatever case; exit code 1 where it stands nowhere."""
    assert command.main([str(run), "--grep", "k3x9-0000001"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"gateway     +1.000 s  {LINES['gateway'][0]}",
        f"gateway     +6.000 s  {LINES['gateway'][3]}",
    ]
    assert command.main([str(run), "--grep", "nowhere"]) == 1


def test_errors_are_counted_by_the_faults_times(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Alike ones together, whatever their numbers; those of no known time, and a log without any, too."""
    assert command.main([str(run), "--log-errors"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "gateway: 5 of 6 lines are warnings or errors",
        "  while redis-down was on: 2",
        "    2 times: redis: dial *.*.*.*: refused",
        "  in the 10 s after redis-down: 1",
        "    1 times: lost K*X*-*",
        "  at other times: 1",
        '    1 times: *-*-*T*:*:*.*Z gateway-*: level=error msg="too late"',
        "  at a time that the line does not tell: 1",
        "    1 times: E* *:*:*.* * no time of RFC *",
        "redis-0: 0 of 1 lines are warnings or errors",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"level":"error","msg":"a"}', "a"),
        ('{"severity":"FATAL","message":"b","error":"c"}', "b c"),
        ('{"level":"info","msg":"an ERROR of others"}', ""),
        ('level=error msg="d"', 'level=error msg="d"'),
        ("2026 ERROR e", "* ERROR e"),
        ('{"level":"warning","message":"f 7"}', "warning: f *"),
        ("W0301 12:00:04 g", "warning: W* *:*:* g"),
        ("12:00 INFO started with --log.level=error", ""),
        ("no errors at all", ""),
        ("{broken ERROR", "{broken ERROR"),
    ],
)
def test_what_is_an_error(line: str, said: str) -> None:
    """By its level where it is JSON, else by the words that loggers use."""
    assert log_search.error_of(line) == said


def test_options_that_make_no_sense_together_are_refused(run: Path) -> None:
    """And nothing is written."""
    assert command.main([str(run), "--grep", "x", "--write"]) == 2


def of_pods(silent_from_s: float, received: bool = True, there: bool = True) -> History:
    """Return a run of two pods, one of which logs nothing from a time on, and perhaps counted alerts."""
    grows = steps(*((float(k), float(k)) for k in range(10))) if received else (lambda at_s: 0.0)
    pods = {f"pod_of:gateway/{name}": 1.0 for name in ("a", "b")}
    components = looks("components", lambda at_s: pods if there or at_s < 3.0 else {"pod_of:gateway/a": 1.0})
    lines = [(k / 2, "a") for k in range(20)] + [(k / 2, "b") for k in range(20) if k / 2 < silent_from_s]
    log = tuple(LogLine(at_s, f"2026-03-01T12:00:00Z {pod}: x") for at_s, pod in sorted(lines))
    replicas = looks("replicas", lambda at_s: {"a:1": 1.0, "b:2": 1.0}, every_s=1.0)
    own = [
        o for key in ("a:1", "b:2") for o in looks(f"replica:{key}", lambda at_s: {"received": grows(at_s)})
    ]
    told = histories.history(10, observations=(*components, *replicas, *own))
    return replace(told, logs=(Log("gateway", log),))


@pytest.mark.parametrize(
    ("told", "status", "got"),
    [
        (of_pods(99.0), Status.PASS, "a: "),
        (of_pods(2.5), Status.FAIL, "b: 1 lines, silent for up to 3.05 s"),
        (of_pods(0.0), Status.FAIL, "b: 0 lines, silent for up to"),
        (of_pods(2.5, received=False), Status.UNKNOWN, "b: 1 lines, silent for up to 3.05 s"),
        (of_pods(2.5, there=False), Status.PASS, ""),
    ],
)
def test_one_pod_that_falls_silent_is_told_by_name(told: History, status: Status, got: str) -> None:
    """Convicted if it counted alerts meanwhile; one that went is not waited for."""
    finding = check("logs_alive", told, max_gap_s=1.0)

    assert finding.status is status
    assert finding.got.startswith(got)
