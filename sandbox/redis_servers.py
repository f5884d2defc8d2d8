"""Redis servers: a primary, a replica and three Sentinels that are ready at once and fail over in about 2 s.

Sentinels find replicas and each other by INFO every 10 s; told beforehand they agree within a second. They
are not tuned harder than down-after 1000 ms: below that, votes split, and the next try waits twice the
failover timeout.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import wire
from sandbox.ports import HOST
from sandbox.processes import Launch
from sandbox.redis_binary import RedisBinary
from sandbox.wire import Reply, WireError

MASTER = "gateway-redis"
QUORUM = 2
_FAILOVER_WAIT_S = 4.0  # a failover that has begun is over 1.3 s after the Sentinels miss the primary


@dataclass(frozen=True, slots=True)
class RedisServers:
    """Where the five servers are, and what they say of each other; ports in the order redis-0, redis-1."""

    binary: RedisBinary
    directory: Path
    environment: Mapping[str, str]
    redis_ports: tuple[int, int]
    sentinel_ports: tuple[int, int, int]
    # The ports by which Sentinels, replicas and clients know the servers: their own, or a proxy's.
    announced_ports: tuple[int, int]

    def write_files(self) -> None:
        """Make the working directories and the Sentinels' files, which they rewrite, and read again later."""
        ids = [secrets.token_hex(20) for _ in self.sentinel_ports]
        for index in range(len(self.redis_ports)):
            (self.directory / f"redis-{index}").mkdir()
        for index in range(len(self.sentinel_ports)):
            home = self.directory / f"sentinel-{index}"
            home.mkdir()
            (home / "sentinel.conf").write_text(self._sentinel_file(index, ids), encoding="ascii")

    def _sentinel_file(self, index: int, ids: list[str]) -> str:
        primary, replica = self.announced_ports
        others = [
            f"sentinel known-sentinel {MASTER} {HOST} {port} {ids[other]}"
            for other, port in enumerate(self.sentinel_ports)
            if other != index
        ]
        lines = [
            f"port {self.sentinel_ports[index]}",
            f"bind {HOST}",
            f"dir {self.directory}/sentinel-{index}",
            f"sentinel myid {ids[index]}",
            f"sentinel monitor {MASTER} {HOST} {primary} {QUORUM}",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 3000",
            f"sentinel parallel-syncs {MASTER} 1",
            f"sentinel known-replica {MASTER} {HOST} {replica}",
            *others,
        ]
        return "\n".join(lines) + "\n"

    def sentinel_launch(self, index: int) -> Launch:
        """How to start sentinel-INDEX, the first time and again."""
        file = str(self.directory / f"sentinel-{index}" / "sentinel.conf")
        return Launch((self.binary.path, file, "--sentinel"), self.environment)

    def redis_launch(self, index: int, primary_port: int) -> Launch:
        """How to start redis-INDEX when the server with this port is primary: itself, or the other one."""
        port, announced = self.redis_ports[index], self.announced_ports[index]
        argv = [self.binary.path, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        argv += ["--dir", str(self.directory / f"redis-{index}")]
        # Without these two a replica is in sync a second later, or five.
        argv += ["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "on-empty-db"]
        if announced != port:
            argv += ["--replica-announce-ip", HOST, "--replica-announce-port", str(announced)]
        if primary_port != port:
            primary = self.announced_ports[self.redis_ports.index(primary_port)]
            argv += ["--replicaof", HOST, str(primary)]  # two items: Redis 6.2 does not split one
        return Launch(tuple(argv), self.environment)

    async def redis_relaunch(self, index: int) -> Launch:
        """How to start redis-INDEX again: as a replica of whom the Sentinels now call the primary.

        Started as it was, a former primary would take writes for some 11 s beside the new one. While the
        Sentinels have missed this server's predecessor, they are left to finish their failover first.
        """
        port = self.redis_ports[index]
        deadline = time.monotonic() + _FAILOVER_WAIT_S
        primary = await self.primary_port()
        while primary == port and time.monotonic() < deadline and await self._primary_is_missed():
            await asyncio.sleep(0.05)
            primary = await self.primary_port()
        if primary is None:
            primary = await self._primary_by_its_own_word(port)
        return self.redis_launch(index, primary)

    async def _primary_is_missed(self) -> bool:
        masters = await asyncio.gather(*(self._sentinel_view(p, "MASTER") for p in self.sentinel_ports))
        return any(
            "_down" in entry["flags"] or "failover" in entry["flags"] for view in masters for entry in view
        )

    async def _primary_by_its_own_word(self, port: int) -> int:
        """Without a majority of Sentinels: the other server if it says that it is primary, else this one."""
        other = next(p for p in self.redis_ports if p != port)
        try:
            return other if (await wire.redis_info(other, "replication")).get("role") == "master" else port
        except WireError:
            return port

    async def primary_port(self) -> int | None:
        """The primary's own port by the word of a majority of the Sentinels; None without a majority."""

        async def ask(port: int) -> int | None:
            try:
                address = await wire.redis_command(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
            except WireError:
                return None
            return int(str(address[1])) if isinstance(address, list) else None

        votes = Counter(await asyncio.gather(*(ask(port) for port in self.sentinel_ports)))
        own = dict(zip(self.announced_ports, self.redis_ports, strict=True))
        return next((own[p] for p, count in votes.items() if count >= QUORUM and p in own), None)

    async def redis_lacks(self, index: int) -> str | None:
        """What redis-INDEX lacks to be ready, None when nothing: it answers, and a replica is in sync."""
        try:
            said = await wire.redis_info(self.redis_ports[index], "replication")
        except WireError as error:
            return str(error)
        if said.get("role") == "slave" and said.get("master_link_status") != "up":
            return "is not in sync with its primary"
        return None

    async def sentinel_lacks(self, index: int) -> str | None:
        """What sentinel-INDEX still lacks to be ready, None when nothing: it answers and knows a primary."""
        try:
            address = await wire.redis_command(
                self.sentinel_ports[index], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER
            )
        except WireError as error:
            return str(error)
        return None if address is not None else "does not know a primary"

    async def agreement_lacks(self) -> str | None:
        """What the Sentinels still lack to fail over: each must see primary, replica and both others up."""
        primary, replica = self.announced_ports
        for index, port in enumerate(self.sentinel_ports):
            views = [await self._sentinel_view(port, word) for word in ("MASTER", "REPLICAS", "SENTINELS")]
            masters, replicas, others = views
            if [(m["port"], m["flags"]) for m in masters] != [(str(primary), "master")]:
                return f"sentinel-{index} does not see the primary up"
            seen = [(r["port"], r["flags"], r["master-link-status"]) for r in replicas]
            if seen != [(str(replica), "slave", "ok")]:
                return f"sentinel-{index} does not see the replica in sync"
            wanted = sorted(str(p) for p in self.sentinel_ports if p != port)
            if sorted(o["port"] for o in others if o["flags"] == "sentinel") != wanted:
                return f"sentinel-{index} does not see both other Sentinels up"
        return None

    async def _sentinel_view(self, port: int, word: str) -> list[dict[str, str]]:
        """The answer to SENTINEL MASTER, REPLICAS or SENTINELS as names and values; empty: no answer."""
        try:
            reply = await wire.redis_command(port, "SENTINEL", word, MASTER)
        except WireError:
            return []
        entries = [reply] if word == "MASTER" else reply
        return [_pairs(entry) for entry in entries] if isinstance(entries, list) else []


def _pairs(flat: Reply) -> dict[str, str]:
    words = [str(word) for word in flat] if isinstance(flat, list) else []
    return dict(zip(words[::2], words[1::2], strict=True))
