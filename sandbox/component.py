"""Component: one server of the sandbox over all its lives: started, killed, stopped and brought back.

A lease is how long a fault may last. The keeper itself ends it, so that a fault outlives nobody, whoever
asked for it.
"""

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass

from sandbox import processes
from sandbox.log_file import LogFile
from sandbox.spec import Spec

DEATH_WAIT_S = 5.0
READY_WAIT_S = 10.0
_POLL_S = 0.02
_LEASE_END_TRIES = 5
RETRY_DELAY_S = 1.0

log = logging.getLogger("sandbox")


class NotReady(Exception):
    """The component died or was not ready in time; the message says which, with its last log lines."""


class NotPossible(Exception):
    """The component is not in the state that was assumed, as a kill of the dead."""


class NotObeyed(Exception):
    """The signal was sent and nothing happened in time."""


@dataclass(frozen=True, slots=True)
class Exit:
    """One death; code as of Popen.returncode (negative: signal); monotonic seconds."""

    pid: int
    code: int
    at_s: float
    by_control: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """A fault that ends by itself; ends_at_s is monotonic."""

    ends_at_s: float
    timer: asyncio.TimerHandle


class Component:
    """The one process, or none, that plays a part. Only the main thread may use it: it starts processes."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.starts = 0
        self.started_at_s = 0.0
        self.paused = False
        self.exits: deque[Exit] = deque(maxlen=100)
        self.lease: Lease | None = None
        self.closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._died = asyncio.Event()
        self._signalled = False
        self._starting = asyncio.Lock()
        self._log = LogFile(spec.log)
        self._restart: asyncio.TimerHandle | None = None
        self._restart_after_s: float | None = None  # once, instead of the spec's delay
        self._return: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The living process; it is our child and not reaped, so that the number cannot be another's."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> bool:
        """Start it, unless it runs; False when it ran already (a stopped one goes on). Raises OSError."""
        async with self._starting:
            self._end_lease()
            self._restart_after_s = None
            if self._restart is not None:
                self._restart.cancel()
            if self.paused:
                self._resume()
            if self._process is not None:
                self._signalled = False  # What comes now is another story than the signal it survived.
                return False
            launch = await self.spec.launch()
            if self.closed:
                return False
            self._log.new_life()
            self._process = processes.spawn(launch, self.spec.log)
            self.starts += 1
            self.started_at_s = time.monotonic()
            self._died = asyncio.Event()
            self._signalled = False
            log.info("%s started as %d: %s", self.spec.name, self._process.pid, " ".join(launch.argv))
            return True

    async def wait_ready(self, timeout_s: float = READY_WAIT_S) -> None:
        """Return when it is ready. Raises NotReady when it died, or was not ready in time."""
        deadline = time.monotonic() + timeout_s
        process = self._process
        while process is not None and self._process is process:
            lack = await self.spec.lacks()
            if lack is None and self._process is process:
                return
            if time.monotonic() > deadline:
                raise NotReady(
                    f"{self.spec.name}: not ready within {timeout_s:.3g} s: {lack}; {self._log.last_words()}"
                )
            await asyncio.sleep(_POLL_S)
        code = self.exits[-1].code
        how = f"exited with {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        raise NotReady(f"{self.spec.name}: {how} before it was ready; {self._log.last_words()}")

    async def kill(
        self, signal_number: int, lease_s: float | None, restart_after_s: float | None = None
    ) -> Exit:
        """Signal the whole process group, wait for the death; restarted when the lease is over.

        Without a lease it is a death like any other, but for the delay of the restart: restart_after_s.
        Raises NotPossible when it is dead already, NotObeyed when it lives on after DEATH_WAIT_S (lease and
        delay stand).
        """
        process = self._process
        if process is None:
            raise NotPossible(f"{self.spec.name} is already dead")
        self._signalled = True
        self._end_lease()
        self._stop_return()  # It would end the fault that begins now.
        if lease_s is not None:
            self._begin_lease(lease_s)
        self._restart_after_s = restart_after_s
        died = self._died
        os.killpg(process.pid, signal_number)
        try:
            await asyncio.wait_for(died.wait(), DEATH_WAIT_S)
        except TimeoutError as error:
            name = signal.Signals(signal_number).name
            raise NotObeyed(
                f"{self.spec.name} still runs {DEATH_WAIT_S:g} s after {name}; mend: use KILL"
            ) from error
        return next(death for death in reversed(self.exits) if death.pid == process.pid)

    async def pause(self, lease_s: float) -> None:
        """SIGSTOP until resume or the end of the lease. Raises NotPossible if dead or paused, NotObeyed."""
        if self._process is None or self.paused:
            raise NotPossible(f"{self.spec.name} is already {'paused' if self._process else 'dead'}")
        pid = self._process.pid
        self.paused = True
        self._begin_lease(lease_s)
        os.killpg(pid, signal.SIGSTOP)
        deadline = time.monotonic() + DEATH_WAIT_S
        while (stat := processes.read_stat(pid)) is not None and stat.state not in "TZ":
            if time.monotonic() > deadline:
                raise NotObeyed(
                    f"{self.spec.name} (pid {pid}) is not stopped {DEATH_WAIT_S:g} s after SIGSTOP"
                )
            await asyncio.sleep(0.001)
        log.info("%s paused", self.spec.name)

    def resume(self) -> bool:
        """SIGCONT; False when it was not stopped. Raises NotPossible when it is dead."""
        if self._process is None:
            raise NotPossible(f"{self.spec.name} is dead; mend: start it")
        if not self.paused:
            return False
        self._end_lease()
        self._resume()
        return True

    def _resume(self) -> None:
        self.paused = False
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)
            log.info("%s resumed", self.spec.name)

    def died(self, code: int) -> None:
        """The reaper's word that our process is dead."""
        assert self._process is not None
        death = Exit(self._process.pid, code, time.monotonic(), self._signalled)
        self._process.returncode = code
        self._process = None
        self.paused = False
        self.exits.append(death)
        self._died.set()
        log.info(
            "%s (pid %d) died with %d, by control: %s", self.spec.name, death.pid, code, death.by_control
        )
        returning = self._return is not None and not self._return.done()
        asked_s = self._restart_after_s
        delay_s = self.spec.restart_delay_s if asked_s is None else asked_s
        if self.lease is None and delay_s is not None and not self.closed and not returning:
            self._restart = asyncio.get_running_loop().call_later(delay_s, self._return_begins)

    def _begin_lease(self, lease_s: float) -> None:
        self._end_lease()
        self._stop_return()
        timer = asyncio.get_running_loop().call_later(lease_s, self._return_begins)
        self.lease = Lease(time.monotonic() + lease_s, timer)

    def _end_lease(self) -> None:
        if self.lease is not None:
            self.lease.timer.cancel()
            self.lease = None

    def _stop_return(self) -> None:
        if self._return is not None:
            self._return.cancel()
            self._return = None

    def _return_begins(self) -> None:
        self._return = asyncio.ensure_future(self._bring_back())

    async def _bring_back(self) -> None:
        """Start it again: five tries, as nobody may be left to ask; without end if it restarts always."""
        tries = 0
        while self.spec.restart_delay_s is not None or tries < _LEASE_END_TRIES:
            tries += 1
            try:
                await self.start()
                await self.wait_ready()
                return
            except (NotReady, OSError) as error:
                log.error("try %d to bring %s back: %s", tries, self.spec.name, error)
            await asyncio.sleep(self.spec.restart_delay_s or RETRY_DELAY_S)

    def close(self) -> None:
        """No more starts: the sandbox ends, and what still runs is killed by the keeper."""
        self.closed = True
        self._end_lease()
        self._stop_return()
        if self._restart is not None:
            self._restart.cancel()
        if self._process is not None:
            self._process.returncode = -signal.SIGKILL  # The keeper reaps; Popen shall not.
