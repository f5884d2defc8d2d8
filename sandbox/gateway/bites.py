"""The bites of planted defects and noises, kept over all lives of the Gateway: a file with a line for each.

The counter in /metrics begins anew with every process, and some defects are that /metrics does not answer.
"""

import os


class BiteFile:
    """Appends; each line is with the kernel when `note` returns, and survives what the bite does."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if path else None

    def note(self, name: str) -> None:
        """Write that this one bit."""
        if self._file is not None:
            os.write(self._file, f"{name}\n".encode())
