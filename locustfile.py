"""What Locust loads: one user that carries the load, one shape that ends it, and this tool's listeners."""

from locust import User, events, task
from locust.exception import StopUser

import chaos_hooks
from shapes.scenario_shape import ScenarioShape

session = chaos_hooks.install(events)


class AlertUser(User):
    """Emits Prometheus alerts as Alertmanager would post them, on the scenario's open schedule."""

    host = "the scenario's target"  # Shown by the web UI, used by nobody.

    @task
    def emit(self) -> None:
        """Send every alert of the plan at its due time, then leave."""
        session.emit()
        raise StopUser


class Shape(ScenarioShape):
    """The one shape: it follows the run."""
