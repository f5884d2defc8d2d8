"""What a Locust process is in a distributed run: master, worker, or neither."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import DistributedRunner, MasterRunner, WorkerRunner

from chaos_hooks.fleet import Fleet
from chaos_hooks.options import Options

_log = logging.getLogger(__name__)
_MAX_WAIT_S = (
    60  # For workers, unless --expect-workers-max-wait says otherwise; Locust itself waits for ever.
)


def is_worker(environment: Environment) -> bool:
    """Return whether this process sends what a master leases it."""
    return isinstance(environment.runner, WorkerRunner)


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


def messenger(runner: DistributedRunner) -> Callable[[str, Any, str | None], None]:
    """Return what sends Locust's messages, and raises nothing."""

    def send(kind: str, data: Any, client_id: str | None = None) -> None:
        try:
            runner.send_message(kind, data, client_id)
        except RPCError as problem:
            # As if it were lost on the way: whatever matters is sent again.
            _log.info("%s could not be sent: %s", kind, problem)

    return send


def _await_workers(led: Fleet, runner: MasterRunner, wait_s: float, main: gevent.Greenlet) -> None:
    with gevent.Timeout(wait_s, False):
        while len(runner.clients.ready) < led.least:
            gevent.sleep(0.2)
        return
    if runner.state == "ready":  # Nothing was started.
        led.dismiss(main, f"after {wait_s} s {led.missing}")
