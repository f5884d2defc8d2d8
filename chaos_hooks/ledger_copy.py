"""A copy of another process's ledger, taken in chunks while it grows."""

from __future__ import annotations

from pathlib import Path

from chaos_hooks.append_file import AppendFile
from reports import ledger_frames as frames


class LedgerCopy:
    """The master's copy of a worker's ledger, ``ledger-NAME.bin`` in the run's folder.

    It is the same bytes, so it is read and judged as the worker's own would be. A chunk that comes twice, or
    of which the one before is missing, changes nothing; `add` always tells from where on bytes are wanted.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Create the file; ``name`` is the worker's.

        Raises:
            RecordError: if it exists already, or cannot be written.
        """
        self._file = AppendFile(folder / f"ledger-{name}.bin", new=True)
        self.sealed = False

    def add(self, begins: int, data: bytes) -> int:
        """Take the bytes of a chunk that begins at a place; return from where on the next is wanted.

        Raises:
            RecordError: if the disk does not take it.
            ValueError: if it is not what a ledger wrote.
        """
        if begins == self._file.size and data:
            ends, sealed = frames.check(data, begins)
            if ends != len(data):
                raise ValueError(f"{self._file.path}: a chunk of {len(data)} bytes ends within a frame")
            self._file.write(data)
            self.sealed = sealed
        return self._file.size

    def close(self) -> None:
        """Close the file. Without the worker's seal it reads as unsealed: what the worker wrote last is not
        known."""
        self._file.close()
