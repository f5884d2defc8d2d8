"""Alerts as they are pushed to a real Alertmanager (POST /api/v2/alerts), which posts them to the Gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from shapes import alerts
from shapes.alerts import Naming, Planned
from shapes.phase import AlertRecipe, Phase

PATH = "/api/v2/alerts"
# The kind of an alert that Alertmanager took: it owes it to the Gateway from then on.
PUSHED = "pushed"
# So long after the load's end an alert fires on by itself, if nobody resolves it before. Alertmanager drops
# one that ends before it was delivered (notify/notify.go, DedupStage: nothing fires, nothing is sent).
FIRES_S = 3600.0
# What a run through an Alertmanager shows nothing to decide by, and why.
NOT_ASKED = {
    **dict.fromkeys(
        ("safe_rejections", "refusal_status", "recovery", "steady_state", "metrics_agree", "ready_honest"),
        "the Gateway's answers to the alerts go to Alertmanager, not to the sender",
    ),
    **dict.fromkeys(
        ("count_exact", "one_aggregated", "backoff_steps"),
        "Alertmanager sends an alert again with its group, as often as it likes",
    ),
    "volley_spread": "Alertmanager decides when an alert goes out",
}


# What a relay behind it sees all the same.
_RELAYED = ("safe_rejections", "refusal_status")


def not_asked(relayed: bool) -> dict[str, str]:
    """Return what is not decided, with the reason."""
    return {name: why for name, why in NOT_ASKED.items() if not (relayed and name in _RELAYED)}


def merged(alert: AlertRecipe, phases: Iterable[Phase]) -> str:
    """Return why such a load cannot be joined by id behind an Alertmanager; empty if it can."""
    recipes = [alert, *(phase.alert for phase in phases if phase.alert)]
    if any(recipe.repeat for recipe in recipes) or any(phase.pattern == "duplicates" for phase in phases):
        what = "alert.repeat and pattern duplicates"
        why = "it takes alerts with equal labels for one, and sends that once"
    elif any(recipe.resolved for recipe in recipes):
        what, why = "alert.resolved", "what is resolved before it was delivered is never sent"
    elif any(recipe.unusable for recipe in recipes):
        what, why = "alert.unusable", "who refused it, and how, only Alertmanager learns"
    else:
        return ""
    return f"Alertmanager stands in between: {why}; leave {what} out"


class Push:
    """One run's pushes, as `Prepared` gives a run's POSTs; all alerts fire until ``until_s``."""

    def __init__(
        self,
        naming: Naming,
        wall: Callable[[float], str],
        until_s: float,
        envelope: Callable[[bytes], bytes] = lambda body: body,
    ) -> None:
        self._naming = naming
        self._wall = wall
        self._until_s = until_s
        self._envelope = envelope

    def requests(self, posts: Iterable[Sequence[Planned]]) -> list[bytes]:
        """Return the request of each push."""
        return [self._envelope(self.body(batch)) for batch in posts]

    def body(self, batch: Sequence[Planned]) -> bytes:
        """Return what pushes these alerts, with the labels and annotations of a direct POST."""
        ends = self._wall(self._until_s)
        return alerts.encoded(
            [
                {
                    "labels": alerts.labels(self._naming, alert),
                    "annotations": alerts.notes(self._naming, alert),
                    "startsAt": self._wall(alert.due_s),
                    "endsAt": ends,
                    "generatorURL": "http://alertstorm.invalid/graph",
                }
                for alert in batch
            ]
        )
