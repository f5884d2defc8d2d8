"""The ledger: what was written is read back, however its writer ended."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos_hooks.answers import Answer
from chaos_hooks.errors import RecordError
from chaos_hooks.ledger import Ended, Ledger
from reports import folder
from reports import ledger_frames as frames
from reports.history import Attempt, Outcome, Run
from shapes.alerts import Planned

ROOT = Path(__file__).resolve().parent.parent
CREATED = Answer(Outcome.ACKED, "created")


def alert(number: int) -> Planned:
    return Planned(number, number // 2, "chaos", number / 10)


def plan(path: Path, planned: int) -> Path:
    """Write the description of a run with so many alerts, and return its ledger's path."""
    run = Run("r", "tok", "s", "S", "quick", "t", "2026-01-01T00:00:00Z", 1, planned, 0, False, (), ())
    folder.write_run(path, run)
    return path / "ledger.bin"


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Every outcome with its times; what was not begun is unsent; sealed, and nothing damaged."""
    ledger = Ledger(plan(tmp_path, 5))
    ledger.begin(alert(0), 0.01)
    ledger.begin_post([alert(1), alert(2)], 0.125)
    ledger.begin(alert(3), 0.31)
    ledger.end(
        1, Answer(Outcome.REJECTED, "safe", "HTTP 503; é\n\u2028"), sent_s=0.2, done_s=0.25, status=503
    )
    ledger.end(0, CREATED, sent_s=0.02, done_s=0.5, status=201)
    ledger.end(2, Answer(Outcome.UNSENT, "connect", "refused"), sent_s=None, done_s=0.3, status=None)
    assert (ledger.begun, ledger.in_flight) == (4, 1)
    assert ledger.counts == {
        Outcome.ACKED: 1,
        Outcome.REJECTED: 1,
        Outcome.INDETERMINATE: 0,
        Outcome.UNSENT: 1,
    }
    ledger.seal()
    history = folder.read(tmp_path)
    killed = "begun, and the generator died before it wrote the outcome"
    assert history.attempts == (
        Attempt(0, 0, "chaos", 0.0, Outcome.ACKED, "created", 0.01, 0.02, 0.5, 201),
        Attempt(1, 0, "chaos", 0.1, Outcome.REJECTED, "safe", 0.125, 0.2, 0.25, 503, "HTTP 503; é\n\u2028"),
        Attempt(2, 1, "chaos", 0.2, Outcome.UNSENT, "connect", 0.125, None, 0.3, None, "refused"),
        Attempt(3, 1, "chaos", 0.3, Outcome.INDETERMINATE, "killed", 0.31, detail=killed),
        Attempt(4, 4, "", 0.0, Outcome.UNSENT, "stopped"),
    )
    assert (history.sealed, history.damage) == (True, ())


def test_a_ledger_is_readable_while_it_is_written(tmp_path: Path) -> None:
    """Each line is with the kernel when its method returns."""
    ledger = Ledger(plan(tmp_path, 1))
    ledger.begin(alert(0), 0.0)
    assert folder.read(tmp_path).attempts[0].kind == "killed"
    ledger.end(0, CREATED, sent_s=0.1, done_s=0.2, status=201)
    assert folder.read(tmp_path).attempts[0].kind == "created"
    assert not folder.read(tmp_path).sealed
    ledger.seal()


def test_calls_that_contradict_each_other_are_faults_of_the_program(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.bin")
    ledger.begin(alert(0), 0.0)
    with pytest.raises(RuntimeError, match="begun twice"):
        ledger.begin(alert(0), 0.0)
    with pytest.raises(RuntimeError, match="begun twice"):
        ledger.begin_post([alert(7), alert(7)], 0.0)
    with pytest.raises(RuntimeError, match="alert 1 ends, but is not in flight"):
        ledger.end(1, CREATED, sent_s=0.1, done_s=0.2, status=201)
    ledger.end(0, CREATED, sent_s=0.1, done_s=0.2, status=201)
    with pytest.raises(RuntimeError, match="alert 0 ends, but is not in flight"):
        ledger.end(0, CREATED, sent_s=0.1, done_s=0.2, status=201)
    ledger.begin(alert(3), 0.0)
    two = Ended(3, CREATED, 0.1, 0.2, 201)
    with pytest.raises(RuntimeError, match="ends twice"):
        ledger.end_all([two, two])
    before = ledger.path.read_bytes()
    ledger.seal()
    with pytest.raises(RuntimeError, match="is closed"):
        ledger.begin(alert(2), 0.0)
    assert ledger.path.read_bytes() == before + frames.seal(2, 1)


def test_a_ledger_is_never_continued_by_another_run(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.bin").seal()
    with pytest.raises(
        RecordError, match=r"ledger.bin: .*\(File exists\); give each run a folder of its own"
    ):
        Ledger(tmp_path / "ledger.bin")
    with pytest.raises(RecordError, match="No such file or directory"):
        Ledger(tmp_path / "missing" / "ledger.bin")


WRITER = """
import sys
from pathlib import Path
from chaos_hooks.answers import Answer
from chaos_hooks.errors import RecordError
from chaos_hooks.ledger import Ledger
from reports.history import Outcome
from shapes.alerts import Planned
def alert(n):
    return Planned(n, n, "chaos", n / 10)
"""


def start_writer(path: Path, code: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER + code, str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def test_a_killed_writer_leaves_every_alert_it_began(tmp_path: Path) -> None:
    """SIGKILL at any moment: no line is torn, and what had not ended reads as indeterminate."""
    code = """
ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(10**9):
    ledger.begin(alert(n), n)
    if n >= 3:  # Three are always in flight.
        ledger.end(n - 3, Answer(Outcome.ACKED, "created", "x" * 150), sent_s=1.0, done_s=2.0, status=201)
"""
    path = plan(tmp_path, 0)
    writer = start_writer(path, code)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    while path.stat().st_size < 10_000:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05))
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=20)
    history = folder.read(tmp_path)
    assert (history.damage, history.sealed) == ((), False)
    numbers = [attempt.number for attempt in history.attempts]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 20
    # Killed between a begin and the next end, there is one more in flight.
    assert [a.kind for a in history.attempts[:-4]] == ["created"] * (len(numbers) - 4)
    assert [a.outcome for a in history.attempts[-3:]] == [Outcome.INDETERMINATE] * 3


def test_a_full_disk_is_told_and_leaves_what_was_written(tmp_path: Path) -> None:
    """The line that found no room leaves nothing behind, and with room again the ledger goes on whole."""
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
n = 0
try:
    while True:
        ledger.begin(alert(n), n)
        n += 1
except RecordError as problem:
    print(problem)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.begin(alert(n), n)
ledger.seal()
print(ledger.begun)
"""
    path = plan(tmp_path, 0)
    writer = start_writer(path, code)
    said, _ = writer.communicate(timeout=20)
    assert writer.returncode == 0
    error, begun = said.decode().splitlines()
    mend = "raise the limit of a file's size (ulimit -f)"
    assert error == f"{path}: cannot be written (File too large); {mend}"
    history = folder.read(tmp_path)
    assert (len(history.attempts), history.sealed, history.damage) == (int(begun), True, ())
    assert int(begun) > 50
