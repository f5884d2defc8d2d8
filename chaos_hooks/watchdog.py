"""`python -m chaos_hooks.watchdog`: waits beside a run, and heals its fault when the run is gone.

The first line of standard input is the order: injector, fault, undo, and how long to wait. A second line says
that the fault was healed; the end of the input without it says that whoever had to heal it is dead.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import InjectionError, Injector
from chaos_hooks.lease import HEALED
from shapes.target import Endpoints

_HEAL_WITHIN_S = 30.0
_RETRY_S = 1.0


def main() -> int:
    """Return 0 when there is nothing to heal, HEALED when this healed it, 1 when it could not."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever ends the run with a signal to all of its processes wants no fault to stay.
        signal.signal(number, signal.SIG_IGN)
    with open(0, "rb", buffering=0, closefd=False) as lines:
        line = lines.readline()
    if not line.endswith(b"\n"):
        return 0  # Nobody got so far as to give an order, so nothing was broken either.
    order: dict[str, Any] = json.loads(line)
    backend = injection.revive(
        order["injector"], order["fault"], order["undo"], Endpoints(), RunClock(), "watchdog"
    )
    _say(1, "armed")
    if _is_healed_within(order["for_s"]):
        return 0
    return _heal(backend, order)


def _is_healed_within(for_s: float) -> bool:
    """Wait; return False when nobody will heal it, or the time is over."""
    ready, _, _ = select.select([0], [], [], for_s)
    return bool(ready) and bool(os.read(0, 4096))


def _heal(backend: Injector, order: dict[str, Any]) -> int:
    deadline_s = time.monotonic() + _HEAL_WITHIN_S
    while True:
        try:
            _say(2, f"watchdog: {order['fault']}: {backend.sweep(order['undo'])}")
            return HEALED
        except InjectionError as problem:
            if time.monotonic() > deadline_s:
                _say(2, f"watchdog: fault {order['fault']} could NOT be healed: {problem}; heal it by hand")
                return 1
        time.sleep(_RETRY_S)


def _say(descriptor: int, text: str) -> None:
    # The run that would have read it may be dead, which is why we are at work.
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
