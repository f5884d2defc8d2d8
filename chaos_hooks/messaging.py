"""What carries a run's alerts to the Gateway: nobody but the sender, or an Alertmanager in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chaos_hooks import alertmanager, description, preflight
from chaos_hooks.alertmanager import Alertmanager
from chaos_hooks.clock import RunClock
from chaos_hooks.line_file import LineFile
from chaos_hooks.orders import Orders, orders
from chaos_hooks.probes import Prober, Question
from chaos_hooks.relay import Relay
from chaos_hooks.sender import Sender
from reports import deliveries, messenger
from shapes.alerts import Naming
from shapes.scenario import Scenario
from shapes.target import Endpoints, Target


class Messaging:
    """The one that a scenario wants; of one that wants none, every step does nothing. ``between`` tells
    whether there is one."""

    def __init__(
        self, scenario: Scenario, naming: Naming, clock: RunClock, say: Callable[[str], None]
    ) -> None:
        self._scenario = scenario
        self._naming = naming
        self._clock = clock
        self._say = say
        self._alertmanager: Alertmanager | None = None
        self._relay: Relay | None = None

    @property
    def between(self) -> bool:
        """Return whether somebody stands between sender and Gateway."""
        return self._alertmanager is not None

    def relay_url(self) -> str:
        """Return where a relay listens that is to stand behind the Alertmanager; empty if none is wanted."""
        if self._scenario.relayed and self._relay is None:
            self._relay = Relay(self._naming, self._clock)
        return self._relay.url if self._relay else ""

    def open_relay(self, target: Target, gateway_url: str, folder: Path) -> None:
        """Let the relay, if there is one, hand on to the Gateway; raises as `preflight.headers` does."""
        if self._relay:
            sender = Sender(
                gateway_url + target.webhook_path,
                headers=preflight.headers(target),
                connect_timeout_s=target.connect_timeout_s,
                answer_timeout_s=target.answer_timeout_s,
                clock=self._clock.now,
            )
            self._relay.open(sender, target.answers, LineFile(folder / deliveries.FILE))

    def stop(self) -> None:
        """Hand on no more."""
        if self._relay:
            self._relay.close()

    def connect(self, endpoints: Endpoints) -> dict[str, str]:
        """Ask it who it is; return what the run's record says of it.

        Raises:
            SetupError: if it is wanted, and does not answer as it should.
        """
        if not self._scenario.through:
            return {}
        self._alertmanager = alertmanager.connect(endpoints)
        for name, why in description.skipped(self._scenario).items():
            self._say(f"{name} is SKIPPED: {why}")
        return self._alertmanager.facts

    def questions(self) -> dict[str, Question]:
        """Return the probe that watches it."""
        return {messenger.PROBE: self._alertmanager.question()} if self._alertmanager else {}

    def orders(self, run_id: str, target: Target, gateway_url: str, traced: bool) -> Orders:
        """Return the orders by which the alerts go to the Gateway, or to it; raises as `orders.orders`."""
        direct = orders(run_id, self._naming, self._scenario, target, gateway_url, traced)
        return self._alertmanager.orders(direct, self._scenario) if self._alertmanager else direct

    def wait_delivered(self, prober: Prober | None) -> None:
        """Return when it has posted what it took, as far as it ever will."""
        if self._alertmanager and prober:
            prober.note(self._alertmanager.held(self._naming, self._clock))
            self._alertmanager.wait_delivered(self._clock, self._say)

    def dismiss(self) -> None:
        """Let the run's alerts end in it."""
        if self._alertmanager:
            self._alertmanager.dismiss(self._naming, self._clock, self._say)
