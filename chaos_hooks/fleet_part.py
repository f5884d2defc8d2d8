"""A worker's part in a run, and what is made of it when the run is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_hooks import edition
from chaos_hooks.errors import RecordError
from chaos_hooks.fleet import Member
from chaos_hooks.ledger import Ledger
from chaos_hooks.ledger_copy import LedgerCopy
from chaos_hooks.peer_clock import Estimate
from chaos_hooks.usage import Used
from reports import ledger_frames, workers
from shapes import ranges
from shapes.alerts import Planned

_PIECE = 256 * 1024


@dataclass(slots=True)
class Part:
    """What a worker was given, and what it told. ``path`` is its own ledger, on its own machine; ``clock`` is
    what its times rest on, and ``error_s`` by how much they may be wrong, as far as was measured since."""

    member: Member
    copy: LedgerCopy
    path: str = ""
    prepared: bool = False
    clock: Estimate | None = None
    error_s: float = 0.0
    leases: dict[int, list[list[int]]] = field(default_factory=dict)
    refused: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    ended: str = ""

    def measured(self, now: Estimate) -> None:
        """Take note of a later estimate: what the clocks drifted apart adds to the error."""
        if self.clock:
            drifted_s = abs(now.offset_s - self.clock.offset_s) + now.error_s
            self.error_s = max(self.error_s, self.clock.error_s, drifted_s)

    def settle(self, say: Callable[[str], None]) -> None:
        """Find out how its ledger ended, and mend it from the worker's own disk where that can be read.

        - sealed: the worker said that nothing follows
        - dead: its process is gone, and all that it wrote is here: what it did not begin, nobody did
        - lost: nothing more is known
        """
        if not self.copy.sealed:
            reached = self._merge()
            facts = self.member.facts
            gone = reached and edition.started(facts["pid"]) != facts["started"]
            # Only now: what it wrote between the first reading and its death must not be missed.
            reached = gone and self._merge()
            self.ended = "sealed" if self.copy.sealed else "dead" if reached else "lost"
            word = {"dead": "its process ended", "lost": "nothing is heard of it"}.get(self.ended)
            if word:
                say(f"{self.member.title} did not seal its ledger: {word}")
        else:
            self.ended = "sealed"
        self.copy.close()

    def _merge(self) -> bool:
        """Take what the worker's own file has beyond what it sent; return whether the file was there."""
        if not self.path or not edition.machine() or self.member.facts["machine"] != edition.machine():
            return False
        try:
            data = Path(self.path).read_bytes()
        except OSError:
            return False
        begins = self.copy.add(0, b"")
        data = data[begins:]
        try:
            self.copy.add(begins, data[: ledger_frames.whole(data, begins)])
        except ValueError:
            return False  # It is damaged; what came of it before is kept.
        return True

    def given_up(self, planned: Iterable[Planned]) -> list[Planned]:
        """Return the alerts that it had; where its ledger, as far as it came, says more, that counts."""
        had = {n for runs in self.leases.values() for n in ranges.unpack(runs)}
        return [alert for alert in planned if alert.number in had]

    def told(self) -> workers.Worker:
        """Return what is recorded of it."""
        facts = self.member.facts
        return workers.Worker(
            name=self.member.name,
            host=facts["host"],
            pid=facts["pid"],
            offset_s=self.clock.offset_s if self.clock else None,
            error_s=self.error_s if self.clock else None,
            leased=sum(run[1] for runs in self.leases.values() for run in runs),
            refused=self.refused,
            ended=self.ended,
            used=self.figures.get("used"),
        )


def settle(
    parts: Sequence[Part],
    ledger: Ledger,
    plan: Callable[[], Iterable[Planned]],
    at_s: float,
    say: Callable[[str], None],
) -> None:
    """Settle every part; what a lost worker had is INDETERMINATE.

    Raises:
        RecordError: if the disk does not take that.
    """
    for part in parts:
        part.settle(say)
    for part in parts:
        if part.ended == "lost" and part.leases:
            ledger.give_up(
                part.given_up(plan()), at_s, f"leased to {part.member.name}, of which nothing is heard"
            )


def write(path: Path, parts: Sequence[Part], master: Used) -> None:
    """Write down who took part, and what the master itself used.

    Raises:
        RecordError: if the disk does not take it.
    """
    try:
        told = workers.document([part.told() for part in parts], master)
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as problem:
        raise RecordError(f"{path}: cannot be written ({problem.strerror}); make room") from None
