"""What Chaos Mesh v2.8.3's admission webhook denies, and what it lets through although it cannot work.

From the reference facts of its source (api/v1alpha1/*_webhook.go); Chaos Mesh itself is not run here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_DURATION = r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+"
_ONE_SHOT = ("pod-kill", "container-kill")


def denials(item: Mapping[str, Any]) -> list[str]:
    """Why the webhook denies an object; empty when it does not."""
    return list(_denials(item["kind"], item["spec"]))


def blind_spots(item: Mapping[str, Any]) -> list[str]:
    """What the webhook does not look at, and what makes a fault endless, pointless or much too wide."""
    return list(_blind_spots(item["kind"], item["spec"]))


def _denials(kind: str, spec: Mapping[str, Any]) -> Iterator[str]:
    if kind != "TimeChaos" and not _is_duration(spec.get("duration", "1s")):
        yield f"spec.duration: {spec['duration']!r} is no duration"
    for place, part in (("spec", spec), ("spec.target", spec.get("target") or {"mode": "all"})):
        mode, value = part.get("mode"), part.get("value")
        if mode == "fixed" and not (value or "").isdecimal():
            yield f"{place}.value: mode fixed needs a whole number"
        if mode in ("fixed-percent", "random-max-percent") and not _is_percent(value):
            yield f"{place}.value: mode {mode} needs 0 to 100"
    if kind == "PodChaos" and spec["action"] == "container-kill" and not spec.get("containerNames"):
        yield "spec.containerNames: container-kill needs them"
    if kind == "NetworkChaos":
        yield from _network(spec)
    if kind == "TimeChaos" and not _is_duration(spec["timeOffset"].lstrip("+-")):
        yield f"spec.timeOffset: {spec['timeOffset']!r} is no duration"
    if kind == "StressChaos" and not spec.get("stressors") and not spec.get("stressngStressors"):
        yield "spec.stressors: nothing is stressed"


def _network(spec: Mapping[str, Any]) -> Iterator[str]:
    one_way = spec.get("direction", "to") == "to"
    if not one_way and spec.get("externalTargets"):
        yield "spec.externalTargets: cannot be used with direction from or both"
    if not one_way and not spec.get("target"):
        yield "spec.target: direction from or both needs it"
    for block in ("delay", "loss"):
        for name, text in spec.get(block, {}).items():
            is_time = name in ("latency", "jitter")
            if not (_is_duration(text) if is_time else _is_percent(text)):
                yield f"spec.{block}.{name}: {text!r} cannot be read"


def _blind_spots(kind: str, spec: Mapping[str, Any]) -> Iterator[str]:
    one_shot = spec.get("action") in _ONE_SHOT
    if one_shot and "duration" in spec:
        yield "spec.duration: a one-shot ignores it"
    if not one_shot and not _is_duration(spec.get("duration", "")):
        yield "spec.duration: without one that can be read, nothing ends it but a delete"
    for place, part in (("spec", spec), ("spec.target", spec.get("target"))):
        selector = part["selector"] if part else {"labelSelectors": {"any": "one"}}
        if not (selector.get("labelSelectors") or selector.get("pods")):
            yield f"{place}.selector: would select every pod of the namespace"
    for name, stressor in spec.get("stressors", {}).items():
        if stressor["workers"] < 1:
            yield f"spec.stressors.{name}.workers: nobody works"
    if spec.get("action") == "delay" and "loss" in spec:
        yield "spec.loss: is applied as well under action delay; say netem"
    if kind in ("StressChaos", "TimeChaos") and not spec.get("containerNames"):
        yield "spec.containerNames: without them it is the pod's first container, whichever that is"


def _is_duration(text: str) -> bool:
    return re.fullmatch(_DURATION, text) is not None


def _is_percent(text: str | None) -> bool:
    try:
        return 0 <= float(text or "") <= 100
    except ValueError:
        return False
