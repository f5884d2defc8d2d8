"""A run's folder on disk: append-only JSON lines while it runs, a History when it is read back.

::

    run.json            what was to be done (written first)
    ledger.bin          when each alert was begun and how it ended, in columns (ledger_frames)
    ledger-NAME.bin     the same of a worker, for the alerts that it sent
    leases.jsonl        who was to send which alerts, in a distributed run; and workers.json (workers)
    ledger.jsonl        the same as lines, in runs of the first version
    baseline.json       the Gateway's metrics before the first alert
    post.json           the same after the settling
    observations.jsonl  one line a probe's answer
    injections.jsonl    one line a change of an injection; the last of each name counts
    truth.json          the RemediationRequests as read at the end
    deliveries.jsonl    what the Gateway answered to an Alertmanager, where a relay stood between
    series.json         metric series over the run, as Prometheus has them (written once, never judged)
    promql.json         the plan's queries and their values (written once, never judged)
    end.json            how the run ended (written last, before the verdict)
    logs/NAME.log       what a component logged; read of the Gateway, and where a criterion names it
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reports import (
    deliveries,
    leases,
    ledger,
    ledger_lines,
    logs,
    replica_sums,
    replicas,
    series,
    truth_file,
    workers,
)
from reports.history import (
    Asked,
    Attempt,
    History,
    Injection,
    Observation,
    PhaseSpan,
    Run,
    Try,
)
from reports.interval import Interval
from reports.ranges import Ranges
from reports.workers import Worker

FORMAT = 1


class FolderError(ValueError):
    """A folder that holds no run; the message names it and what is missing."""


def write_run(folder: Path, run: Run) -> None:
    """Write what is to be done.

    Raises:
        OSError: if the disk does not take it.
    """
    _write(folder / "run.json", {"format": FORMAT, **asdict(run), "unusable": sorted(run.unusable)})


def write_end(folder: Path, ended: str, detail: str, used: Mapping[str, float] | None = None) -> None:
    """Write how the run ended: completed, interrupted or failed; and what its process used, see `History`."""
    _write(folder / "end.json", {"ended": ended, "detail": detail, "used": used})


def write_metrics(folder: Path, when: str, snapshot: Mapping[str, object]) -> None:
    """Write all that the Gateway's metrics say at one time: ``when`` is baseline or post; or promql, for what
    the plan's queries say of the whole run.

    Raises:
        OSError: if the disk does not take it.
    """
    _write(folder / f"{when}.json", snapshot, indent=None)  # Hundreds of samples; a third of the size.


def read(folder: Path) -> History:
    """Read a run back, however much of it there is; what is missing or torn is named in ``damage``.

    Raises:
        FolderError: if there is no readable run.json.
    """
    run = description(folder)
    damage: list[str] = []
    taking_part = _workers(folder / workers.WORKERS, damage)
    error_s = max((worker.error_s or 0.0 for worker in taking_part), default=0.0)
    attempts, sealed = _attempts(folder, run, taking_part, damage)
    resources, stable = truth_file.read(folder, damage)
    end = _document(folder / "end.json", damage)
    injections = {
        line["name"]: _injection(line, error_s) for line in _lines(folder / "injections.jsonl", damage)
    }
    return History(
        run=run,
        attempts=attempts,
        injections=tuple(injections.values()),
        observations=_observations(folder, damage),
        resources=resources,
        stable=stable,
        sealed=sealed,
        ended=end["ended"] if end else "",
        ended_detail=end["detail"] if end else "",
        damage=tuple(damage),
        logs=logs.read(folder / "logs", run),
        workers=taking_part,
        used=end.get("used") if end else None,
        deliveries=_deliveries(folder / deliveries.FILE, damage),
        ranges=_ranges(folder / f"{series.FILE}.json"),
    )


def _observations(folder: Path, damage: list[str]) -> tuple[Observation, ...]:
    found = [_observation(line) for line in _lines(folder / "observations.jsonl", damage)]
    return (*found, *replica_sums.together(found)) if replicas.are_told(found) else tuple(found)


def _write(path: Path, value: object, indent: int | None = 1) -> None:
    # Written beside and renamed, so that a reader finds the whole of it or nothing.
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(value, indent=indent) + "\n", encoding="utf-8")
    beside.replace(path)


def description(folder: Path) -> Run:
    """Read what a run was to do, without the rest of its record; raises as `read` does."""
    path = folder / "run.json"
    try:
        got = json.loads(path.read_text(encoding="utf-8"))
        if got.pop("format") != FORMAT:
            raise FolderError(f"{path}: was written in another format than {FORMAT}; use that version")
        phases = tuple(PhaseSpan(**phase) for phase in got.pop("phases"))
        promises = tuple(Asked(**asked) for asked in got.pop("promises"))
        unusable = frozenset(got.pop("unusable", ()))
        return Run(**got, phases=phases, promises=promises, unusable=unusable)
    except OSError as problem:
        raise FolderError(f"{path}: cannot be read ({problem.strerror}); name a run's folder") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        if isinstance(problem, FolderError):
            raise
        raise FolderError(f"{path}: is not a run's description ({problem}); name a run's folder") from None


def _attempts(
    folder: Path, run: Run, taking_part: Sequence[Worker], damage: list[str]
) -> tuple[Sequence[Attempt], bool]:
    """Return the attempts, and whether every ledger was sealed."""
    files = sorted(folder.glob("ledger*.bin"), key=lambda path: (path.name != "ledger.bin", path.name))
    if not files and (folder / "ledger.jsonl").exists():
        return ledger_lines.read(_lines(folder / "ledger.jsonl", damage), run, damage)
    reader = ledger.Reader(damage)
    for path in files:
        reader.take(path)
    settled = {name[len("ledger-") : -len(".bin")] for name in reader.whole}
    settled |= {worker.name for worker in taking_part if worker.ended == "dead"}
    in_doubt = leases.in_doubt(_lines(folder / workers.LEASES, damage), settled)
    return reader.attempts(run.planned, in_doubt), bool(files) and reader.sealed


def _workers(path: Path, damage: list[str]) -> tuple[Worker, ...]:
    found = _document(path, damage)
    return workers.of(found["workers"]) if found else ()


def _deliveries(path: Path, damage: list[str]) -> dict[int, tuple[Try, ...]] | None:
    return deliveries.of(_lines(path, damage)) if path.exists() else None


def _ranges(path: Path) -> Ranges | None:
    """Return the series that were kept. They are only told: what cannot be read of them damages nothing."""
    if not path.exists():
        return None
    try:
        return series.of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        return Ranges(error=f"{path.name} cannot be read ({type(problem).__name__})")


def _injection(line: dict[str, Any], error_s: float) -> Injection:
    """Return an injection; its times are the master's, the alerts' the workers', and both are compared."""
    spans = {
        key: Interval(line[key]["earliest_s"] - error_s, line[key]["latest_s"] + error_s)
        if line[key]
        else None
        for key in ("began", "ended")
    }
    return Injection(**{**line, **spans, "evidence": tuple(line["evidence"])})


def _observation(line: dict[str, Any]) -> Observation:
    return Observation(**line)


def _document(path: Path, damage: list[str]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        damage.append(f"{path.name}: {problem}")
        return None
    return value


def _lines(path: Path, damage: list[str]) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for number, text in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            yield value
        else:
            damage.append(f"{path.name}: line {number} is torn")
