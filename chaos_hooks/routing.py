"""What an Alertmanager's configuration says of a receiver: does it post, how long do alerts wait for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

# Alertmanager's defaults (dispatch.DefaultRouteOpts).
_WAIT_S, _INTERVAL_S = 30.0, 300.0
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


class RoutingError(ValueError):
    """The configuration cannot be read; the message says where."""


def receivers(config: str) -> set[str]:
    """Return the names of the receivers that have a webhook.

    Raises:
        RoutingError: if it is no configuration.
    """
    return {each["name"] for each in _document(config).get("receivers") or [] if each.get("webhook_configs")}


def longest(config: str, receiver: str) -> tuple[float, float]:
    """Return the longest group_wait and the longest group_interval, in seconds, of the routes to a receiver.

    Raises:
        RoutingError: if it is no configuration, or no route leads there.
    """
    found = [
        (wait_s, interval_s)
        for name, wait_s, interval_s in _routes(
            _document(config).get("route") or {}, "", _WAIT_S, _INTERVAL_S
        )
        if name == receiver
    ]
    if not found:
        raise RoutingError(f"no route leads to the receiver {receiver!r}")
    return max(wait_s for wait_s, _ in found), max(interval_s for _, interval_s in found)


def seconds(text: str) -> float:
    """Return the seconds of a duration as Prometheus writes it, like ``1m30s``.

    Raises:
        RoutingError: if it is none.
    """
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
        raise RoutingError(f"{text!r} is no duration")
    return sum(int(number) * _UNITS_S[unit] for number, unit in parts)


def _routes(
    route: dict[str, Any], receiver: str, wait_s: float, interval_s: float
) -> Iterator[tuple[str, float, float]]:
    """Yield each route's receiver, group_wait and group_interval; what it does not say is its parent's."""
    receiver = route.get("receiver") or receiver
    wait_s = seconds(str(route["group_wait"])) if "group_wait" in route else wait_s
    interval_s = seconds(str(route["group_interval"])) if "group_interval" in route else interval_s
    yield receiver, wait_s, interval_s
    for child in route.get("routes") or []:
        yield from _routes(child, receiver, wait_s, interval_s)


def _document(config: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(config)
    except yaml.YAMLError as problem:
        raise RoutingError(f"the configuration is no YAML: {problem}") from None
    if not isinstance(found, dict):
        raise RoutingError("the configuration is empty")
    return found
