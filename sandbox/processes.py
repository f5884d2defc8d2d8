"""Processes: how the keeper starts children that cannot outlive it, and ends everything it has begotten.

Linux only: parent-death signals, the subreaper and /proc. Nobody is judged alive by kill(pid, 0): under a
PID 1 that does not reap, the dead stay zombies and still answer; the state in /proc decides.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
RUN_MARK = "ALERTSTORM_SANDBOX_RUN"  # in every child's environment: the run directory it belongs to

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute: arguments, the whole environment, and the working directory (None: the keeper's)."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One line of /proc/PID/stat. pid and start_ticks name a process for good; pids come round again."""

    pid: int
    parent: int
    state: str
    start_ticks: int


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_subreaper() -> None:
    """Orphans among our descendants become our children, so that a daemon that forks twice is found again."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int) -> None:
    """The kernel sends us this signal when the thread that started us ends."""
    _prctl(PR_SET_PDEATHSIG, signal_number)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without preloads, faked clocks, proxies, another cluster or Gateway's settings."""

    def bends(name: str) -> bool:
        upper = name.upper()
        return (
            upper in ("LD_PRELOAD", "KUBECONFIG", RUN_MARK)
            or upper.startswith(("FAKETIME", "GATEWAY_", "SANDBOX_"))
            or upper.endswith("_PROXY")
        )

    return {name: value for name, value in environment.items() if not bends(name)}


def spawn(launch: Launch, log: Path) -> subprocess.Popen[bytes]:
    """Start a child in its own session, which dies with us; output is appended to the log. Raises OSError.

    To be called from the main thread only: the parent-death signal fires when the starting *thread* ends.
    The caller reaps, and then sets `returncode`.
    """
    keeper = os.getpid()

    def in_child() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # The keeper died before the line above: no signal will ever come.
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    with log.open("ab") as output:
        return subprocess.Popen(
            launch.argv,
            env=dict(launch.environment),
            cwd=launch.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
            preexec_fn=in_child,  # noqa: PLW1509 - the keeper has one thread
        )


def read_stat(pid: int) -> ProcessStat | None:
    """The process as /proc has it now, or None when there is none."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold spaces and brackets; after the last bracket come state, parent, ...
    fields = line[line.rindex(b")") + 2 :].split()
    return ProcessStat(pid, int(fields[1]), fields[0].decode(), int(fields[19]))


def is_alive(pid: int, start_ticks: int) -> bool:
    """Whether this very process runs, or is stopped: a zombie is dead."""
    stat = read_stat(pid)
    return stat is not None and stat.start_ticks == start_ticks and stat.state not in "ZX"


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(ancestor: int) -> list[ProcessStat]:
    """Children, and children's children, zombies included; nearest first."""
    children: dict[int, list[ProcessStat]] = {}
    for pid in _all_pids():
        stat = read_stat(pid)
        if stat is not None:
            children.setdefault(stat.parent, []).append(stat)
    found = list(children.get(ancestor, []))
    for stat in found:  # grows while we walk it
        found.extend(children.get(stat.pid, []))
    return found


def kill(process: ProcessStat) -> None:
    """SIGKILL to this very process, never to a later one with the same number."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        now = read_stat(process.pid)
        if now is not None and now.start_ticks == process.start_ticks:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def end_descendants(timeout_s: float) -> list[ProcessStat]:
    """SIGKILL and reap all our descendants until none is left; those left after timeout_s are returned.

    In rounds, since a process may fork between our look and our signal. Blocks: a sandbox has nothing to
    save.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = descendants(os.getpid())
        for process in found:
            if process.state != "Z":
                kill(process)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.002)


def kill_marked(run_directory: Path) -> int:
    """SIGKILL to the processes whose environment names this run directory; how many there were.

    For the grandchildren of a keeper that was itself killed: the parent-death signal is not inherited by
    them. Not by working directory: that might be the shell of someone who came to look.
    """
    mark = f"{RUN_MARK}={run_directory}".encode()
    killed = 0
    for pid in _all_pids():
        stat = read_stat(pid)
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # Gone, or another user's, and so not ours.
        if stat is not None and stat.state != "Z" and pid != os.getpid() and mark in environment.split(b"\0"):
            kill(stat)
            killed += 1
    return killed
