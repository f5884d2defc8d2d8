"""Log file: one component's output over all its lives, and the last words of the present one."""

import logging
from pathlib import Path


class LogFile:
    """A file that children append to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin = 0

    def new_life(self) -> None:
        """What is written from now on belongs to another process."""
        self._begin = self.path.stat().st_size if self.path.exists() else 0

    def last_words(self) -> str:
        """The last lines of this life, at most 8 lines and 2000 bytes, as part of a sentence."""
        if not self.path.exists():
            return "it has no log"
        with self.path.open("rb") as file:
            file.seek(max(self._begin, self.path.stat().st_size - 2000))
            lines = file.read().decode(errors="replace").splitlines()[-8:]
        return (
            f"last log lines: {' | '.join(line.strip() for line in lines)}" if lines else "its log is empty"
        )


def take(log: logging.Logger, file: Path) -> None:
    """Write what this log says into a file, and nowhere else."""
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
