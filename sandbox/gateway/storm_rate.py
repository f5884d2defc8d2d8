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
        since_s = now_s - self._settings.rate_window_s
        recent = {f: at_s for f, at_s in self._seen.get(key, {}).items() if since_s < at_s <= now_s}
        recent.setdefault(fingerprint, now_s)
        if len(recent) > self._settings.rate_threshold + 1:
            del recent[next(iter(recent))]  # the newest are enough to know
        if key not in self._seen and len(self._seen) >= _FORGET_AT:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = recent
        return len(recent) > self._settings.rate_threshold
