"""Run directory: where one keeper's files live, gone with it, or swept by the next keeper."""

import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

from sandbox import processes

_NAME = re.compile(r"alertstorm-sandbox-(\d+)-(\d+)")
_OWNER_FILE = ".alertstorm-sandbox"


class DirectoryError(Exception):
    """The directory cannot be had; the message says why, and the mend."""


def _lock(path: Path) -> int | None:
    """An exclusive lock that ends with its holder, as a file descriptor; None when somebody holds it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _own_name() -> str:
    stat = processes.read_stat(os.getpid())
    if stat is None:
        raise DirectoryError("/proc does not list this process; mend: mount /proc")
    return f"alertstorm-sandbox-{stat.pid}-{stat.start_ticks}"


class RunDirectory:
    """A directory of our own, locked while we live."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def remove(self, keep: Path | None = None) -> None:
        """Remove the directory; `keep` (the logs, when they were asked to be here) and its parents stay."""
        if keep is not None and keep.resolve().is_relative_to(self.path):
            _remove_all_but(self.path, keep.resolve())
        else:
            shutil.rmtree(self.path)
        os.close(self._lock)


def _remove_all_but(directory: Path, keep: Path) -> None:
    for entry in directory.iterdir():
        if entry == keep:
            continue
        if keep.is_relative_to(entry):
            _remove_all_but(entry, keep)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def create(asked: Path | None) -> RunDirectory:
    """The asked directory (new, empty or a dead keeper's), or one in the system's temporary place.

    Raises DirectoryError, and OSError when the disk says no.
    """
    if asked is None:
        path = Path(tempfile.gettempdir()).resolve() / _own_name()
        path.mkdir(mode=0o700)
    else:
        path = asked.resolve()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(path)
    if lock is None:
        raise DirectoryError(f"--dir {path}: another sandbox lives here; mend: give each its own directory")
    if (path / _OWNER_FILE).exists():
        processes.kill_marked(path)
        _empty(path)
    elif any(path.iterdir()):
        os.close(lock)
        raise DirectoryError(
            f"--dir {path}: is not empty, and is removed at the end; mend: name a new directory"
        )
    (path / _OWNER_FILE).write_text(_own_name() + "\n", encoding="ascii")
    return RunDirectory(path, lock)


def _empty(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def sweep(root: Path | None = None) -> list[Path]:
    """Remove the directories of keepers that were killed, end what is left of their processes.

    Only our own user's directories, by name; the owner is gone when no process has its pid and start time
    and nobody holds the lock (a keeper in another container may share the directory, but not the process
    numbers).
    """
    root = (root or Path(tempfile.gettempdir())).resolve()
    return [path for path in sorted(root.glob("alertstorm-sandbox-*")) if _swept(path)]


def _swept(path: Path) -> bool:
    """Remove one if its keeper was killed; whether it did."""
    name = _NAME.fullmatch(path.name)
    try:
        if name is None or path.is_symlink() or path.stat().st_uid != os.geteuid():
            return False
        if processes.is_alive(int(name[1]), int(name[2])):
            return False
        lock = _lock(path)
    except FileNotFoundError:
        return False  # Its keeper ended, and removed it, since it was listed.
    if lock is None:
        return False
    try:
        processes.kill_marked(path)
        shutil.rmtree(path)
    finally:
        os.close(lock)
    return True
