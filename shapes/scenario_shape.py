"""The one load shape: it names no rate, it only says whether the run is still on.

Locust's tick is up to a second late and may be blocked, so nothing is timed by it: the Conductor acts on its
own deadlines, and the alerts have their own due times.
"""

from __future__ import annotations

from collections.abc import Callable

from locust import LoadTestShape


class ScenarioShape(LoadTestShape):
    """Keep one user, the carrier of the open schedule, for as long as the run is not over; with workers, one
    on each of them.

    ``is_over`` and ``carriers`` are set by the live run; Locust makes the only instance, without arguments,
    and uses it again for every run of the web UI.
    """

    abstract = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_over: Callable[[], bool] = lambda: False
        self.carriers: Callable[[], int] = lambda: 1
        self._fresh = True

    def reset_time(self) -> None:
        """Begin anew; Locust calls it at each start, the only hook that tells of one."""
        super().reset_time()  # type: ignore[no-untyped-call]
        self._fresh = True

    def tick(self) -> tuple[int, float] | None:
        """Return a constant while no worker comes or goes, as a changed tuple would kill what Locust is
        starting; None when it is over."""
        carriers = max(1, self.carriers())
        if not self._fresh and self.is_over():
            return None
        # What is known at first is of the run before: test_start comes only after this first tick.
        self._fresh = False
        return (carriers, float(carriers))
