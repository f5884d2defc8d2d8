"""Toxics: what a toxiproxy fault puts on a proxy, and how a client can tell that it works."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chaos_hooks.tcp_probe import REFUSED, RESET, STALLED, Sight

_STREAMS = {"upstream": ("upstream",), "downstream": ("downstream",), "both": ("upstream", "downstream")}
# The options of each action, beside proxy, probe and toxicity. Keys of durations end in _s.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "partition": (),
    "down": (),
    "latency": ("latency_s", "jitter_s", "direction"),
    "timeout": ("after_s", "direction"),
    "reset_peer": ("after_s", "direction"),
    "limit_data": ("bytes", "direction"),
    "slicer": ("average_size", "size_variation", "delay_s", "direction"),
}
_COMMON = ("proxy", "action", "toxics", "toxicity", "probe")


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic as Toxiproxy's API takes it: times in whole ms (slicer: µs), rates in KB/s."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the body of POST /proxies/PROXY/toxics."""
        return {**asdict(self), "attributes": dict(self.attributes)}

    def stands_in(self, listed: list[dict[str, Any]]) -> bool:
        """Return whether it is there as it was asked for: unknown attributes are dropped in silence."""
        return any(
            toxic["name"] == self.name
            and toxic["type"] == self.type
            and toxic["stream"].lower() == self.stream
            and toxic["toxicity"] == self.toxicity
            and all(toxic["attributes"].get(key) == value for key, value in self.attributes.items())
            for toxic in listed
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to a proxy. ``shows(before, now)`` tells whether a look proves it; each look needs
    ``least_bytes`` in each direction, waits ``wait_s`` for a byte, and is repeated up to ``looks`` times.
    """

    what: str
    toxics: tuple[Toxic, ...]
    disable: bool
    shows: Callable[[Sight, Sight], bool]
    least_bytes: int = 1
    wait_s: float = 0.5
    looks: int = 1


def plan(fault_name: str, options: Mapping[str, Any]) -> Plan:
    """Return the plan of a fault's options.

    Raises:
        ValueError: naming the option and the mend.
    """
    if ("action" in options) == ("toxics" in options):
        raise ValueError(f"action: give one of {', '.join(_ACTIONS)}; or a list of toxics instead")
    prefix = "alertstorm-" + re.sub(r"[^A-Za-z0-9_.-]", "-", fault_name)
    toxicity = float(options.get("toxicity", 1.0))
    if "toxics" in options:
        _refuse_unknown(options, _COMMON)
        return _raw(prefix, options["toxics"], toxicity)
    action = options["action"]
    if action not in _ACTIONS:
        raise ValueError(f"action: unknown {action!r}; there are: {', '.join(_ACTIONS)}")
    _refuse_unknown(options, (*_COMMON, *_ACTIONS[action]))
    made = _PLANS[action](options)
    default = "downstream" if action in ("limit_data", "slicer", "reset_peer", "latency") else "both"
    direction = options.get("direction", default)
    if direction not in _STREAMS:
        raise ValueError(f"direction: unknown {direction!r}; there are: {', '.join(_STREAMS)}")
    kind, attributes = made.toxic
    toxics = tuple(
        Toxic(f"{prefix}-{kind}-{stream}", kind, stream, toxicity, attributes)
        for stream in (_STREAMS[direction] if kind else ())
    )
    # By chance some connections are spared; the more looks, the surer one that is not is met.
    looks = 1 if toxicity >= 1 and action != "latency" else 5 if toxicity >= 1 else 20
    return Plan(action, toxics, not kind, made.shows, made.least_bytes, made.wait_s, looks)


@dataclass(frozen=True, slots=True)
class _Made:
    toxic: tuple[str, Mapping[str, int]]
    shows: Callable[[Sight, Sight], bool]
    least_bytes: int = 1
    wait_s: float = 0.5


def _partition(options: Mapping[str, Any]) -> _Made:
    # A bandwidth of nothing holds the bytes and loses none; a timeout would close connections when removed.
    return _Made(("bandwidth", {"rate": 0}), lambda _, now: now.how == STALLED and not now.received_bytes)


def _down(options: Mapping[str, Any]) -> _Made:
    # Through kubectl port-forward a refused connection is one that is made, and closed without a byte.
    return _Made(("", {}), lambda _, now: now.how in (REFUSED, RESET))


def _latency(options: Mapping[str, Any]) -> _Made:
    if "latency_s" not in options:
        raise ValueError("latency: is missing; write it with its unit, like 500ms")
    latency_s, jitter_s = options["latency_s"], options.get("jitter_s", 0.0)
    streams = len(_STREAMS.get(options.get("direction", "downstream"), ()))
    least_s = streams * max(latency_s - jitter_s, latency_s / 2) * 0.9

    def shows(before: Sight, now: Sight) -> bool:
        return now.how not in (REFUSED, RESET) and now.first_s >= least_s > before.first_s

    attributes = {"latency": _ms(latency_s), "jitter": _ms(jitter_s)}
    return _Made(("latency", attributes), shows, wait_s=min(5.0, streams * (latency_s + jitter_s) + 1.0))


def _timeout(options: Mapping[str, Any]) -> _Made:
    after_s = options.get("after_s", 0.0)
    return _Made(
        ("timeout", {"timeout": _ms(after_s)}),
        lambda _, now: now.how in (STALLED, RESET) and not now.received_bytes,
        wait_s=min(5.0, 0.5 + after_s),
    )


def _reset_peer(options: Mapping[str, Any]) -> _Made:
    after_s = options.get("after_s", 0.0)
    return _Made(
        ("reset_peer", {"timeout": _ms(after_s)}),
        lambda _, now: now.how == RESET,
        wait_s=min(5.0, 1 + after_s),
    )


def _limit_data(options: Mapping[str, Any]) -> _Made:
    limit = _whole(options, "bytes")
    return _Made(
        ("limit_data", {"bytes": limit}),
        lambda before, now: now.how != STALLED and now.received_bytes < before.received_bytes,
        least_bytes=limit + 1,
    )


def _slicer(options: Mapping[str, Any]) -> _Made:
    size, delay_s = _whole(options, "average_size", 1), options.get("delay_s", 0.0)
    variation = _whole(options, "size_variation") if "size_variation" in options else 0

    def shows(before: Sight, now: Sight) -> bool:
        # Four pieces or more were sent, each after a delay.
        return now.pieces > before.pieces + 1 or now.last_s > before.last_s + 2 * delay_s > before.last_s

    attributes = {"average_size": size, "size_variation": variation, "delay": round(delay_s * 1e6)}
    return _Made(("slicer", attributes), shows, least_bytes=4 * (size + variation), wait_s=1.0)


_PLANS = {
    "partition": _partition,
    "down": _down,
    "latency": _latency,
    "timeout": _timeout,
    "reset_peer": _reset_peer,
    "limit_data": _limit_data,
    "slicer": _slicer,
}


def _raw(prefix: str, listed: object, toxicity: float) -> Plan:
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise ValueError("toxics: wanted a list like [{type: latency, attributes: {latency: 500}}]")
    toxics = []
    for index, item in enumerate(listed):
        unknown = set(item) - {"type", "stream", "toxicity", "attributes"}
        if unknown or "type" not in item:
            raise ValueError(f"toxics[{index}]: takes type, stream, toxicity and attributes")
        stream = item.get("stream", "downstream")
        if stream not in ("upstream", "downstream"):
            raise ValueError(f"toxics[{index}].stream: {stream!r} is neither upstream nor downstream")
        name = f"{prefix}-{index}-{item['type']}"
        own = float(item.get("toxicity", toxicity))
        toxics.append(Toxic(name, str(item["type"]), stream, own, dict(item.get("attributes", {}))))

    def differs(before: Sight, now: Sight) -> bool:
        slower = now.last_s > 3 * before.last_s + 0.02
        return now.how != before.how or now.received_bytes < before.received_bytes or slower

    looks = 1 if all(toxic.toxicity >= 1 for toxic in toxics) else 20
    return Plan("toxics", tuple(toxics), False, differs, least_bytes=20_000, wait_s=1.0, looks=looks)


def _refuse_unknown(options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name, value in options.items():
        if f"{name}_s" in known:
            raise ValueError(f"{name}: {value!r} has no unit; write it like 500ms")
        if name not in known:
            listed = ", ".join(key.removesuffix("_s") for key in known)
            raise ValueError(f"does not take {name}; it takes {listed}")


def _whole(options: Mapping[str, Any], name: str, least: int = 0) -> int:
    value = options.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: {value!r} is no whole number from {least} on")
    return value


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
