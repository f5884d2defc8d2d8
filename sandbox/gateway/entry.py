"""One occurrence of an alert that waits for its CRD, with all that is needed to write it later."""

import json
import uuid
from dataclasses import dataclass

from sandbox.gateway.webhook import Alert, WebhookError, parse_alert


@dataclass(frozen=True, slots=True)
class Entry:
    """`id` is unique: what is written for the entry carries it, so that it is not written twice.

    `received_s` is by the Clock, in seconds since 1970.
    """

    id: str
    alert: Alert
    received_s: float
    fingerprint: str

    @classmethod
    def of(cls, alert: Alert, now_s: float) -> "Entry":
        """A new entry for an alert that has just come."""
        return cls(uuid.uuid4().hex, alert, now_s, alert.fingerprint)

    def to_text(self) -> str:
        """The entry as one line of JSON, for Redis."""
        return json.dumps({"id": self.id, "received": self.received_s, "alert": self.alert.raw})

    @classmethod
    def from_text(cls, text: str) -> "Entry":
        """The entry that `to_text` wrote. Raises ValueError for anything else."""
        try:
            document = json.loads(text)
            alert = parse_alert(document["alert"])
            return cls(str(document["id"]), alert, float(document["received"]), alert.fingerprint)
        except (WebhookError, KeyError, TypeError) as error:
            raise ValueError(f"not an entry: {error}") from error


def by_fingerprint(entries: list[Entry]) -> list[list[Entry]]:
    """The entries in groups of one fingerprint each, in the order of their first."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.fingerprint, []).append(entry)
    return list(groups.values())
