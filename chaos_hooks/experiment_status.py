"""What an experiment's status says, by the records of its targets: one condition alone is never trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chaos_hooks.kubernetes_api import MANAGED_BY, OWNER


@dataclass(frozen=True, slots=True)
class Record:
    """One target as the controller keeps it. Times are RFC 3339 with whole seconds, of the cluster's clock;
    ``applied_at`` and ``recovered_at`` stand for: at the latest then, and are empty while it is not so."""

    target: str
    phase: str
    injected: int
    recovered: int
    applied_at: str
    recovered_at: str
    trouble: str

    @property
    def is_injected(self) -> bool:
        """Return whether the fault is on."""
        return self.phase == "Injected" and self.injected >= 1

    @property
    def is_recovered(self) -> bool:
        """Return whether the fault was on, and is over."""
        return self.phase == "Not Injected" and self.recovered >= self.injected >= 1


@dataclass(frozen=True, slots=True)
class State:
    """An experiment at one reading."""

    records: tuple[Record, ...]
    selected: str
    created_at: str
    deleted_at: str
    finalizers: tuple[str, ...]
    ours: bool

    @property
    def injected(self) -> bool:
        """Return whether it is on for every target, and there is one."""
        return bool(self.records) and all(record.is_injected for record in self.records)

    @property
    def recovered(self) -> tuple[Record, ...]:
        """Return the targets for which it was on and is over."""
        return tuple(record for record in self.records if record.is_recovered)

    @property
    def selects_nothing(self) -> bool:
        """Return whether the controller looked for targets and found none."""
        return self.selected == "False" and not self.records

    def __str__(self) -> str:
        told = [
            f"{record.target}: {record.phase}" + f", {record.trouble}" * bool(record.trouble)
            for record in self.records
        ]
        return "; ".join(told) or "no target yet"


def read(item: Mapping[str, Any]) -> State:
    """Return what an object of Chaos Mesh says; one that no controller has seen has no records."""
    status, metadata = item.get("status") or {}, item["metadata"]
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    records = (status.get("experiment") or {}).get("containerRecords") or ()
    return State(
        records=tuple(_record(record) for record in records),
        selected=conditions.get("Selected", ""),
        created_at=metadata.get("creationTimestamp", ""),
        deleted_at=metadata.get("deletionTimestamp", ""),
        finalizers=tuple(metadata.get("finalizers") or ()),
        ours=(metadata.get("labels") or {}).get(MANAGED_BY) == OWNER,
    )


def _record(item: Mapping[str, Any]) -> Record:
    events = item.get("events") or ()
    done = [e for e in events if e["type"] == "Succeeded"]
    applied = [e["timestamp"] for e in done if e["operation"] == "Apply"]
    recovered = [e["timestamp"] for e in done if e["operation"] == "Recover"]
    last = events[-1] if events else None
    trouble = ""
    if last is not None and last["type"] == "Failed":
        trouble = f"{last['operation']} failed: {last.get('message', '')}"
    return Record(
        target=item["id"],
        phase=item["phase"],
        injected=item.get("injectedCount", 0),
        recovered=item.get("recoveredCount", 0),
        applied_at=min(applied, default=""),
        recovered_at=max(recovered, default=""),
        trouble=trouble,
    )


def seconds_between(earlier: str, later: str) -> float | None:
    """Return the whole seconds between two stamps of the cluster; None if one is missing."""
    if not earlier or not later:
        return None
    first, second = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (earlier, later))
    return (second - first).total_seconds()
