"""Compiled twins of what is called for every alert: taken where they were built, and never needed."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

SWITCH = "ALERTSTORM_COMPILED"  # 0: do without, as where there is no compiler.


def load(name: str, api: int) -> ModuleType | None:
    """Return a compiled module, or None where it was not built, or from another version of its source."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return module if getattr(module, "API", None) == api else None
