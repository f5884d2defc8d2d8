"""A Redis primary and its replicas as the Sentinels name them, and what a memory fault asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError
from redis.retry import Retry

from chaos_hooks.injection import InjectionError

_TIMEOUT_S = 3.0
_PASSWORD = "?password_file="


class Gone(InjectionError):
    """Nobody listens at that address: the server is dead, and its settings died with it."""


def client(address: str) -> Any:
    """Return a client of one server, which repeats nothing. Typed loosely: redis-py's types fit nobody.

    ``host:port?password_file=PATH`` is a server that wants the password in that file: so a journal holds a
    path, and no password.

    Raises:
        InjectionError: if the file cannot be read.
    """
    place, _, path = address.partition(_PASSWORD)
    host, _, port = place.rpartition(":")
    try:
        password = Path(path).read_text(encoding="utf-8").strip() if path else None
    except OSError as problem:
        raise InjectionError(f"{path}: cannot be read: {problem.strerror}") from None
    return redis.Redis(
        host,
        int(port),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        password=password,
    )


def with_password(address: str, path: str) -> str:
    """Return an address whose password is in a file; the address itself when there is no file."""
    return f"{address}{_PASSWORD}{path}" if path else address


def find(
    addresses: Sequence[str], sentinels: Sequence[str], master: str, password_file: str
) -> tuple[str, list[str]]:
    """Return the primary's address and the replicas': as the Sentinels name them, or, where there are no
    Sentinels, the first of the addresses and the others.

    Raises:
        InjectionError: if neither tells.
    """
    if sentinels:
        primary, replicas = discover(sentinels, master)
    elif addresses:
        primary, replicas = addresses[0], list(addresses[1:])
    else:
        raise InjectionError(
            "the target has neither sentinels nor redis_addresses; name them under endpoints"
        )
    return with_password(primary, password_file), [with_password(r, password_file) for r in replicas]


def discover(sentinels: Sequence[str], master: str) -> tuple[str, list[str]]:
    """Return the primary's address and those of the replicas that are not known to be down.

    Raises:
        InjectionError: if no Sentinel can be asked, or none knows the name.
    """
    problem = "no Sentinel is named"
    for sentinel in sentinels:
        try:
            with client(sentinel) as asked:
                found = asked.sentinel_get_master_addr_by_name(master)
                replicas = asked.sentinel_slaves(master) if found else []
        except (redis.RedisError, OSError) as error:
            problem = f"{sentinel}: {type(error).__name__}"
            continue
        if not found:
            problem = f"{sentinel} knows no {master!r}"
            continue
        up = [r for r in replicas if not (r["is_odown"] or r["is_sdown"] or r["is_disconnected"])]
        return f"{found[0]}:{found[1]}", [f"{r['ip']}:{r['port']}" for r in up]
    raise InjectionError(f"no primary to be found: {problem}")


def settings(address: str, names: Iterable[str]) -> dict[str, str]:
    """Return a server's settings of these names, as CONFIG GET has them.

    Raises:
        InjectionError: if it cannot be asked.
    """
    try:
        with client(address) as asked:
            return {name: str(asked.config_get(name)[name]) for name in names}
    except (redis.RedisError, OSError, KeyError) as problem:
        raise error(address, "CONFIG GET", problem) from problem


def apply(address: str, wanted: Iterable[tuple[str, str]]) -> None:
    """Set a server's settings, in this order.

    Raises:
        Gone: if nobody listens there.
        InjectionError: if it does not take one.
    """
    try:
        with client(address) as asked:
            for name, value in wanted:
                asked.config_set(name, value)
    except (redis.RedisError, OSError) as problem:
        raise error(address, "CONFIG SET", problem) from problem


def memory(address: str) -> tuple[int, int]:
    """Return a server's used bytes and how many keys it has evicted since it began.

    Raises:
        InjectionError: if it cannot be asked.
    """
    try:
        with client(address) as asked:
            return int(asked.info("memory")["used_memory"]), int(asked.info("stats")["evicted_keys"])
    except (redis.RedisError, OSError) as problem:
        raise error(address, "INFO", problem) from problem


def refuses_writes(address: str, key: str) -> bool:
    """Return whether a SET is answered with OOM; one that succeeds is taken back.

    Raises:
        InjectionError: if it is answered with anything else.
    """
    try:
        with client(address) as asked:
            try:
                asked.set(key, "x")
            except OutOfMemoryError:
                return True
            asked.delete(key)
            return False
    except (redis.RedisError, OSError) as problem:
        raise error(address, "SET", problem) from problem


def error(address: str, what: str, problem: Exception) -> InjectionError:
    """Return (not raise) the error for what went wrong with a server: Gone when nobody listens."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return Gone(f"{address}: {what}: nobody listens there")
        cause = cause.__cause__ or cause.__context__
    return InjectionError(f"{address}: {what}: {type(problem).__name__}: {problem}")
