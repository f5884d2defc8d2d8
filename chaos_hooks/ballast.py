"""Ballast: keys that fill a Redis until it evicts others, made of almost no traffic, and removed again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice

import redis

from chaos_hooks import redis_set

PIECE_BYTES = 64 * 1024
_PIECES_A_TURN = 32
_MOST_WATCHED = 2000  # keys that were there before
_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Eviction:
    """What the ballast did: pieces written, keys evicted, and of the keys there before how many are gone."""

    pieces: int
    evicted: int
    watched: int
    gone: int

    def __str__(self) -> str:
        others = f"; of {self.watched} keys that were there before, {self.gone} are gone" * bool(self.watched)
        return f"evicted_keys rose by {self.evicted} under {self.pieces} pieces of ballast{others}"


def names(fault: str) -> str:
    """Return the prefix of a fault's ballast keys."""
    return f"alertstorm:ballast:{fault}:"


def press(address: str, prefix: str, most_bytes: int) -> Eviction:
    """Write ballast until every key that was there before is evicted, or until there is enough of it.

    A piece is made by SETRANGE at its end: the command is short, so that neither the network nor the
    replication backlog (which counts as used memory, and cannot be evicted) carries the zeros.

    Args:
        most_bytes: of ballast; it must be above what is free.

    Raises:
        InjectionError: if the server cannot be asked, or refuses the writes.
    """
    _, evicted_before = redis_set.memory(address)
    end_s = time.monotonic() + _WITHIN_S
    try:
        with redis_set.client(address) as asked:
            watched = list(islice(asked.scan_iter(count=1000), _MOST_WATCHED))
            pieces, left = 0, len(watched)
            evicted = 0
            while pieces * PIECE_BYTES < most_bytes and time.monotonic() < end_s:
                with asked.pipeline(transaction=False) as turn:
                    for number in range(pieces, pieces + _PIECES_A_TURN):
                        turn.setrange(f"{prefix}{number}", PIECE_BYTES - 1, "\0")
                    turn.execute()
                pieces += _PIECES_A_TURN
                evicted = redis_set.memory(address)[1] - evicted_before
                left = asked.exists(*watched) if watched and evicted else left
                if evicted and not left:
                    break
    except (redis.RedisError, OSError) as problem:
        raise redis_set.error(address, "ballast", problem) from problem
    return Eviction(pieces, evicted, len(watched), len(watched) - left)


def drop(address: str, prefix: str) -> int:
    """Remove a fault's ballast; return how many keys there were.

    Raises:
        InjectionError: if the server cannot be asked.
    """
    try:
        with redis_set.client(address) as asked:
            found = list(asked.scan_iter(match=f"{_literal(prefix)}*", count=1000))
            return int(asked.unlink(*found)) if found else 0
    except (redis.RedisError, OSError) as problem:
        raise redis_set.error(address, "ballast", problem) from problem


def _literal(prefix: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]\\^-" else letter for letter in prefix)
