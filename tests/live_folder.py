"""A run's folder as the live run writes it, with the live run's own writers."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from chaos_hooks.answers import Answer
from chaos_hooks.ledger import Ledger
from chaos_hooks.line_file import LineFile
from reports import folder, truth_file
from reports.history import Attempt, History
from shapes.alerts import Planned


def to_the_microsecond(told: History) -> History:
    """Return a history with the times of its attempts as a ledger keeps them."""

    def kept(a: Attempt) -> Attempt:
        times = {name: getattr(a, name) for name in ("begun_s", "sent_s", "done_s")}
        return replace(a, **{name: None if at is None else round(at, 6) for name, at in times.items()})

    return replace(told, attempts=tuple(map(kept, told.attempts)))


def live(told: History, path: Path) -> Path:
    """Write a history with the writers of the live run: each line whole, injections as they change."""
    path.mkdir()
    folder.write_run(path, told.run)
    ledger = Ledger(path / "ledger.bin")
    for a in told.attempts:
        ledger.begin(Planned(a.number, a.subject, a.phase, a.due_s), a.begun_s or 0.0)
    for a in told.attempts:
        assert a.done_s is not None
        answer = Answer(a.outcome, a.kind, a.detail)
        ledger.end(a.number, answer, sent_s=a.sent_s, done_s=a.done_s, status=a.status)
    if told.sealed:
        ledger.seal()
    seen, faults = LineFile(path / "observations.jsonl"), LineFile(path / "injections.jsonl")
    for observation in told.observations:
        seen.append(asdict(observation))
    for fault in told.injections:
        faults.append(asdict(replace(fault, began=None, ended=None, bit=None, evidence=())))
        faults.append(asdict(replace(fault, ended=None)), asdict(fault))
    truth_file.write(path, list(told.resources or ()), stable=told.stable)
    folder.write_end(path, told.ended, told.ended_detail)
    return path
