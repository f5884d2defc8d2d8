"""A trial: one row run once, as a user would, by `locust --headless`, then judged without its criterion."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox import processes
from sandbox.selftest import target
from sandbox.selftest.row import Row

SCENARIOS = Path(__file__).with_name("scenarios")
CHECKOUT = target.CHECKOUT
_DEADLINE_S = 150.0
_PAUSE_AFTER_S, _PAUSE_S = 2.0, 3.0
_POLL_S = 0.1
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial. ``state`` is the verdict's, SKIPPED, or BROKEN with ``detail``; ``triggered`` how
    often the least frequent of what was planted bit; ``without`` the state when the criterion is disabled;
    ``looked`` the share, up to 1, of its looks at the readiness that the harness had time for."""

    state: str
    failed: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    triggered: int = 0
    without: str = ""
    detail: str = ""
    took_s: float = 0.0
    looked: float = 1.0


def run(row: Row, seed: int, folder: Path) -> Outcome:
    """Run a row in a new folder; whatever happens is told in the outcome."""
    folder.mkdir(parents=True)
    began_s = time.monotonic()
    bites = folder / "bites"
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            _command(row, seed, folder, bites),
            cwd=CHECKOUT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: processes.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - it makes one call
        )
        acted = _act(row, process, folder)
        code = _wait(process)
    outcome = _read(row, folder, code, bites, acted)
    return replace(outcome, took_s=round(time.monotonic() - began_s, 1))


def _command(row: Row, seed: int, folder: Path, bites: Path) -> list[str]:
    # Nothing is judged by Prometheus, and the wait for its first scrape takes a third of a short run.
    start = f"--prometheus off --gateway-env GATEWAY_BITES_FILE={shlex.quote(str(bites))}"
    if row.plants:
        start += f" --gateway-defects {shlex.quote(row.plants)}"
    words = [sys.executable, "-m", "locust", "--headless", "--loglevel", "WARNING"]
    words += ["--chaos-scenario", str(SCENARIOS / f"{row.scenario}.yaml"), "--chaos-seed", str(seed)]
    words += ["--chaos-runs-dir", str(folder / "runs"), "--chaos-start-args", start]
    path = target.write(row, folder)
    return [*words, "--chaos-target", str(path)] if path else words


def _environment() -> dict[str, str]:
    """The caller's, without what would change the run, or have each of its processes compile all sources."""
    others = ("CHAOS_", "LOCUST_", "SANDBOX_", "GATEWAY_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def _act(row: Row, process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Stop the generator for a while, once its load runs; whether that was done."""
    if row.act != "pause":
        return False
    deadline_s = time.monotonic() + _DEADLINE_S
    while not list((folder / "runs").glob("*/run.json")):
        if process.poll() is not None or time.monotonic() > deadline_s:
            return False
        time.sleep(_POLL_S)
    time.sleep(_PAUSE_AFTER_S)
    process.send_signal(signal.SIGSTOP)
    time.sleep(_PAUSE_S)
    process.send_signal(signal.SIGCONT)
    return True


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _read(row: Row, folder: Path, code: int, bites: Path, acted: bool) -> Outcome:
    output = (folder / "output").read_text(encoding="utf-8", errors="replace")
    verdicts = [path for path in (folder / "runs").glob("*/verdict.json") if not path.parent.is_symlink()]
    if len(verdicts) != 1:
        skipped = f"{row.scenario} is skipped" in output and code == 3 and not verdicts
        return (
            Outcome("SKIPPED", detail=output[-500:]) if skipped else Outcome("BROKEN", detail=output[-500:])
        )
    found = json.loads(verdicts[0].read_text(encoding="utf-8"))
    if code != found["exit_code"]:
        return Outcome("BROKEN", detail=f"exit code {code}, and the verdict says {found['exit_code']}")
    counted = Counter(bites.read_text().split()) if bites.exists() else Counter()
    triggered = min((counted[name] for name in row.planted), default=int(acted))
    without = ""
    if row.wants:
        without = judged_without(verdicts[0].parent, {row.wants, *row.allows}, folder / "without")
    return replace(_outcome(found, triggered, without), looked=looked(verdicts[0].parent))


def _outcome(found: dict[str, Any], triggered: int, without: str) -> Outcome:
    def those(status: str) -> tuple[str, ...]:
        return tuple(each["criterion"] for each in found["findings"] if each["status"] == status)

    return Outcome(found["state"], those("FAIL"), those("UNKNOWN"), triggered, without, found["sentence"])


def looked(run_folder: Path) -> float:
    """Return which share of a run's looks at the readiness were made: a probe looks five times a second, if
    the machine lets it. 1 where none was made, as there is nothing to tell by."""
    with (run_folder / "observations.jsonl").open(encoding="utf-8") as lines:
        asked_s = [each["asked_s"] for each in map(json.loads, lines) if each["probe"] == "ready"]
    if len(asked_s) < 2:
        return 1.0
    return round(min(1.0, (len(asked_s) - 1) * _LOOK_S / (max(asked_s) - min(asked_s))), 2)


def judged_without(run_folder: Path, criteria: set[str], folder: Path) -> str:
    """Return the state of a recorded run when it is judged again with these criteria disabled."""
    shutil.copytree(run_folder, folder)
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    told["promises"] = [each for each in told["promises"] if each["criterion"] not in criteria]
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    words = [sys.executable, "-m", "reports", str(folder), "--format", "json"]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    try:
        return str(json.loads(done.stdout)["state"])
    except (ValueError, KeyError):
        return f"BROKEN: {done.stderr[-200:]}"
