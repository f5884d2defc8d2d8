"""What became of one alert: the word that the sender and the metrics are told."""

from dataclasses import dataclass

ACCEPTED = ("created", "duplicate", "resolved", "buffered", "aggregated", "queued")
OUTCOMES = (*ACCEPTED, "failed", "rejected")


@dataclass(frozen=True, slots=True)
class Result:
    """`status` is created, duplicate, aggregated (in a RemediationRequest), buffered or queued (durable, to
    be in one later), resolved (all accepted), failed (try again) or rejected (unusable).

    `window_id` names the storm window, or the one to come, of an aggregated or buffered alert. `repeats` says
    that the alert was known: it is counted as a duplicate, whatever its status.
    """

    status: str
    message: str
    fingerprint: str = ""
    name: str = ""
    count: int = 0
    reason: str = ""
    window_id: str = ""
    repeats: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the sender may forget the alert."""
        return self.status in ACCEPTED

    @property
    def duplicate(self) -> bool:
        """Whether the alert was known already."""
        return self.repeats or self.status == "duplicate"
