"""The undo journal: what would heal each fault, on disk before the fault is injected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos_hooks.append_file import is_locked
from chaos_hooks.errors import RecordError
from chaos_hooks.injection import Undo
from chaos_hooks.line_file import LineFile

NAME = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A fault that was injected and, as far as its journal knows, never healed."""

    folder: Path
    fault: str
    injector: str
    undo: Undo


class Journal:
    """Append-only, so that a SIGKILL between any two steps leaves enough to heal."""

    def __init__(self, folder: Path) -> None:
        self._file = LineFile(folder / NAME)
        # Held while the run lives, and let go by the kernel however it ends: so a living run's fault, which
        # is nobody else's to heal, is told from a leftover.
        self._file.lock()

    def injecting(self, fault: str, injector: str, undo: Undo) -> None:
        """Write down how to heal what is about to be injected.

        Raises:
            RecordError: if the disk does not take it; then the fault must not be injected.
        """
        self._file.append({"verb": "inject", "fault": fault, "injector": injector, "undo": dict(undo)})

    def healed(self, fault: str, how: str) -> None:
        """Write down that it is over."""
        self._file.append({"verb": "healed", "fault": fault, "how": how})

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def leftovers(runs: Path) -> Iterator[Leftover]:
    """Yield what earlier runs injected and did not heal."""
    for path in sorted(runs.glob(f"*/{NAME}")):
        if path.parent.is_symlink():
            continue  # `latest` names a run that has its own folder.
        if is_locked(path):
            continue  # That run still goes on.
        open_faults: dict[str, Leftover] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # A torn last line: its fault was not injected yet, as the writing comes first.
            if entry["verb"] == "inject":
                left = Leftover(path.parent, entry["fault"], entry["injector"], entry["undo"])
                open_faults[entry["fault"]] = left
            else:
                open_faults.pop(entry["fault"], None)
        yield from open_faults.values()


def mark_swept(leftover: Leftover, how: str) -> None:
    """Write into the earlier run's journal that its fault is over.

    Raises:
        RecordError: if the disk does not take it.
    """
    _end_torn_line(leftover.folder / NAME)
    journal = Journal(leftover.folder)
    journal.healed(leftover.fault, how)
    journal.close()


def _end_torn_line(path: Path) -> None:
    """Give a last line that its writer could not end its end, or the next one would be lost with it."""
    try:
        with path.open("r+b") as file:
            if not file.read().endswith(b"\n"):
                file.write(b"\n")
    except OSError as problem:
        raise RecordError(
            f"{path}: cannot be written ({problem.strerror}); mend its permissions, or make room"
        ) from None
