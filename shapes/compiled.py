"""Compiled twins of what is called for every alert: taken where they were built, and never needed."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

SWITCH = "ALERTSTORM_COMPILED"  # 0: do without, as where there is no compiler.
_taken: set[str] = set()


def taken() -> str:
    """Return the names of those that this process uses; "none" of none."""
    return ", ".join(sorted(_taken)) or "none"


def load(name: str, api: int) -> ModuleType | None:
    """Return a compiled module, or None where it was not built, or from another version of its source: one
    that says another number, or is older than the file beside it."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    if getattr(module, "API", None) != api or not _is_fresh(module):
        return None
    _taken.add(name)
    return module


def _is_fresh(module: ModuleType) -> bool:
    built = Path(module.__file__ or "")
    source = built.with_name(built.name.partition(".")[0] + ".c")
    return not source.exists() or source.stat().st_mtime <= built.stat().st_mtime
