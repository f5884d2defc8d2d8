"""What the benchmarks stand on: the plain join finds what is missing, and the generator's ledger is whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import histories
import pytest
from faulty_server import WAIT_S
from live_folder import live

from benchmarks import sinks
from reports import folder
from reports.accounting import account
from reports.attempts import Attempts
from reports.history import Outcome
from reports.reconcile import missing
from shapes.alerts import Naming

ROOT = Path(__file__).resolve().parent.parent


def test_the_plain_join_names_what_the_accounting_calls_lost(tmp_path: Path) -> None:
    """Of alerts without repeats both say the same: acknowledged, and not read back by their ids."""
    told = histories.history(6, lost=(1, 4), rejected_safe=1, indeterminate=1)
    run = folder.read(live(told, tmp_path / "run"))
    naming = Naming(run.run.token)
    ids = [naming.alert_id(r.creator) for r in run.resources or () if r.creator is not None]
    assert isinstance(run.attempts, Attempts)
    assert missing(run.attempts, naming, ids) == list(account(run).lost)
    assert missing(run.attempts, naming, []) == [a.number for a in run.of(Outcome.ACKED)]


@pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="no C compiler makes the sink")
@pytest.mark.parametrize("rate", ["0", "2000"])
def test_the_generator_of_the_benchmarks_accounts_for_every_alert(tmp_path: Path, rate: str) -> None:
    """As fast as it can and at a rate: as many at the sink's answers as planned, sealed and undamaged."""
    program = sinks.compiled(tmp_path)
    assert program
    with sinks.running(program) as url:
        command = [sys.executable, "-m", "benchmarks.generator", url, rate, "1000", "1", "20", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=WAIT_S * 2, check=True)
    got = json.loads(done.stdout)
    assert (got["planned"], got["outcomes"]) == (1000, {"acked": 1000})
