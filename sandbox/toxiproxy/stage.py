"""Stage: what one toxic does to one direction of one connection. Data is pushed down a chain of stages.

Nothing here waits: a stage that holds data back keeps it in a queue and sets a timer. So a connection without
toxics costs one call from the socket that reads to the one that writes.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from sandbox.toxiproxy.toxic import Attributes

_CAPACITY = 65536  # bytes held by one stage before its source is told to wait
# The event loop's timers have whole milliseconds: what is due within half of one is due.
_TIMER_GRAIN_S = 0.0005


class Next(Protocol):
    """What comes after a stage: another one, or the socket."""

    def take(self, data: bytes, at_s: float) -> None:
        """Data that was read at this monotonic time, plus the delays that were put on it."""

    def end(self) -> None:
        """No more data."""


class Surroundings(Protocol):
    """What a stage may ask of its connection."""

    def balance(self) -> None:
        """The amount of held data has changed."""

    def reset(self) -> None:
        """End the connection with RST on both sides."""


class Stage:
    """A stage that passes everything on, as noop does; the base of the others.

    active: False when toxicity spared this connection; then, too, everything is passed on.
    closed: the end was passed on; what still comes is dropped.
    """

    capacity = _CAPACITY

    def __init__(
        self, around: Surroundings, attributes: Attributes, active: bool, rng: random.Random
    ) -> None:
        self.after: Next
        self.active = active
        self.closed = False
        self.held = 0
        self._around = around
        self._rng = rng
        self._ended = False
        self._timer: asyncio.Handle | None = None
        self._set(attributes)

    def _set(self, attributes: Attributes) -> None:
        """Keep what the kind needs of its attributes."""

    def begin(self) -> None:
        """The stage is in its chain: a kind that acts without data begins here."""

    def take(self, data: bytes, at_s: float) -> None:
        """Data from before."""
        if self.closed:
            return
        if self.active:
            self._work(data, at_s)
        else:
            self.after.take(data, at_s)

    def end(self) -> None:
        """The end from before: passed on when all data has been."""
        if self.closed or self._ended:
            return
        self._ended = True
        if self.active:
            self._work_end()
        else:
            self.close()

    def close(self) -> None:
        """Pass the end on, now."""
        if not self.closed:
            self.closed = True
            self._cancel()
            self.after.end()

    def change(self, attributes: Attributes, active: bool) -> None:
        """The toxic was changed, and its toxicity rolled again."""
        if self.active and not active:
            self.release()
        self.active = active
        self._set(attributes)
        if not self.closed:
            self._changed()

    def leave(self) -> None:
        """The toxic was removed: pass on what is held."""
        self.release()

    def release(self) -> None:
        """Pass on at once, and in order, all that is held, also an end."""
        self._cancel()
        if self._ended:
            self.close()

    def _changed(self) -> None:
        """Held data goes by the new attributes."""

    def _work(self, data: bytes, at_s: float) -> None:
        self.after.take(data, at_s)

    def _work_end(self) -> None:
        self.close()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self, wait_s: float, wakened: Callable[[], None]) -> None:
        """Call in wait_s seconds, or at once below a timer's grain, other work first."""
        self._cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_soon(wakened) if wait_s < _TIMER_GRAIN_S else loop.call_later(wait_s, wakened)


class Holding(Stage):
    """A stage with a queue, out of which pieces go when their time has come. Loses nothing."""

    one_piece_a_turn = False  # else pieces that are due together may become one segment

    def __init__(
        self, around: Surroundings, attributes: Attributes, active: bool, rng: random.Random
    ) -> None:
        self._queue: deque[tuple[bytes, float]] = deque()
        super().__init__(around, attributes, active, rng)

    def _wait_s(self, now_s: float) -> float:
        """Seconds until the next piece of the queue may go; infinite: not before a change."""
        raise NotImplementedError

    def _next(self) -> tuple[bytes, float]:
        """Take the next piece out of the queue."""
        return self._queue.popleft()

    def _queued(self, was_empty: bool, now_s: float) -> None:
        """A chunk was queued, which came when the queue was empty or not."""

    def _work(self, data: bytes, at_s: float) -> None:
        was_empty = not self._queue
        self._queue.append((data, at_s))
        self.held += len(data)
        self._queued(was_empty, time.monotonic())
        if self._timer is None:
            self._pump()
        else:
            self._around.balance()

    def _work_end(self) -> None:
        if not self._queue:
            self.close()

    def _pump(self) -> None:
        self._timer = None
        now_s = time.monotonic()
        while self._queue:
            wait_s = self._wait_s(now_s)
            if wait_s >= _TIMER_GRAIN_S:
                if wait_s != float("inf"):
                    self._wake(wait_s, self._pump)
                break
            data, at_s = self._next()
            self.held -= len(data)
            self.after.take(data, at_s)
            if self.one_piece_a_turn and self._queue:
                self._wake(max(0.0, self._wait_s(now_s)), self._pump)
                break
        if self._ended and not self._queue:
            self.close()
        self._around.balance()

    def _changed(self) -> None:
        self._cancel()
        self._pump()

    def release(self) -> None:
        """Pass all on."""
        while self._queue:
            data, at_s = self._queue.popleft()
            self.after.take(data, at_s)
        self.held = 0
        self._around.balance()
        super().release()
