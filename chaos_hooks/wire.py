"""The wire: one event loop over non-blocking connections that carries every request of a process.

It runs in a greenlet of its own, beside Locust's. While it has nothing to do it is parked in gevent's hub,
woken by one epoll set that holds all connections and a timer; while it has, it lets the others run every few
milliseconds. Nothing of it waits: a target that hangs costs open connections, and no punctuality.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import gevent.event

from chaos_hooks.connection import Endpoint, Limits
from chaos_hooks.exchange import Done
from chaos_hooks.lines import Lines
from chaos_hooks.loops import Shot
from chaos_hooks.timer_fd import TimerFd

SHARE_S = 0.004  # So long at most other greenlets wait for the loop.
SWEEP_S = 0.001  # So long at most what ended waits to be told while there is always more to send.
# The timer is set early by as much as 99 of 100 sleeps last too long; what is left is waited for without
# sleep. As machines differ in that by ten times, it is found out, from the first on.
EARLY_S, MOST_EARLY_S = 0.00006, 0.0005
_EARLIER_S, _LATER_S = 0.00005, 0.00005 / 99
Take = Callable[[float], float | None]


class Wire:
    """Carries requests to one endpoint, each handed over at most once.

    A request takes an idle connection; if there is none it waits for the first that is made or comes free, at
    most ``connect_timeout_s``, and then was not sent. Its answer must be whole within ``answer_timeout_s`` of
    its having a connection. ``after_turn`` is called from the loop when some may be done, within SWEEP_S.
    """

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float], limits: Limits) -> None:
        """Make a wire; nothing is connected yet."""
        self.after_turn: Callable[[], None] = lambda: None
        self.lines = Lines(endpoint, clock, limits, self._wake)
        self._clock = clock
        self._take: Take | None = None
        self._due_s: float | None = None
        self._taken = gevent.event.Event()
        self._timer = TimerFd()
        self.lines.poll.register(self._timer.fd, select.EPOLLIN)
        self._greenlet: gevent.Greenlet | None = None
        self._parked = self._closing = False
        self._early_s = EARLY_S

    def submit(self, request: bytes, done: Done, tag: Any = None) -> Shot:
        """Send a request as soon as it may be; see `Shot` for ``done``."""
        shot = Shot(request, tag, done, self._clock())
        self.lines.launch(shot)
        self._woken()
        return shot

    def submit_all(self, requests: Sequence[bytes], done: Done, tags: Sequence[Any]) -> None:
        """Do it with several, each with its tag."""
        self.lines.launch_all(requests, tags, done)
        self._woken()

    def pace(self, take: Take) -> None:
        """Call ``take(now_s)`` from the loop whenever it is due; return when it says that nothing more is.

        Args:
            take: does what is due, as much as may be done at once, and returns when it is to be called next
                on the clock, or None.
        """
        self._take, self._due_s = take, self._clock()
        self._taken.clear()
        self._wake()
        try:
            self._taken.wait()
        finally:
            self._take = self._due_s = None

    def hurry(self) -> None:
        """Let `pace` call at once, whenever the next call was due."""
        if self._take:
            self._due_s = self._clock()
            self._wake()

    def abandon_all(self, why: str) -> None:
        """Give up all that is not done; each of them is told."""
        self.lines.abandon_all(why)
        self.after_turn()

    def close(self) -> None:
        """Close the idle connections, and each other one when it is done."""
        self.lines.pool.close()
        self._closing = True
        self._wake()

    def _woken(self) -> None:
        if self._greenlet is not gevent.getcurrent():
            self._wake()

    def _wake(self) -> None:
        if self._greenlet is None:
            self._watcher = gevent.get_hub().loop.io(self.lines.poll.fileno(), 1)
            self._greenlet = gevent.spawn(self._run)
        elif self._parked:
            self._parked = False
            gevent.get_hub().loop.run_callback(self._greenlet.switch)

    def _run(self) -> None:
        shared_s = swept_s = self._clock()
        while not self._closing or self.lines.pending or self._take:
            self._turn()
            now_s = self._clock()
            busy = self._due_s is not None and self._due_s - now_s <= self._early_s
            if busy and now_s - swept_s < SWEEP_S:
                continue
            wait_s = self._sweep()
            if wait_s is None or wait_s > self._early_s:
                self._park(wait_s)
                shared_s = self._clock()
            elif now_s - shared_s > SHARE_S:
                gevent.sleep(0)
                shared_s = self._clock()
            swept_s = self._clock()
        self._sweep()
        self._watcher.close()
        self.lines.poll.close()
        self._timer.close()

    def _turn(self) -> None:
        now_s = self._clock()
        if self._due_s is not None and self._due_s <= now_s and self._take:
            self._due_s = self._take(now_s)
            if self._due_s is None:
                self._take = None
                self._taken.set()
        self.lines.turn()

    def _sweep(self) -> float | None:
        """Do what need not be done each turn; return how long nothing is to be done, None for ever."""
        self.lines.expire(self._clock())
        self.after_turn()
        now_s = self._clock()
        rest_s = self.lines.rest_s(now_s)
        if self._due_s is None:
            return rest_s
        left_s = self._due_s - now_s
        return left_s if rest_s is None else min(left_s, rest_s)

    def _park(self, wait_s: float | None) -> None:
        """Sleep until a connection says something, the time is over, or somebody wakes it. With nothing to
        wait for it watches nothing, so that it keeps no process alive."""
        if self._closing and wait_s is None:
            return
        if wait_s is None:
            self._timer.disarm()
        else:
            until_s = self._clock() + wait_s - self._early_s
            self._timer.arm(wait_s - self._early_s)
            self._watcher.start(self._resume)
        self._parked = True
        try:
            gevent.get_hub().switch()
        finally:
            self._parked = False
            self._watcher.stop()
        if wait_s is not None:
            self._early_s = earlier(self._early_s, self._clock() - until_s)

    def _resume(self) -> None:
        if self._parked and self._greenlet:
            self._parked = False
            self._greenlet.switch()


def earlier(early_s: float, slept_too_long_s: float) -> float:
    """Return by how much to set the timer early after a sleep that lasted so much too long; negative if
    something else ended it, which says nothing.

    The 0.99 quantile by stochastic approximation (Robbins and Monro, 1951): up by 99 parts if it was not
    enough, else down by one.
    """
    if slept_too_long_s < 0:
        return early_s
    changed_s = early_s + _EARLIER_S if slept_too_long_s > early_s else early_s - _LATER_S
    return min(MOST_EARLY_S, max(EARLY_S, changed_s))
