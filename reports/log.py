"""What a component of the target logged, as far as it was kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a component logged, cut to a length; ``at_s`` is None if it carries no usable time."""

    at_s: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Log:
    """What a component logged, over all its lives; ``whole`` is False if the file was too long to be read."""

    component: str
    lines: tuple[LogLine, ...]
    whole: bool = True
