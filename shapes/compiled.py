"""Compiled twins of what is called for every alert: taken where they were built, and never needed."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

SWITCH = "ALERTSTORM_COMPILED"  # 0: do without, as where there is no compiler.


def load(name: str, api: int) -> ModuleType | None:
    """Return a compiled module, or None where it was not built, or from another version of its source: one
    that says another number, or is older than the file beside it."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return module if getattr(module, "API", None) == api and _is_fresh(module) else None


def _is_fresh(module: ModuleType) -> bool:
    built = Path(module.__file__ or "")
    source = built.with_name(built.name.partition(".")[0] + ".c")
    return not source.exists() or source.stat().st_mtime <= built.stat().st_mtime
