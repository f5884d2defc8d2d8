"""Who sent a distributed run's alerts, as recorded: ``workers.json`` and ``leases.jsonl`` of a run's folder.

::

    leases.jsonl  offer l w n    before an offer leaves: lease, worker, alerts as runs [first, count, step]
                  answer l ok    the worker's word on it
    workers.json  what the master used, and one entry a worker; written when the load is over

A run without workers has neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LEASES, WORKERS = "leases.jsonl", "workers.json"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker's part: how many alerts it was leased, how many leases it refused. Its clock's offset to the
    master's was measured; its times are right to ``error_s``.

    ``used`` is what its process used: seconds of processor (``cpu_s``) in ``over_s`` seconds, and the most
    memory at once (``memory_mib``); None if it never told.

    ``ended``: sealed (its ledger is whole), dead (its process ended, its ledger was read from its disk), or
    lost (what it had and did not tell is INDETERMINATE).
    """

    name: str
    host: str
    pid: int
    offset_s: float | None
    error_s: float | None
    leased: int
    refused: int
    ended: str
    used: Mapping[str, float] | None = None

    @property
    def sentence(self) -> str:
        """Return its part in a line."""
        clock = "never compared" if self.error_s is None else f"right to {self.error_s * 1000:.1f} ms"
        shares = f"leased {self.leased} alerts, refused {self.refused} leases"
        told = f"{self.host}, process {self.pid}: {shares}, its record {self.ended}, its clock {clock}"
        if not self.used:
            return told
        busy = self.used["cpu_s"] / max(self.used["over_s"], 1e-3)
        spent = f"{self.used['cpu_s']:.1f} s of processor in {self.used['over_s']:.0f} s"
        return f"{told}, {spent} ({busy:.0%} of a core), {self.used['memory_mib']:.0f} MiB"


def document(workers: Sequence[Worker], master: Mapping[str, float]) -> dict[str, Any]:
    """Return what is written of them, and of what the master itself used."""
    return {"master": {"used": dict(master)}, "workers": [asdict(worker) for worker in workers]}


def of(value: Sequence[dict[str, Any]]) -> tuple[Worker, ...]:
    """Return what was written."""
    return tuple(Worker(**entry) for entry in value)
