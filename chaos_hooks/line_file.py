"""An append-only file of JSON lines that survives a SIGKILL of its writer."""

from __future__ import annotations

import json

from chaos_hooks.append_file import AppendFile


class LineFile(AppendFile):
    """Each line is with the kernel whole when `append` returns, see `AppendFile`."""

    def append(self, *values: object) -> None:
        """Write each value as a line; all of them or none; raises as `write` does."""
        lines = (json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n" for value in values)
        self.write("".join(lines).encode())
