"""The states that probes saw, as lanes along the time: breakers and readiness."""

from __future__ import annotations

from dataclasses import dataclass

from reports import signals
from reports.history import History, Observation

MOST_SPANS = 2_000
# A sample vouches for the time until the next one, but for no longer than this.
VOUCHES_S = 1.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A state over time: (begin_s, end_s, state). Where no span is, nothing was seen."""

    name: str
    spans: tuple[tuple[float, float, str], ...]


def lanes(history: History) -> tuple[Lane, ...]:
    """Return a lane for each breaker, and one for the readiness."""
    samples = history.samples(signals.METRICS)
    keys = sorted({key for o in samples for key in o.values if key.startswith("breaker.")})
    words = {signals.CLOSED: "closed", signals.HALF_OPEN: "half-open", signals.OPEN: "open"}
    found = []
    for key in keys:
        known = [o for o in samples if o.ok and key in o.values]
        states = [(o, words.get(o.values[key], f"state {o.values[key]:g}")) for o in known]
        found.append(Lane(f"breaker {key.removeprefix('breaker.')}", _spans(states)))
    ready = [(o, "ready" if o.ok else "not ready") for o in history.samples(signals.READY)]
    return (*found, Lane("readiness", _spans(ready))) if ready else tuple(found)


def _spans(states: list[tuple[Observation, str]]) -> tuple[tuple[float, float, str], ...]:
    spans: list[tuple[float, float, str]] = []
    # After the last one nothing was seen, so it vouches for its own instant alone.
    nexts = [sample.answered_s for sample, _ in states[1:]] + [0.0]
    for (sample, state), next_s in zip(states, nexts[: len(states)], strict=True):
        until_s = round(min(max(next_s, sample.answered_s), sample.answered_s + VOUCHES_S), 3)
        if spans and spans[-1][2] == state and spans[-1][1] >= sample.answered_s - 0.001:
            spans[-1] = (spans[-1][0], until_s, state)
        else:
            spans.append((round(sample.answered_s, 3), until_s, state))
    return tuple(spans)


def drawable(lanes: tuple[Lane, ...], end_s: float) -> tuple[tuple[Lane, ...], float]:
    """Return lanes of no more than `MOST_SPANS` spans, and of how long a stretch each shows the worst."""
    window_s = end_s / MOST_SPANS
    if all(len(lane.spans) <= MOST_SPANS for lane in lanes):
        return lanes, 0.0
    return tuple(
        Lane(lane.name, _worst(lane.spans, window_s)) if len(lane.spans) > MOST_SPANS else lane
        for lane in lanes
    ), window_s


def _worst(
    spans: tuple[tuple[float, float, str], ...], window_s: float
) -> tuple[tuple[float, float, str], ...]:
    worst: dict[int, str] = {}
    for begin_s, until_s, state in spans:
        for k in range(int(begin_s // window_s), int(until_s // window_s) + 1):
            if k not in worst or _badness(state) > _badness(worst[k]):
                worst[k] = state
    found: list[tuple[float, float, str]] = []
    for k, state in sorted(worst.items()):
        begin_s, until_s = round(k * window_s, 3), round((k + 1) * window_s, 3)
        if found and found[-1][2] == state and found[-1][1] >= begin_s:
            found[-1] = (found[-1][0], until_s, state)
        else:
            found.append((begin_s, until_s, state))
    return tuple(found)


def _badness(state: str) -> int:
    return {"closed": 0, "ready": 0, "half-open": 1}.get(state, 2)
