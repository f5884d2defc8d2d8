"""A lease for a fault whose server has none: a watchdog process that heals it when its run cannot."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path

from chaos_hooks.injection import InjectionError, Undo
from shapes.scenario import Fault

# The lease outlasts the fault: the Conductor heals on time, the watchdog only when the Conductor is gone.
MARGIN_S = 10.0
HEALED = 3  # The watchdog's exit code when it was the one who healed; 0: it was told that somebody had.
_ARMED_WITHIN_S = 15.0
_END_WITHIN_S = 5.0
_CHECKOUT = Path(__file__).resolve().parent.parent


class Lease:
    """Held from before the fault until after its heal. Should this process die, the kernel closes the pipe to
    the watchdog, which heals at once; should it hang, the watchdog heals when the lease is over.
    """

    def __init__(self, fault: Fault, undo: Undo) -> None:
        """Start the watchdog of a fault; it knows what heals it before anything is broken.

        Raises:
            InjectionError: if it cannot be started; then the fault must not be injected.
        """
        order = {"injector": fault.inject, "fault": fault.name, "undo": dict(undo)}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chaos_hooks.watchdog"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=_CHECKOUT,
                start_new_session=True,  # A Ctrl-C, or a kill of our process group, must not reach it.
            )
            self._tell({**order, "for_s": fault.for_s + MARGIN_S})
        except OSError as problem:
            raise InjectionError(f"no watchdog, so no lease: {problem}") from problem
        self._over = ""

    @property
    def pid(self) -> int:
        """Return the watchdog's process id."""
        return self._process.pid

    def confirm(self) -> None:
        """Return when the watchdog has understood its order.

        Raises:
            InjectionError: if it has not in time, or died of it.
        """
        assert self._process.stdout is not None
        said, _, _ = select.select([self._process.stdout], [], [], _ARMED_WITHIN_S)
        if not said:
            raise InjectionError(f"no lease: the watchdog was not armed within {_ARMED_WITHIN_S:g} s")
        if not os.read(self._process.stdout.fileno(), 100).startswith(b"armed"):
            raise InjectionError("no lease: the watchdog died at once, its last words are on standard error")

    def release(self) -> str:
        """End the watchdog after the heal, and return what became of it; a second time says the same."""
        if self._over:
            return self._over
        with contextlib.suppress(OSError):
            self._tell({"healed": True})  # Unless it is at its end, and reads no more.
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._over = _became(self._process.wait(_END_WITHIN_S))
        except subprocess.TimeoutExpired:
            os.kill(self._process.pid, 9)
            self._process.wait()
            self._over = "its watchdog did not end, and was killed"
        self._process.stdout.close()
        return self._over

    def _tell(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def _became(code: int) -> str:
    """Say what an exit code means. Only the watchdog itself knows whether it healed: whether its process was
    there when it was asked to end says little, as a killed one with threads is a zombie before it is gone."""
    if code == HEALED:
        return "its watchdog had healed it already"
    return f"its watchdog died ({code})" if code else "its watchdog was not needed"
