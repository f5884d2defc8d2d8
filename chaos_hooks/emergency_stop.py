"""The emergency stop: a file named STOP in the runs folder ends what goes on, and lets nothing begin."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gevent

from chaos_hooks.errors import SetupError

NAME = "STOP"
_LOOK_S = 0.2


def standing(runs: Path) -> str:
    """Return the sentence that says why nothing may go on; empty if nothing stands in the way.

    Whoever cannot look whether the file is there must not go on breaking things either.
    """
    path = runs / NAME
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as problem:
        return f"{path}: cannot be looked for ({problem.strerror}), so it counts as there"
    return f"{path}: the emergency stop is there"


def refuse(runs: Path) -> None:
    """Let nothing begin while the file is there.

    Raises:
        SetupError: naming the file.
    """
    why = standing(runs)
    if why:
        raise SetupError(f"{why}; remove it when load and faults may go out again")


def watch(runs: Path, is_busy: Callable[[], bool], stop: Callable[[str], None]) -> None:
    """End what goes on as soon as the file is there; for as long as the process lives."""
    while True:
        if is_busy():
            why = standing(runs)
            if why:
                stop(why)
        gevent.sleep(_LOOK_S)
