"""A component's log by the pods that wrote it: each line in a cluster begins with its time and its pod."""

from __future__ import annotations

from dataclasses import replace

from reports import signals
from reports.history import History
from reports.interval import Interval
from reports.log import Log

_POD_OF = "pod_of:"


def by_pod(history: History, log: Log, span: Interval) -> dict[str, Log]:
    """Return the lines of each pod that was there all through a span, by its name; nothing where there are no
    pods. One that wrote nothing has an empty log."""
    prefix = f"{_POD_OF}{log.component}/"
    looks = [o for o in history.samples(signals.COMPONENTS) if o.ok]
    meanwhile = [o for o in looks if o.answered_s >= span.earliest_s and o.asked_s <= span.latest_s]
    names = {key.removeprefix(prefix) for o in meanwhile for key in o.values if key.startswith(prefix)}
    stayed = sorted(name for name in names if all(f"{prefix}{name}" in o.values for o in meanwhile))
    return {name: _of(log, name) for name in stayed}


def _of(log: Log, pod: str) -> Log:
    mark = f" {pod}: "
    return replace(log, lines=tuple(line for line in log.lines if mark in line.text[:200]))
