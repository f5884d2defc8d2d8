"""The stop watch: asks several times a second whether a stop condition of the scenario is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import gevent

from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.fleet_emitter import FleetEmitter
from chaos_hooks.ledger import Ledger
from chaos_hooks.probes import Prober
from reports.history import Outcome
from reports.signals import COMPONENTS
from reports.stopping import Seen, Stopping
from shapes.scenario import Scenario

_LOOK_S = 0.2


def check(scenario: Scenario, questions: Mapping[str, object]) -> None:
    """Refuse a condition that could never be seen, before the first alert.

    Raises:
        SetupError: naming the condition, and what there is to ask.
    """
    for condition in scenario.stop_when:
        probe = condition.probe or (COMPONENTS if condition.kind == "component_down" else "")
        if probe and probe not in questions:
            mend = "give --chaos-prometheus-url" if probe == "prometheus" else "name its endpoint"
            listed = ", ".join(sorted(questions))
            raise SetupError(f"{condition.place}: there is no probe {probe!r}; {mend} (there are: {listed})")


def watch(
    scenario: Scenario,
    clock: RunClock,
    tally: Ledger | FleetEmitter,
    prober: Prober,
    stop: Callable[[str], None],
) -> None:
    """Call ``stop`` with a sentence when a condition is broken, and return; else never return."""
    stopping = Stopping(scenario.stop_when, clock.now())
    while True:
        counts = dict(tally.counts)
        seen = Seen(
            clock.now(),
            tally.begun,
            sum(counts.values()),
            counts[Outcome.ACKED],
            dict(prober.latest),
        )
        why = stopping.broken(seen)
        if why:
            stop(why)
            return
        gevent.sleep(_LOOK_S)
