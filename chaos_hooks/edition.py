"""Which edition of this program a process runs; master and workers must run the same."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from pathlib import Path

from chaos_hooks import description

_HOME = Path(__file__).resolve().parent.parent
_SHARED = ("shapes", "chaos_hooks", "reports")


def edition() -> str:
    """Return version and code of this program and Locust's version; equal texts mean equal programs."""
    digest = hashlib.sha256()
    for folder in _SHARED:
        for path in sorted(path for path in (_HOME / folder).rglob("*") if path.suffix in (".py", ".c")):
            digest.update(path.read_bytes())
    own, locust = description.own_version(), importlib.metadata.version("locust")
    return f"alertstorm {own} (code {digest.hexdigest()[:10]}, locust {locust})"


def machine() -> str:
    """Return what processes have in common that see each other's files and process ids; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')} {os.readlink('/proc/self/ns/mnt')}"
    except OSError:
        return ""


def started(pid: int) -> str:
    """Return when a process of this machine started, in the kernel's ticks; empty if it is no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
