"""What a Locust process is in a distributed run: master, worker, or neither."""

from __future__ import annotations

import ctypes
import logging
import signal
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import DistributedRunner, MasterRunner, WorkerRunner

from chaos_hooks.delivery import Told
from chaos_hooks.fleet import Fleet
from chaos_hooks.options import Options
from chaos_hooks.post import Send
from chaos_hooks.worker import Worker

_log = logging.getLogger(__name__)
# For workers, unless --expect-workers-max-wait says otherwise; Locust itself waits for ever.
_MAX_WAIT_S = 60
_PR_SET_PDEATHSIG = 1


def worker(environment: Environment, given: Options, told: Told) -> Worker | None:
    """Return what sends what a master leases it; None in a process that is no worker."""
    runner, main = environment.runner, gevent.getcurrent()
    if not isinstance(runner, WorkerRunner):
        return None

    def end(code: int) -> None:
        environment.process_exit_code = code
        gevent.kill(main, KeyboardInterrupt())

    environment.process_exit_code = 0  # What became of the alerts is the master's to judge.
    if environment.parsed_options and environment.parsed_options.processes:
        _end_with_parent()
    # Python would raise KeyboardInterrupt in whichever greenlet happens to run.
    gevent.signal_handler(signal.SIGINT, gevent.kill, main, KeyboardInterrupt())
    return Worker(runner, given, told, messenger(runner), end)


def fleet(environment: Environment, given: Options, say: Callable[[str], None]) -> Fleet | None:
    """Return the fleet that a master leads; None where there is none."""
    runner, parsed = environment.runner, environment.parsed_options
    if not isinstance(runner, MasterRunner):
        return None
    assert parsed
    led = Fleet(runner, given, say, messenger(runner), least=max(1, parsed.expect_workers))
    if parsed.headless:
        wait_s = parsed.expect_workers_max_wait or _MAX_WAIT_S
        parsed.expect_workers_max_wait = 0  # Ours ends with a sentence and our exit code.
        gevent.spawn(_await_workers, led, runner, wait_s, gevent.getcurrent())
    return led


def messenger(runner: DistributedRunner) -> Send:
    """Return what sends Locust's messages, and raises nothing."""

    def send(kind: str, data: Any, client_id: str | None = None) -> None:
        try:
            runner.send_message(kind, data, client_id)
        except RPCError as problem:
            # As if it were lost on the way: whatever matters is sent again.
            _log.info("%s could not be sent: %s", kind, problem)

    return send


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the master that forked this worker dies, in whatever way.

    Locust looks for it for more than a minute, and still does where there is no Linux.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _await_workers(led: Fleet, runner: MasterRunner, wait_s: float, main: gevent.Greenlet) -> None:
    with gevent.Timeout(wait_s, False):
        while len(runner.clients.ready) < led.least:
            gevent.sleep(0.2)
        return
    if runner.state == "ready":  # Nothing was started.
        led.dismiss(main, f"after {wait_s} s {led.missing}")
