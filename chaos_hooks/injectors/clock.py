"""Skew the Gateway's clock, through the file in which a sandbox's Gateway finds its offset."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gevent
import requests

from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.lease import Lease
from chaos_hooks.metric_page import read_metrics
from reports.interval import Interval
from shapes import units
from shapes.scenario import Fault
from shapes.target import Endpoints, Metric

_METRIC = "gateway_clock_offset_seconds"
_SEEN_WITHIN_S = 2.0
_NEAR_S = 0.5  # an offset that a Gateway measures itself may differ from the one it was given
_POLL_S = 0.05


class Injector:
    """Options: ``skew``, a duration (65s, or -65s for a clock that is behind), and ``metric``, in which the
    Gateway shows its offset in seconds (gateway_clock_offset_seconds when nothing is said).

    It skews what the Gateway reads from its wall clock, and nothing else: a time to live that Redis keeps
    runs on Redis's clock. Only the metric proves that the Gateway took it; without it the fault is unseen.
    The file has no lease: a watchdog heals when this process cannot.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        unknown = set(fault.options) - {"skew", "skew_s", "metric"}
        if unknown or len(fault.options.keys() & {"skew", "skew_s"}) != 1:
            raise ValueError(f"takes skew and metric, got {', '.join(sorted(fault.options)) or 'nothing'}")
        self._skew_s = _skew_s(fault)
        self._metric = str(fault.options.get("metric", _METRIC))
        self._path = endpoints.clock_file
        self._metrics_url = endpoints.metrics_url
        self._clock = clock
        self._fault = fault
        self._lease: Lease | None = None

    def available(self) -> str:
        """Say whether there is a clock file in a folder that can be written."""
        if not self._path:
            return "the target has no clock_file; use a target that starts a sandbox"
        folder = Path(self._path).absolute().parent
        if not os.access(folder, os.W_OK):
            return f"{folder}: cannot be written; check clock_file"
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Write the offset, and wait until the Gateway shows it.

        Raises:
            InjectionError: if the file cannot be written.
        """
        path = Path(self._path).absolute()
        before = _read(path)
        undo = {"clock_file": str(path), "before": before, "options": dict(self._fault.options)}
        shown_before_s, _ = self._shown_s()
        write_undo(undo)
        self._lease = Lease(self._fault, undo)
        asked_s = self._clock.now()
        try:
            _write(path, f"{self._skew_s:+.3f}\n")
            written_s = self._clock.now()
            read_back = _read(path)
            seen, line = self._await(shown_before_s)
            self._lease.confirm()
        except InjectionError:
            self.heal(undo)
            raise
        began = Interval(asked_s, self._clock.now() if seen else written_s)
        return Effect(began, seen, (f"{path.name} holds {read_back!r}, was {before!r}, in {began}", line))

    def heal(self, undo: Undo) -> Effect:
        """Put back what stood in the file, or remove it where there was none.

        Raises:
            InjectionError: if the file cannot be written.
        """
        path, before = Path(undo["clock_file"]), undo["before"]
        asked_s = self._clock.now()
        if before is None:
            try:
                path.unlink(missing_ok=True)
            except OSError as problem:
                raise InjectionError(f"{path}: cannot be removed: {problem.strerror}") from problem
        elif path.parent.exists():
            _write(path, before)
        healed = Interval(asked_s, self._clock.now())
        there = "removed" if before is None else f"holds {before!r} again"
        evidence = [f"{path.name} {there if path.parent.exists() else 'is gone with its folder'}"]
        if self._lease is not None:
            evidence.append(self._lease.release())
        return Effect(healed, True, tuple(evidence))

    def sweep(self, undo: Undo) -> str:
        """Put the file back that an earlier run changed; a folder that is gone took it along."""
        return self.heal(undo).evidence[0]

    def _await(self, before_s: float | None) -> tuple[bool, str]:
        end_s = self._clock.now() + _SEEN_WITHIN_S
        while True:
            shown_s, why_not = self._shown_s()
            if shown_s is not None and abs(shown_s - self._skew_s) <= _NEAR_S:
                if before_s is not None and abs(before_s - self._skew_s) <= _NEAR_S:
                    return False, f"{self._metric} was {before_s:g} before, so that it proves nothing"
                return True, f"{self._metric} is {shown_s:g}, was {before_s}"
            if self._clock.now() >= end_s or not self._metrics_url:
                return False, f"not seen: {why_not or f'{self._metric} is {shown_s:g}'}"
            gevent.sleep(_POLL_S)

    def _shown_s(self) -> tuple[float | None, str]:
        """The offset that the Gateway shows, or None and why."""
        if not self._metrics_url:
            return None, "the target has no metrics_url"
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(self._metrics_url, timeout=2.0, allow_redirects=False)
            values = read_metrics(answer.text, {"offset": Metric(self._metric)})
        except (requests.RequestException, ValueError) as problem:
            return None, f"GET metrics: {type(problem).__name__}"
        if "offset" not in values:
            return None, f"the Gateway shows no {self._metric}"
        return values["offset"], ""


def _skew_s(fault: Fault) -> float:
    if "skew_s" in fault.options:
        return float(fault.options["skew_s"])
    text = str(fault.options["skew"])
    sign, duration = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    return sign * units.duration_s(duration)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise InjectionError(f"{path}: cannot be read: {problem}") from problem


def _write(path: Path, text: str) -> None:
    """Write beside and rename, so that the Gateway reads the old offset or the new one, never half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise InjectionError(f"{path}: cannot be written: {problem.strerror}") from problem
