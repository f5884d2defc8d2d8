"""The loops of a wire: compiled where they were built (``_loops.c``), else in Python; the same in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos_hooks.python_loops import EVENTS_A_TURN, RECEIVE_BYTES, Carrier, Loops, Shot, settled
from shapes import compiled

__all__ = ["API", "COMPILED", "EVENTS_A_TURN", "RECEIVE_BYTES", "Carrier", "Loops", "Shot", "settled"]

API = 1  # The one of _loops.c that is spoken here.
_built = compiled.load("chaos_hooks._loops", API)
COMPILED = _built is not None
if not TYPE_CHECKING and COMPILED:
    Carrier, Loops, Shot, settled = _built.Carrier, _built.Loops, _built.Shot, _built.settled
