"""Alerts by outcome and due time, and their latencies, as far as a run has come, for the live page."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import gevent

from chaos_hooks.ledger_tail import Landed, LedgerTail
from reports.chart import CLASSES, MOST_BUCKETS

MOST_POINTS = 2_000  # A page asks for them every second.


class LiveOutcomes:
    """Follows a run's ledgers. ``rates`` count every alert; of more than `MOST_POINTS` planned ones
    ``points`` has the slowest of each class in each ``window_s`` of due time. ``lost_ms`` are the lost ones'
    due times as differences, one for each window where they are more than can be drawn."""

    def __init__(self, folder: Path, planned: int, end_s: float) -> None:
        """Begin at the ledgers' beginning; ``end_s`` is when the run is to end."""
        self.end_s = max(1.0, end_s)
        self.bucket_s = float(max(1, math.ceil(self.end_s / MOST_BUCKETS)))
        self.window_s = self.end_s / (MOST_POINTS / 4) if planned > MOST_POINTS else 0.0
        self._tail = LedgerTail(folder)
        self._counts: dict[str, dict[int, int]] = {name: defaultdict(int) for name in CLASSES}
        # By class, then by number or window: due time and latency in milliseconds, and whose they are.
        self._points: dict[str, dict[int, tuple[int, float, int]]] = {name: {} for name in CLASSES}
        self._lost_ms: list[int] = []

    def read(self) -> None:
        """Take what is new; others have their turn between some hundred alerts. Raises as the tail does."""
        for landed in self._tail.read():
            for each in landed:
                self._take(each)
            gevent.sleep(0)

    def mark_lost(self, numbers: Collection[int]) -> None:
        """Tell those that the verdict calls lost from the acknowledged ones."""
        crowd_s = self.end_s / MOST_POINTS if len(numbers) > MOST_POINTS else 0.0
        ticks = set()
        for number in numbers:
            due_s = self._tail.due_s(number)
            if math.isnan(due_s):
                continue
            self._move(number, due_s, "acked", "lost")
            ticks.add(
                round((math.floor(due_s / crowd_s) + 0.5) * crowd_s * 1000 if crowd_s else due_s * 1000)
            )
        self._lost_ms = sorted(ticks)

    @property
    def totals(self) -> dict[str, int]:
        """Return how many alerts each class holds."""
        return {name: sum(counts.values()) for name, counts in self._counts.items()}

    def document(self) -> dict[str, Any]:
        """Return the parts of `reports.chart.Chart` that it knows."""
        buckets = int(self.end_s // self.bucket_s) + 1
        return {
            "end_s": self.end_s,
            "bucket_s": self.bucket_s,
            "rates": {
                name: [round(self._counts[name].get(k, 0) / self.bucket_s, 3) for k in range(buckets)]
                for name in CLASSES
            },
            "points": {name: self._drawn(name) for name in CLASSES},
            "window_s": self.window_s,
            "lost_ms": _differences(self._lost_ms),
        }

    def _take(self, landed: Landed) -> None:
        number, name, left, due_s, took_ms = landed
        if left and left != name:
            self._counts[left][self._bucket(due_s)] -= 1
            self._forget_point(left, number, due_s)
        if left != name:
            self._counts[name][self._bucket(due_s)] += 1
        key = self._key(number, due_s)
        known = self._points[name].get(key)
        if known is None or known[2] == number or known[1] < took_ms:
            self._points[name][key] = (round(due_s * 1000), took_ms, number)

    def _move(self, number: int, due_s: float, old: str, new: str) -> None:
        self._counts[old][self._bucket(due_s)] -= 1
        self._counts[new][self._bucket(due_s)] += 1
        point = self._forget_point(old, number, due_s)
        if point:
            self._points[new][number] = point

    def _forget_point(self, name: str, number: int, due_s: float) -> tuple[int, float, int] | None:
        key = self._key(number, due_s)
        known = self._points[name].get(key)
        return self._points[name].pop(key) if known and known[2] == number else None

    def _bucket(self, due_s: float) -> int:
        return max(0, int(due_s // self.bucket_s))

    def _key(self, number: int, due_s: float) -> int:
        return int(due_s // self.window_s) if self.window_s else number

    def _drawn(self, name: str) -> dict[str, list[Any]]:
        points = sorted(self._points[name].values())
        return {"at_ms": _differences([at for at, *_ in points]), "took_ms": [took for _, took, _ in points]}


def _differences(values: list[int]) -> list[int]:
    return [b - a for a, b in zip([0, *values], values, strict=False)]
