"""Literal histories: small, whole, and passing unless a test says otherwise.

The run that is built has three phases, baseline 0-2 s, chaos 2-5 s and recovery 5-10 s. Its one fault begins
at [2.00, 2.05] and ends at [5.00, 5.05]. The probes look five times a second: the breaker is open from 2.4 s
to 5.6 s, half-open until 6.0 s, then closed; the Gateway stays ready; Sentinel names a new primary at 3.0 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from reports import folder as run_folder
from reports import truth_file
from reports.history import Asked, Attempt, History, Injection, Observation, Outcome, PhaseSpan, Resource, Run
from reports.interval import Interval

TOKEN = "k3x9"
END_S = 10.0
PHASES = (PhaseSpan("baseline", 0.0, 2.0), PhaseSpan("chaos", 2.0, 5.0), PhaseSpan("recovery", 5.0, END_S))
EVERY = (
    Asked("zero_loss", {}),
    Asked("no_duplicates", {}),
    Asked("no_unexpected", {}),
    Asked("safe_rejections", {}),
    Asked("breaker_opens", {"within_s": 5.0}),
    Asked("fallback_seen", {}),
    Asked("recovery", {"within_s": 30.0}),
    Asked("metrics_continuous", {}),
    Asked("sentinel_promotes", {"within_s": 30.0}),
)


def run(**changes: Any) -> Run:
    """Return a run's description, with every criterion asked for."""
    plain = Run(
        run_id="20260301-120000-k3x9",
        token=TOKEN,
        scenario="redis-master-failure",
        title="The Redis primary is killed",
        pace="quick",
        target="sandbox",
        started_at="2026-03-01T12:00:00+00:00",
        seed=7,
        planned=3,
        faults_planned=1,
        faults_disabled=False,
        phases=PHASES,
        promises=EVERY,
        command="locust --headless --chaos-scenario redis-master-failure --chaos-pace quick",
        versions={"alertstorm": "0.1.0", "locust": "2.47.0"},
        target_facts={"gateway": "reference"},
    )
    return replace(plain, **changes)


def attempt(number: int, outcome: Outcome = Outcome.ACKED, **changes: Any) -> Attempt:
    """Return an alert due ``number`` seconds after the start, begun 1 ms later and answered after 20 ms."""
    kinds = {
        Outcome.ACKED: ("created", 201),
        Outcome.REJECTED: ("safe", 503),
        Outcome.INDETERMINATE: ("answer", None),
        Outcome.UNSENT: ("connect", None),
    }
    kind, status = kinds[outcome]
    due_s = float(changes.pop("due_s", number))
    phase = next((p.name for p in PHASES if p.begin_s <= due_s < p.end_s), PHASES[-1].name)
    plain = Attempt(
        number=number,
        subject=number,
        phase=phase,
        due_s=due_s,
        outcome=outcome,
        kind=kind,
        begun_s=due_s + 0.001,
        sent_s=None if outcome is Outcome.UNSENT else due_s + 0.002,
        done_s=due_s + 0.02,
        status=status,
    )
    return replace(plain, **changes)


def resource(number: int, **changes: Any) -> Resource:
    """Return the resource that alert ``number`` created, counting one occurrence."""
    plain = Resource(f"rr-{number:04d}", f"uid-{number}", number, number, (), 1)
    return replace(plain, **changes)


def injection(**changes: Any) -> Injection:
    """Return a fault that was asked for at 2 s for 3 s, and bit."""
    plain = Injection(
        name="redis-down",
        injector="process",
        asked_at_s=2.0,
        asked_for_s=3.0,
        began=Interval(2.0, 2.05),
        ended=Interval(5.0, 5.05),
        bit=True,
        evidence=("PING of 127.0.0.1:6379 refused at 2.05 s",),
    )
    return replace(plain, **changes)


def scrape(at_s: float, **changes: Any) -> Observation:
    """Return a good reading of the metrics, asked at ``at_s`` and answered 10 ms later."""
    state = 2.0 if 2.4 <= at_s < 5.6 else 1.0 if 5.6 <= at_s < 6.0 else 0.0
    values = {
        "breaker.redis": state,
        "breaker_opened.redis": float(at_s >= 2.4),
        "fallbacks": max(0.0, min(at_s, 5.6) - 2.4),
    }
    return replace(Observation("metrics", at_s, at_s + 0.01, True, values), **changes)


def observations(end_s: float = END_S) -> tuple[Observation, ...]:
    """Return what the probes saw, five times a second."""
    found: list[Observation] = []
    for k in range(round(end_s * 5)):
        at_s = k / 5
        primary = "127.0.0.1:6379" if at_s < 3.0 else "127.0.0.1:6380"
        found.append(scrape(at_s))
        found.append(Observation("ready", at_s, at_s + 0.01, True))
        found.append(Observation("sentinel", at_s, at_s + 0.01, True, {primary: 1.0}))
    return tuple(found)


def history(
    acked: int = 3,
    *,
    lost: Iterable[int] = (),
    rejected_safe: int = 0,
    rejected_unsafe: int = 0,
    indeterminate: int = 0,
    unsent: int = 0,
    promises: tuple[Asked, ...] = EVERY,
    run_changes: Mapping[str, Any] | None = None,
    **changes: Any,
) -> History:
    """Return a whole history of alerts numbered from 0 in this order: acked, rejected safely, rejected
    unsafely, indeterminate, unsent. The acked ones are spread evenly over the run, the others over the time
    from 2.5 s to 5 s, in which the fault is on.

    The acked ones but ``lost`` have each a resource. ``changes`` replace whole fields of the History,
    ``run_changes`` those of its Run.
    """
    others: list[tuple[Outcome, dict[str, Any]]] = [(Outcome.REJECTED, {})] * rejected_safe
    others += [(Outcome.REJECTED, {"kind": "unsafe", "status": 429})] * rejected_unsafe
    others += [(Outcome.INDETERMINATE, {})] * indeterminate
    others += [(Outcome.UNSENT, {})] * unsent
    attempts = [attempt(n, due_s=round(n * END_S / acked, 6)) for n in range(acked)]
    attempts += [
        attempt(acked + k, outcome, due_s=round(2.5 + k * 2.5 / len(others), 6), **more)
        for k, (outcome, more) in enumerate(others)
    ]
    gone = set(lost)
    plain = History(
        run=run(planned=len(attempts), promises=promises, **(run_changes or {})),
        attempts=tuple(attempts),
        injections=(injection(),),
        observations=observations(),
        resources=tuple(resource(number) for number in range(acked) if number not in gone),
        stable=True,
        sealed=True,
        ended="completed",
    )
    return replace(plain, **changes)


def told(*attempts: Attempt, resources: tuple[Resource, ...] | None, **changes: Any) -> History:
    """Return a whole history of exactly these attempts and resources."""
    return replace(
        history(), run=run(planned=len(attempts)), attempts=attempts, resources=resources, **changes
    )


def keep(told: History, path: Path) -> Path:
    """Write a history into a new folder, as a live run would, and return the folder."""
    path.mkdir(parents=True)
    run_folder.write_run(path, told.run)
    lines: list[dict[str, Any]] = []
    for a in told.attempts:
        about = {"n": a.number, "s": a.subject, "p": a.phase, "due": a.due_s}
        for number, t in enumerate(a.sendings, start=1):
            more = {"t": number} if number > 1 else {}
            lines.append(
                {"r": "begin", **about, "at": t.begun_s, **({"v": a.volley} if a.volley else {}), **more}
            )
            end = {"o": t.outcome, "k": t.kind, "sent": t.sent_s, "done": t.done_s, "status": t.status}
            lines.append({"r": "end", "n": a.number, **end, "detail": t.detail, **more})
    if told.sealed:
        lines.append({"r": "seal", "begun": len(told.attempts), "ended": len(told.attempts)})
    _lines(path / "ledger.jsonl", lines)
    _lines(path / "observations.jsonl", [asdict(o) for o in told.observations])
    _lines(path / "injections.jsonl", [asdict(i) for i in told.injections])
    if told.resources is not None:
        truth_file.write(path, list(told.resources), stable=told.stable)
    if told.ended:
        run_folder.write_end(path, told.ended, told.ended_detail)
    return path


def _lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
