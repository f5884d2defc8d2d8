"""Spec: what a component of the sandbox is, over all its lives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import Launch


@dataclass(frozen=True, slots=True)
class Spec:
    """`launch` may ask others; `lacks` says what is missing to be ready, or None."""

    name: str
    role: str
    port: int
    log: Path
    launch: Callable[[], Awaitable[Launch]]
    lacks: Callable[[], Awaitable[str | None]]
    restart_delay_s: float | None = None  # None: never restarted by itself
