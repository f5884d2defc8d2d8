"""Which earlier run a run may be put beside: the last that had the same plan, came to its end, and stands."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from reports import folder as run_folder
from reports.history import Run

_INVALID = "INVALID"
_NAMES = {
    "target": "target",
    "pace": "pace",
    "planned": "number of alerts",
    "phases": "phases",
    "faults_planned": "number of faults",
    "faults_disabled": "whether faults are injected",
    "promises": "criteria",
}


def plan_hash(run: Run) -> str:
    """Return twelve hex digits that runs of the same plan share: scenario, pace, phases, faults, promises and
    number of alerts, and the target by its name. The seed, versions and the target's facts are left out."""
    plan = {
        key: value
        for key, value in asdict(run).items()
        if key in ("scenario", "pace", "target", "planned", "faults_planned", "faults_disabled")
    }
    plan["phases"] = [asdict(phase) for phase in run.phases]
    plan["promises"] = [asdict(asked) for asked in run.promises]
    text = json.dumps(plan, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def earlier(folder: Path) -> tuple[Path | None, str]:
    """Return the last run before a folder's that it may be compared with; None without one, and then why:
    what keeps each earlier run of its scenario from being it.

    Raises:
        FolderError: if the folder is no run's.
    """
    own = run_folder.description(folder)
    found: list[tuple[str, str, Path]] = []
    others: Counter[str] = Counter()
    for path in folder.resolve().parent.iterdir():
        if path.is_symlink() or path.name == folder.resolve().name:
            continue
        try:
            run = run_folder.description(path)
        except run_folder.FolderError:
            continue
        if run.scenario != own.scenario or run.started_at >= own.started_at:
            continue
        why = unlike(run, own) or _unfit(path) or _other_faults(path, folder)
        if why:
            others[why] += 1
        else:
            found.append((run.started_at, path.name, path))
    return (max(found)[2], "") if found else (None, _none(own, others))


def unlike(before: Run, now: Run) -> str:
    """Return in what two runs' plans differ; empty if they are the same."""
    names = [name for key, name in _NAMES.items() if getattr(before, key) != getattr(now, key)]
    if before.scenario != now.scenario:
        names.insert(0, "scenario")
    return f"not the same plan: {', '.join(names)} differ" if names else ""


def _unfit(path: Path) -> str:
    """Return why a run's figures stand for nothing: it did not come to its end, or was INVALID."""
    ended = _told(path / "end.json", "ended")
    if ended != "completed":
        return ended or "never ended"
    # As it was judged at its end, for to judge every run again would take long.
    return "INVALID" if _told(path / "verdict.json", "state") == _INVALID else ""


def _other_faults(path: Path, own: Path) -> str:
    """Return that the faults, as they were asked for, are not the same, where both runs tell of all."""
    then, now = _faults(path), _faults(own)
    return "other faults" if then and now and then != now else ""


def _faults(path: Path) -> set[tuple[str, ...]]:
    found = set()
    try:
        for line in (path / "injections.jsonl").read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            found.add(tuple(str(told[k]) for k in ("name", "injector", "asked_at_s", "asked_for_s")))
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return found


def _told(path: Path, key: str) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _none(own: Run, others: Counter[str]) -> str:
    if not others:
        return f"there is no earlier run of {own.scenario} beside it"
    told = "; ".join(f"{count} {why}" for why, count in others.most_common())
    total = others.total()
    return f"of {total} earlier {'run' if total == 1 else 'runs'} of {own.scenario} beside it: {told}"
