"""The rate of new alerts of one namespace and alertname, and whether it is that of a storm."""

from sandbox.gateway.settings import StormMode, StormSettings
from sandbox.gateway.storm_window import StormKey

_FORGET_AT = 10_000


class StormRate:
    """Remembers, in memory only, when which fingerprint of a key was first seen; a restart forgets it."""

    def __init__(self, settings: StormSettings) -> None:
        self._settings = settings
        self._seen: dict[StormKey, dict[str, float]] = {}

    def is_storm(self, key: StormKey, fingerprint: str, now_s: float) -> bool:
        """Note an alert; whether more than the threshold of fingerprints came within the rate's window."""
        if self._settings.mode is not StormMode.THRESHOLD:
            return self._settings.mode is StormMode.ALWAYS
        if key not in self._seen and len(self._seen) >= _FORGET_AT:
            del self._seen[next(iter(self._seen))]
        recent = self._seen.setdefault(key, {})
        if recent and next(reversed(recent.values())) > now_s:
            recent.clear()  # The clock went back: what was seen lies in a time that is still to come.
        since_s = now_s - self._settings.rate_window_s
        # In the order in which they were first seen, so that the oldest stand in front.
        while recent and next(iter(recent.values())) <= since_s:
            del recent[next(iter(recent))]
        recent.setdefault(fingerprint, now_s)
        return len(recent) > self._settings.rate_threshold
