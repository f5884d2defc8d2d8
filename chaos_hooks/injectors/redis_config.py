"""Put Redis under memory pressure by its own settings: writes refused, or keys evicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chaos_hooks import ballast, redis_set
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.lease import Lease
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

_POLICIES = ("noeviction", "allkeys-lru")
_LIMIT, _POLICY, _SAMPLES = "maxmemory", "maxmemory-policy", "maxmemory-samples"
# Room for the ballast. It keeps the dataset large enough to evict from while other memory grows.
_ROOM_BYTES = 16 * 1024 * 1024
_MOST_BYTES = 512 * 1024 * 1024


class Injector:
    """Options: ``policy``, noeviction (writes are refused) or allkeys-lru (the oldest keys vanish, and nobody
    is told); ``maxmemory``, in bytes or ``used``.

    noeviction takes 1 byte when nothing is said: then every write fails; ``used`` is nine tenths of what each
    server uses, so that writes fail until a tenth was freed. allkeys-lru takes ``used`` when nothing is said:
    what the primary uses and 16 MiB, which ballast keys (alertstorm:ballast:*) then fill, and more of them,
    until the keys that were there before are gone.

    The servers are those that the Sentinels name, or the target's redis_addresses, the primary first. Set on
    the primary and on every replica, so that a failover does not end it, though it ends with a restart of the
    server. Redis has no leases: a watchdog heals when this process cannot.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        unknown = set(fault.options) - {"policy", "maxmemory"}
        if unknown:
            raise ValueError(f"takes policy and maxmemory, not {', '.join(sorted(unknown))}")
        self._policy = str(fault.options.get("policy", "noeviction"))
        if self._policy not in _POLICIES:
            raise ValueError(f"policy: unknown {self._policy!r}; there are: {', '.join(_POLICIES)}")
        self._limit = fault.options.get("maxmemory", 1 if self._policy == "noeviction" else "used")
        is_bytes = isinstance(self._limit, int) and not isinstance(self._limit, bool)
        if self._limit != "used" and not (is_bytes and self._limit > 0):
            raise ValueError(f"maxmemory: {self._limit!r} is neither 'used' nor a number of bytes above 0")
        self._known = {
            "addresses": list(endpoints.redis_addresses),
            "sentinels": list(endpoints.sentinels),
            "master": endpoints.sentinel_master,
            "password_file": endpoints.redis_password_file,
            "outlives": endpoints.outlives_us,
        }
        self._clock = clock
        self._fault = fault
        self._lease: Lease | None = None

    def available(self) -> str:
        """Say whether there is a primary that tells its settings."""
        try:
            primary, replicas = _servers(self._known)
            for address in (primary, *replicas):
                redis_set.settings(address, (_LIMIT, _POLICY, _SAMPLES))
        except InjectionError as problem:
            return str(problem)
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Set it on the replicas, then on the primary, and see a write refused or keys evicted.

        Raises:
            InjectionError: if a server does not take it; then what was set is healed again.
        """
        primary, replicas = _servers(self._known)
        addresses = (*replicas, primary)
        undo = {
            "servers": {a: redis_set.settings(a, (_LIMIT, _POLICY, _SAMPLES)) for a in addresses},
            **self._known,
            "ballast": ballast.names(self._fault.name),
            "options": dict(self._fault.options),
        }
        write_undo(undo)
        self._lease = Lease(self._fault, undo)
        try:
            for address in replicas:
                self._press(address, primary)
            asked_s = self._clock.now()
            limit_bytes = self._press(primary, primary)
            began = Interval(asked_s, self._clock.now())
            shown, line = self._prove(primary, limit_bytes)
            self._lease.confirm()
        except InjectionError:
            self.heal(undo)
            raise
        set_line = f"{self._policy} with maxmemory {limit_bytes} on {', '.join(addresses)} in {began}"
        return Effect(began, shown, (set_line, line))

    def heal(self, undo: Undo) -> Effect:
        """Give every server its own settings back, and remove the ballast.

        Raises:
            InjectionError: if a server that lives does not take them.
        """
        servers: Mapping[str, Mapping[str, str]] = undo["servers"]
        evidence, asked_s = [], self._clock.now()
        problems: list[InjectionError] = []
        for address, before in servers.items():
            try:
                evidence.append(f"{address}: {_restore(address, before, undo['outlives'])}")
            except InjectionError as problem:
                problems.append(problem)  # The others get theirs all the same.
        if problems:
            raise InjectionError("; ".join(map(str, problems))) from problems[0]
        healed = Interval(asked_s, self._clock.now())
        evidence.append(_drop_ballast(undo))
        if self._lease is not None:
            evidence.append(self._lease.release())
        return Effect(healed, True, tuple(evidence))

    def sweep(self, undo: Undo) -> str:
        """Give the settings back that an earlier run took; a server that is gone took them along."""
        return "; ".join(self.heal(undo).evidence)

    def _press(self, address: str, primary: str) -> int:
        limit_bytes = self._limit_bytes(address if self._policy == "noeviction" else primary)
        wanted = [(_POLICY, self._policy), (_LIMIT, str(limit_bytes))]
        if self._policy != "noeviction":
            # Redis evicts the oldest of a few keys drawn by chance; the more it draws, the surer the oldest.
            wanted.insert(0, (_SAMPLES, "64"))
        redis_set.apply(address, wanted)
        return limit_bytes

    def _limit_bytes(self, address: str) -> int:
        if self._limit != "used":
            return int(self._limit)
        used_bytes, _ = redis_set.memory(address)
        return used_bytes * 9 // 10 if self._policy == "noeviction" else used_bytes + _ROOM_BYTES

    def _prove(self, primary: str, limit_bytes: int) -> tuple[bool, str]:
        prefix = ballast.names(self._fault.name)
        if self._policy == "noeviction":
            refused = redis_set.refuses_writes(primary, f"{prefix}probe")
            return refused, f"SET on {primary} {'is answered OOM' if refused else 'still succeeds'}"
        used_bytes, _ = redis_set.memory(primary)
        # Twice the room: after the first half is full, each piece must take the place of something.
        free_bytes = max(0, limit_bytes - used_bytes)
        if free_bytes > _MOST_BYTES:
            return False, f"maxmemory is {free_bytes} bytes above what is used, too far to be filled"
        seen = ballast.press(primary, prefix, 2 * free_bytes + _ROOM_BYTES)
        return seen.evicted > 0, str(seen)


def _servers(known: Mapping[str, Any]) -> tuple[str, list[str]]:
    return redis_set.find(known["addresses"], known["sentinels"], known["master"], known["password_file"])


def _restore(address: str, before: Mapping[str, str], outlives: bool) -> str:
    # The limit first: while it is on, nothing else can be relied upon.
    wanted = [(name, before[name]) for name in (_LIMIT, _POLICY, _SAMPLES)]
    try:
        redis_set.apply(address, wanted)
        now = redis_set.settings(address, before)
    except redis_set.Gone:
        if outlives:
            raise  # In a cluster it may only be out of reach, and still refuse writes.
        return "not there, and its settings went with it"
    if now != before:
        raise InjectionError(f"{address}: has {now}, wanted {dict(before)}")
    return f"maxmemory {before[_LIMIT]}, {before[_POLICY]} again"


def _drop_ballast(undo: Undo) -> str:
    try:
        primary, _ = _servers(undo)
    except InjectionError as problem:
        return f"no ballast was looked for: {problem}"
    try:
        dropped = ballast.drop(primary, undo["ballast"])
        refused = redis_set.refuses_writes(primary, f"{undo['ballast']}probe")
    except redis_set.Gone:
        return f"{primary}: not there, and the ballast with it"
    if refused:
        raise InjectionError(f"{primary}: still refuses writes with OOM")
    return f"{dropped} pieces of ballast removed; a write on {primary} succeeds"
