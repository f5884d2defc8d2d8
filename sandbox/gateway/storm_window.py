"""A storm window: the time in which all alerts of one namespace and alertname go into one aggregated CRD."""

from dataclasses import dataclass

from sandbox.gateway.entry import Entry

StormKey = tuple[str, str]
"""Namespace and alertname."""


@dataclass(frozen=True, slots=True)
class Window:
    """An open window; `ends_s` is by the Clock, in seconds since 1970."""

    id: str
    key: StormKey
    crd_name: str
    ends_s: float


def id_of(key: StormKey, first: Entry) -> str:
    """The id of the window that begins with this entry; it does not change when the Gateway restarts."""
    return f"{key[0]}:{key[1]}-{first.received_s:.0f}-{first.id[:6]}"
