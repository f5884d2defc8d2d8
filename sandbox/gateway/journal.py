"""A journal: the entries that wait for something, in memory, with a copy of them as a list in Redis.

While the Gateway lives, its memory is the truth and Redis the copy: what Redis forgets (by eviction, a
failover, a restart) is written there again. When the Gateway dies, its successor reads the copy. The list has
no time to live in Redis: an acknowledged alert is no cache. It belongs to one Gateway: two may not share it.

What that means for an entry whose `append` has returned:

- The Gateway is killed: nothing is lost, the list is read at the next start.
- Redis evicts the list, or fails over to a replica that lacks its end, or comes back empty: nothing is lost.
- Both within the time until the next `mend` (a quarter of a second): lost, unless the replica had confirmed
  the entry (WAIT) and is the one that is promoted.
- Redis without persistence is killed and, before it is back, the Gateway too: lost.
- The Gateway is killed after the entry's CRD was written and before the list was shortened: the CRD carries
  the id of the entry and is recognised; an entry that only raised a count may be counted twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from redis.asyncio import Redis

from sandbox.gateway import log
from sandbox.gateway.entry import Entry
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.redis_calls import RedisAwayError, RedisCalls

WAIT_MS = 50
# After a WAIT that no replica answered: how long none is asked, as there seems to be none.
NO_REPLICA_PAUSE_S = 1.0


class JournalKeeper:
    """What the journals of a Gateway share: the way to Redis, and whether a replica answers there."""

    def __init__(self, calls: RedisCalls, metrics: Metrics) -> None:
        self._calls = calls
        self._metrics = metrics
        self._ask_replica_at_s = 0.0

    async def call(self, operation: Callable[[Redis], Awaitable[Any]]) -> Any:
        """The answer of Redis. Raises RedisAwayError."""
        return await self._calls.call(operation)

    async def push(self, key: str, text: str) -> int:
        """Append to a list and wait for a replica, if one answers; the new length. Raises RedisAwayError."""
        asks = time.monotonic() >= self._ask_replica_at_s

        async def write(client: Redis) -> list[int]:
            async with client.pipeline(transaction=False) as pipe:
                pipe.rpush(key, text)
                if asks:
                    pipe.execute_command("WAIT", 1, WAIT_MS)
                return await pipe.execute()

        answers = await self.call(write)
        if asks and not answers[1]:
            self._metrics.redis_unreplicated_writes_total.inc()
            self._ask_replica_at_s = time.monotonic() + NO_REPLICA_PAUSE_S
        return int(answers[0])

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin so, sorted. Raises RedisAwayError."""
        found: set[str] = set()
        cursor = 0

        async def scan(client: Redis) -> Any:
            return await client.scan(cursor, match=f"{prefix}*", count=2000)

        while True:
            cursor, page = await self.call(scan)
            found.update(page)
            if not cursor:
                return sorted(found)


class Journal:
    """One journal. Without a `keeper` it is in memory only."""

    def __init__(self, key: str, keeper: JournalKeeper | None) -> None:
        self.key = key
        self.entries: list[Entry] = []
        self._keeper = keeper
        self._lock = asyncio.Lock()
        self._differs = False  # the copy is known to differ from the entries

    @property
    def at_rest(self) -> bool:
        """Whether it is empty, and Redis has nothing of it either."""
        return not self.entries and not self._differs

    async def append(self, entry: Entry) -> None:
        """Add an entry. Raises RedisAwayError, and then it is not added, when it is not in Redis."""
        if self._keeper is None:
            raise RedisAwayError("not_durable")
        async with self._lock:
            try:
                length = await self._keeper.push(self.key, entry.to_text())
            except RedisAwayError:
                self._differs = True  # it may have arrived all the same
                raise
            self.entries.append(entry)
            self._differs |= length != len(self.entries)

    def keep(self, entry: Entry) -> None:
        """Add an entry in memory only: it is not durable, and must not be called so."""
        self.entries.append(entry)

    async def remove(self, done: Iterable[Entry]) -> None:
        """Take entries out, here at once, and in Redis now or when it is back."""
        done = list(done)
        ids = {entry.id for entry in done}
        self.entries = [entry for entry in self.entries if entry.id not in ids]
        if self._keeper is None:
            return
        async with self._lock:
            try:
                await self._keeper.call(lambda client: self._remove(client, done))
            except RedisAwayError:
                self._differs = True

    async def _remove(self, client: Redis, done: list[Entry]) -> None:
        async with client.pipeline(transaction=False) as pipe:
            for entry in done:
                pipe.lrem(self.key, 1, entry.to_text())
            await pipe.execute()

    async def mend(self) -> bool:
        """Write the copy again if its length is wrong; whether it was done. Raises RedisAwayError."""
        if self._keeper is None or self.at_rest:
            return False
        async with self._lock:
            if not self._differs:
                length = await self._keeper.call(lambda client: client.llen(self.key))
                if length == len(self.entries):
                    return False
            entries = list(self.entries)
            await self._keeper.call(lambda client: self._rewrite(client, entries))
            self._differs = len(entries) != len(self.entries)
        log.warning("journal written again", key=self.key, entries=len(entries))
        return True

    async def _rewrite(self, client: Redis, entries: list[Entry]) -> None:
        async with client.pipeline(transaction=True) as pipe:
            pipe.delete(self.key)
            if entries:
                pipe.rpush(self.key, *(entry.to_text() for entry in entries))
            await pipe.execute()

    async def stored(self) -> list[Entry]:
        """The entries as Redis has them. Raises RedisAwayError."""
        assert self._keeper is not None
        texts = await self._keeper.call(lambda client: client.lrange(self.key, 0, -1))
        entries = []
        for text in texts:
            try:
                entries.append(Entry.from_text(text))
            except ValueError as error:
                log.warning("unreadable entry left out", key=self.key, error=str(error))
        return entries

    async def load(self) -> int:
        """Take over what a former Gateway left in Redis; how many entries. Raises RedisAwayError."""
        if self._keeper is None:
            return 0
        async with self._lock:
            self.entries = await self.stored()
        return len(self.entries)
