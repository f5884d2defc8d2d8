"""The judgement of a run of a million alerts, each with a RemediationRequest.

``python -m benchmarks.judge_bench FOLDER [ALERTS]`` builds its folder with the tool's own writers, judges it,
and prints what that took, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from chaos_hooks.answers import Answer
from chaos_hooks.ledger import Ended, Ledger
from reports import folder as run_folder
from reports import truth_file, writing
from reports.accounting import account
from reports.history import Asked, Outcome, PhaseSpan, Resource, Run
from reports.verdict import judge
from shapes.alerts import Planned

COUNT, BATCH, PER_S = 1_000_000, 48, 20_000
LOST = (4711, 500_001)
_PROMISES = ("zero_loss", "no_duplicates", "no_unexpected", "safe_rejections", "all_created", "count_exact")


def measure(path: Path, count: int = COUNT) -> dict[str, float]:
    """Return seconds of processor by step, and the most memory.

    Raises:
        SystemExit: if the verdict is not what it must be.
    """
    build(path, count)
    took: dict[str, float] = {}
    last_s = time.process_time()

    def lap(name: str) -> None:
        nonlocal last_s
        now_s = time.process_time()
        took[name] = round(now_s - last_s, 3)
        last_s = now_s

    truth_file.read(path, [])
    lap("parsing the API's answers")
    history = run_folder.read(path)
    lap("reading the folder, those answers too")
    found = account(history)
    lap("reconciling")
    verdict = judge(history)
    lap("every criterion")
    lost = tuple(n for n in LOST if n < count)
    if found.lost != lost or f"{len(lost)} of {count:,} acknowledged" not in verdict.sentence:
        raise SystemExit(f"the verdict is wrong: {verdict.sentence} {found.lost[:5]}")
    for name in ("html", "json", "junit", "markdown"):
        _, problem = writing.rendered(name, history, verdict)
        if problem:
            raise SystemExit(problem)
    lap("its four reports")
    took["reading the ledger"] = round(
        took["reading the folder, those answers too"] - took["parsing the API's answers"], 3
    )
    took["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return took


def build(path: Path, count: int) -> None:
    """Write the folder of a run in which two acknowledged alerts were lost."""
    path.mkdir(parents=True)
    phases = (PhaseSpan("load", 0.0, count / PER_S, "steady"),)
    promises = tuple(Asked(name, {}) for name in _PROMISES)
    names = ("million", "benchm", "judge-bench", "A million", "full", "none", "2026-01-01T00:00:00+00:00")
    run_folder.write_run(path, Run(*names, 1, count, 0, False, phases, promises))
    ledger, created = Ledger(path / "ledger.bin"), Answer(Outcome.ACKED, "created")
    for first in range(0, count, BATCH):
        alerts = [Planned(n, n, "load", n / PER_S) for n in range(first, min(first + BATCH, count))]
        ledger.begin_post(alerts, first / PER_S)
        ledger.end_all([Ended(a.number, created, a.due_s + 0.001, a.due_s + 0.002, 201) for a in alerts])
    ledger.seal()
    there = (n for n in range(count) if n not in LOST)
    resources = (Resource(f"rr-{n:012x}", f"{n:032x}", n, n, (), 1) for n in there)
    truth_file.write(path, resources, stable=True)
    run_folder.write_end(path, "completed", "")


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else COUNT)))
