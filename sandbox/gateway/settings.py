"""The settings of the Gateway, read once from its environment variables.

GATEWAY_LISTEN_ADDR=127.0.0.1:8080   GATEWAY_NAMESPACE=alertstorm   KUBECONFIG=path
GATEWAY_REDIS_SENTINELS=host:port,host:port   GATEWAY_REDIS_MASTER=gateway-redis
GATEWAY_REDIS_ADDR=host:port, used without sentinels
GATEWAY_REDIS_ADDRESS_MAP=announced:port=proxy:port,... replaces what the Sentinels announce
GATEWAY_CLOCK_FILE=path of an offset such as +65.0, added to the clock that judges storms
GATEWAY_STORM_MODE=off|threshold|always, threshold if there is a rate, else off
GATEWAY_STORM_RATE_THRESHOLD=0   GATEWAY_STORM_RATE_WINDOW=60s
GATEWAY_STORM_BUFFER_THRESHOLD=3   GATEWAY_STORM_BUFFER_TTL=60s   GATEWAY_STORM_BUFFER_MAX=100
GATEWAY_STORM_WINDOW=60s
GATEWAY_QUEUE_DURABILITY=redis|none   GATEWAY_QUEUE_MAX=1000   GATEWAY_QUEUE_HOLD=0
GATEWAY_DEFECTS=comma list; --list-defects shows them
GATEWAY_BITES_FILE=path of a file that gets a line for each bite of a defect
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sandbox.gateway import defects

Address = tuple[str, int]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class SettingsError(ValueError):
    """An environment variable is missing or cannot be understood; the text names it and the mend."""


class StormMode(Enum):
    """When alerts are buffered: never, when their rate says storm, or every one."""

    OFF = "off"
    THRESHOLD = "threshold"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class StormSettings:
    """More than `rate_threshold` new alerts of one namespace and alertname in `rate_window_s` are a storm.

    `buffer_threshold` buffered alerts open a window of `window_s`; fewer become CRDs of their own after
    `buffer_ttl_s`. All buffers together hold `buffer_max` alerts.
    """

    mode: StormMode = StormMode.OFF
    rate_threshold: int = 0
    rate_window_s: float = 60.0
    buffer_threshold: int = 3
    buffer_ttl_s: float = 60.0
    window_s: float = 60.0
    buffer_max: int = 100


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What happens to alerts that the Kubernetes API does not take: queued in Redis (`durable`), or else held
    for `hold_s` seconds and then refused. At most `most` wait."""

    durable: bool = True
    most: int = 1000
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, where the dependencies are, and the limits.

    `redis_address` is used only without sentinels; `redis_address_map` replaces addresses that they announce.
    """

    listen: Address
    sentinels: tuple[Address, ...]
    redis_master: str
    redis_address: Address | None
    kubeconfig: str
    namespace: str
    defects: Mapping[str, float]
    redis_address_map: Mapping[Address, Address] = field(default_factory=dict)
    clock_file: str = ""
    bites_file: str = ""
    storm: StormSettings = StormSettings()
    queue: QueueSettings = QueueSettings()


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings from GATEWAY_* and KUBECONFIG. Raises SettingsError, and DefectError for an unknown defect."""
    sentinels = tuple(
        _address("GATEWAY_REDIS_SENTINELS", part)
        for part in environment.get("GATEWAY_REDIS_SENTINELS", "").split(",")
        if part.strip()
    )
    redis = environment.get("GATEWAY_REDIS_ADDR", "")
    if not sentinels and not redis:
        raise SettingsError(
            "no Redis: set GATEWAY_REDIS_SENTINELS=host:port,host:port or GATEWAY_REDIS_ADDR=host:port"
        )
    kubeconfig = environment.get("KUBECONFIG", "")
    if not kubeconfig:
        raise SettingsError("no Kubernetes API: set KUBECONFIG to the path of a kubeconfig file")
    return Settings(
        listen=_address("GATEWAY_LISTEN_ADDR", environment.get("GATEWAY_LISTEN_ADDR", "127.0.0.1:8080")),
        sentinels=sentinels,
        redis_master=environment.get("GATEWAY_REDIS_MASTER", "gateway-redis"),
        redis_address=_address("GATEWAY_REDIS_ADDR", redis) if redis else None,
        kubeconfig=kubeconfig,
        namespace=environment.get("GATEWAY_NAMESPACE", "alertstorm"),
        defects=defects.parse(environment.get("GATEWAY_DEFECTS", "")),
        redis_address_map=_address_map(environment.get("GATEWAY_REDIS_ADDRESS_MAP", "")),
        clock_file=environment.get("GATEWAY_CLOCK_FILE", ""),
        bites_file=environment.get("GATEWAY_BITES_FILE", ""),
        storm=_storm(environment),
        queue=_queue(environment),
    )


def _storm(environment: Mapping[str, str]) -> StormSettings:
    plain = StormSettings()
    rate_threshold = _whole(environment, "GATEWAY_STORM_RATE_THRESHOLD", plain.rate_threshold, least=0)
    by_rate = StormMode.THRESHOLD if rate_threshold else StormMode.OFF
    mode = StormMode(
        _one_of(environment, "GATEWAY_STORM_MODE", by_rate.value, [mode.value for mode in StormMode])
    )
    if mode is StormMode.THRESHOLD and not rate_threshold:
        raise SettingsError(
            "GATEWAY_STORM_MODE: threshold needs a rate; set GATEWAY_STORM_RATE_THRESHOLD above 0"
        )
    return StormSettings(
        mode=mode,
        rate_threshold=rate_threshold,
        rate_window_s=_duration_s(environment, "GATEWAY_STORM_RATE_WINDOW", plain.rate_window_s),
        buffer_threshold=_whole(environment, "GATEWAY_STORM_BUFFER_THRESHOLD", plain.buffer_threshold),
        buffer_ttl_s=_duration_s(environment, "GATEWAY_STORM_BUFFER_TTL", plain.buffer_ttl_s),
        window_s=_duration_s(environment, "GATEWAY_STORM_WINDOW", plain.window_s),
        buffer_max=_whole(environment, "GATEWAY_STORM_BUFFER_MAX", plain.buffer_max),
    )


def _queue(environment: Mapping[str, str]) -> QueueSettings:
    plain = QueueSettings()
    durability = _one_of(environment, "GATEWAY_QUEUE_DURABILITY", "redis", ["redis", "none"])
    return QueueSettings(
        durable=durability == "redis",
        most=_whole(environment, "GATEWAY_QUEUE_MAX", plain.most),
        hold_s=_duration_s(environment, "GATEWAY_QUEUE_HOLD", plain.hold_s, zero=True),
    )


def _address(variable: str, text: str) -> Address:
    host, _, port = text.strip().rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(f"{variable}: {text!r} is no address; write host:port, such as 127.0.0.1:6379")
    return host.strip("[]") or "127.0.0.1", int(port)


def _address_map(text: str) -> dict[Address, Address]:
    variable = "GATEWAY_REDIS_ADDRESS_MAP"
    pairs = {}
    for part in filter(None, map(str.strip, text.split(","))):
        announced, sign, instead = part.partition("=")
        if not sign:
            raise SettingsError(f"{variable}: {part!r} is no pair; write announced-host:port=proxy-host:port")
        pairs[_address(variable, announced)] = _address(variable, instead)
    return pairs


def _whole(environment: Mapping[str, str], variable: str, default: int, least: int = 1) -> int:
    text = environment.get(variable, "").strip() or str(default)
    if not text.isdecimal() or int(text) < least:
        raise SettingsError(
            f"{variable}: {text!r} is no whole number from {least} up; write such as {default}"
        )
    return int(text)


def _duration_s(
    environment: Mapping[str, str], variable: str, default_s: float, *, zero: bool = False
) -> float:
    text = environment.get(variable, "").strip()
    if not text or (zero and text == "0"):
        return default_s if not text else 0.0
    if re.fullmatch(r"\d+(\.\d+)?", text):
        raise SettingsError(f"{variable}: {text!r} has no unit; write {text}s")
    match = _DURATION.fullmatch(text)
    if not match or (not zero and not float(match[1])):
        raise SettingsError(f"{variable}: {text!r} is no duration; write such as 60s, 500ms or 2m")
    return float(match[1]) * _UNIT_S[match[2]]


def _one_of(environment: Mapping[str, str], variable: str, default: str, words: list[str]) -> str:
    text = environment.get(variable, "").strip() or default
    if text not in words:
        raise SettingsError(f"{variable}: {text!r} is unknown; write one of {', '.join(words)}")
    return text
