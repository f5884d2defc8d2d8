"""The settings of the Gateway, read once from its environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.gateway import defects

Address = tuple[str, int]


class SettingsError(ValueError):
    """An environment variable is missing or cannot be understood; the text names it and the mend."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, and where the dependencies are. `redis_address` is used only without sentinels."""

    listen: Address
    sentinels: tuple[Address, ...]
    redis_master: str
    redis_address: Address | None
    kubeconfig: str
    namespace: str
    defects: Mapping[str, float]


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
    )


def _address(variable: str, text: str) -> Address:
    host, _, port = text.strip().rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(f"{variable}: {text!r} is no address; write host:port, such as 127.0.0.1:6379")
    return host.strip("[]") or "127.0.0.1", int(port)
