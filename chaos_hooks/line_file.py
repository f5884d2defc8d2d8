"""An append-only file of JSON lines that survives a SIGKILL of its writer."""

from __future__ import annotations

import json
import os
from pathlib import Path

from chaos_hooks.errors import RecordError


class LineFile:
    """Each line is handed to the kernel whole, at once; there is no buffer to lose."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise self._error(problem) from None

    def append(self, *values: object) -> None:
        """Write each value as a line.

        Raises:
            RecordError: if the disk does not take it; what stands in the file stays.
        """
        data = "".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values).encode()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as problem:
            raise self._error(problem) from None

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _error(self, problem: OSError) -> RecordError:
        return RecordError(
            f"{self.path}: cannot be written ({problem.strerror}); make room or name another --chaos-runs-dir"
        )
