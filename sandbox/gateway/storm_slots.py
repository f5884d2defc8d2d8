"""The slots of the storms: for each namespace and alertname a buffer, or an open window, or neither."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.gateway.journal import Journal, JournalKeeper
from sandbox.gateway.storm_window import StormKey, id_of
from sandbox.gateway.storm_writer import WindowWriter

BUFFER_PREFIX = "alert:buffer:"


@dataclass(slots=True)
class Slot:
    """One namespace and alertname. `lock` is held by whoever looks at it and acts on what he sees.

    `closing` is the source that the CRDs of the buffered alerts will have, while they are being written:
    nothing may be buffered then. `retry_at_s` is on the monotonic clock.
    """

    key: StormKey
    buffer: Journal
    open: WindowWriter | None = None
    closing: str = ""
    retry_at_s: float = 0.0
    users: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def idle(self) -> bool:
        """Whether there is neither a buffer nor a window."""
        return self.open is None and not self.buffer.entries

    @property
    def window_id(self) -> str:
        """The id of the open window, or of the one that the buffer will open; empty without either."""
        if self.open is not None:
            return self.open.window.id
        return id_of(self.key, self.buffer.entries[0]) if self.buffer.entries else ""

    def buffers(self, fingerprint: str) -> bool:
        """Whether an alert with this fingerprint is in the buffer."""
        return any(entry.fingerprint == fingerprint for entry in self.buffer.entries)

    def distinct(self) -> int:
        """How many different alerts are in the buffer."""
        return len({entry.fingerprint for entry in self.buffer.entries})


class StormSlots:
    """All slots. `recovered` says that the buffers of a former Gateway are known."""

    def __init__(self, keeper: JournalKeeper) -> None:
        self._keeper = keeper
        self._slots: dict[StormKey, Slot] = {}
        self._coming = 0
        self.recovered = False

    def find(self, key: StormKey) -> Slot | None:
        """The slot, if there is one."""
        return self._slots.get(key)

    @contextmanager
    def use(self, key: StormKey) -> Iterator[Slot]:
        """The slot, made if need be; it is kept at least as long as it is used."""
        if key not in self._slots:
            journal = Journal(f"{BUFFER_PREFIX}{key[0]}:{key[1]}", self._keeper)
            self._slots[key] = Slot(key, journal)
        slot = self._slots[key]
        slot.users += 1
        try:
            yield slot
        finally:
            slot.users -= 1

    def all_keys(self) -> list[StormKey]:
        """The keys of all slots."""
        return list(self._slots)

    @contextmanager
    def place(self, most: int) -> Iterator[bool]:
        """Whether there is room for another alert in the buffers; if so it is taken until the end."""
        free = self.buffered() + self._coming < most
        self._coming += free
        try:
            yield free
        finally:
            self._coming -= free

    def buffered(self) -> int:
        """How many alerts are in all buffers together."""
        return sum(len(slot.buffer.entries) for slot in self._slots.values())

    def drop_idle(self) -> None:
        """Forget slots that hold nothing."""
        for key, slot in list(self._slots.items()):
            if slot.idle and slot.buffer.at_rest and not slot.users:
                del self._slots[key]
