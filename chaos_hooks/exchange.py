"""How far one POST got, and what came back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Exchange(NamedTuple):
    """How far one POST got. Times are the clock's; ``sent_s`` is None if the last byte was not handed over.

    ``reached``:
        connect: no connection was made, or it took not one byte; nothing was delivered
        send: some but not all bytes of the request were handed to the kernel
        answer: the whole request was handed over, no whole header block came back
        body: the header came whole, the body did not
        done: a complete answer

    ``status`` and ``body`` hold what came of the answer. ``framed`` is False when the body ended with the
    connection and nothing else says that it is whole. ``error`` is short and free of ids and ports; it is
    empty exactly when ``reached`` is done.
    """

    reached: str
    sent_s: float | None
    done_s: float
    status: int | None
    body: bytes
    error: str
    framed: bool = True


# What is called when an exchange is over: with whatever its sender gave it to tell it by, and how far it got.
Done = Callable[[tuple[Any, Exchange]], object]
