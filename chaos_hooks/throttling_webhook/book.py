"""The faults that are on, until when, and which writes they have refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from chaos_hooks.throttling_webhook.orders import Order


@dataclass(slots=True)
class _Entry:
    order: Order
    ends_s: float
    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0


class Book:
    """Thread-safe. A lease that is over ends its fault; what it did is told until it is removed."""

    def __init__(self, now: Callable[[], float], chance: Callable[[], float]) -> None:
        """``now`` is a monotonic clock in seconds; ``chance`` draws from [0, 1)."""
        self._now = now
        self._chance = chance
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def add(self, order: Order) -> bool:
        """Switch a fault on; return False, and change nothing, while one of that name is on."""
        with self._lock:
            known = self._entries.get(order.name)
            if known is not None and self._is_on(known):
                return False
            self._entries[order.name] = _Entry(order, self._now() + order.for_s)
            return True

    def strike(self, operation: str, resource: str) -> Order | None:
        """Return the fault that refuses this write, counted; None when it passes."""
        with self._lock:
            for entry in self._entries.values():
                order = entry.order
                if not (self._is_on(entry) and order.concerns(operation, resource)):
                    continue
                if order.times is not None and entry.count >= order.times:
                    continue
                if order.probability < 1 and self._chance() >= order.probability:
                    continue
                entry.last_s = self._now()
                entry.first_s = entry.first_s if entry.count else entry.last_s
                entry.count += 1
                return order
        return None

    def listed(self) -> list[dict[str, Any]]:
        """Return every fault with what it did."""
        with self._lock:
            return [
                {**asdict(entry.order), "active": self._is_on(entry), "hits": self._hits(entry)}
                for entry in self._entries.values()
            ]

    def remove(self, name: str) -> dict[str, Any]:
        """Take a fault away and return what it did; ``hits`` is None for one that nobody knows."""
        with self._lock:
            entry = self._entries.pop(name, None)
            if entry is None:
                return {"name": name, "was_active": False, "hits": None}
            return {"name": name, "was_active": self._is_on(entry), "hits": self._hits(entry)}

    def remove_all(self) -> list[dict[str, Any]]:
        """Take every fault away."""
        return [self.remove(name) for name in list(self._entries)]

    def _is_on(self, entry: _Entry) -> bool:
        return self._now() < entry.ends_s

    def _hits(self, entry: _Entry) -> dict[str, Any]:
        now_s = self._now()
        return {
            "count": entry.count,
            "first_ago_s": round(now_s - entry.first_s, 4) if entry.count else None,
            "last_ago_s": round(now_s - entry.last_s, 4) if entry.count else None,
        }
