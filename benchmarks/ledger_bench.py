"""A ledger of a million alerts: memory, writing, reading, and the plain join with a million ids."""

from __future__ import annotations

import resource
import time
from pathlib import Path

from chaos_hooks.answers import Answer
from chaos_hooks.ledger import Ended, Ledger
from reports.history import Outcome
from reports.ledger import Reader
from reports.reconcile import missing
from shapes.alerts import Naming, Planned

COUNT, BATCH = 1_000_000, 2_000


def million(folder: Path) -> dict[str, float]:
    """Print what was measured, and return the figures."""
    path = folder / "million.bin"
    written_s = _write(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun_s = time.perf_counter()
    reader = Reader([])
    reader.take(path)
    attempts = reader.attempts(COUNT)
    read_s = time.perf_counter() - begun_s
    naming = Naming("benchmark")
    ids = [naming.alert_id(n) for n in range(COUNT) if n != 4711]
    begun_s = time.perf_counter()
    lost = missing(attempts, naming, ids)
    joined_s = time.perf_counter() - begun_s
    if list(lost) != [4711]:
        raise SystemExit(f"the reconciliation is wrong: {list(lost)[:5]}")
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    disk = path.stat().st_size / COUNT
    print(f"ledger of {COUNT:,}: {disk:.1f} bytes an alert on disk, {attempts.columns.row_bytes} in memory")
    print(f"written in batches of {BATCH:,}: {written_s:.2f} s; read into columns: {read_s:.2f} s")
    print(f"reconciled with {COUNT - 1:,} ids: {joined_s:.2f} s; {grown_mb:.0f} MB more in use, with the ids")
    return {
        "bytes_on_disk": disk,
        "bytes_in_memory": attempts.columns.row_bytes,
        "written_s": written_s,
        "read_s": read_s,
        "joined_s": joined_s,
    }


def _write(path: Path) -> float:
    ledger, created = Ledger(path), Answer(Outcome.ACKED, "created")
    begun_s = time.perf_counter()
    for first in range(0, COUNT, BATCH):
        numbers = range(first, first + BATCH)
        at_s = first / 50_000
        ledger.begin_post([Planned(n, n, "load", n / 50_000) for n in numbers], at_s)
        ledger.end_all([Ended(n, created, at_s + 0.001, at_s + 0.002, 201) for n in numbers])
    ledger.seal()
    return time.perf_counter() - begun_s
