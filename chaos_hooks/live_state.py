"""What the live page and Locust's Chaos tab say of the run that goes on."""

from __future__ import annotations

from typing import Any

from chaos_hooks import progress
from chaos_hooks.live_run import LiveRun, Stage
from chaos_hooks.session import Session
from reports.history import Outcome
from reports.presentation import clip, plain

_LONGEST = 300


def document(session: Session) -> dict[str, Any]:
    """Return the state, fit for JSON; the chart is None before the first run."""
    run = session.run
    busy = bool(run and not run.is_over())
    return {
        "busy": busy,
        "error": session.error,
        "run": _run(run) if run else None,
        "line": progress.line(run) if run and busy else "No run goes on.",
        "chart": session.live.document(),
    }


def rows(session: Session) -> list[dict[str, str]]:
    """Return the state as the rows of a table: what, and how it is now."""
    told = document(session)
    run = told["run"]
    if not told["busy"] or run is None:
        last = [("last run", run["run_id"])] if run else []
        pairs = [("state", told["error"] or "no run goes on"), *last]
    else:
        counts = ", ".join(f"{count:,} {what}" for what, count in run["counts"].items())
        upcoming = run["next"]
        pairs = [
            ("scenario", f"{run['scenario']} ({run['pace']})"),
            ("phase", f"{run['phase']}, {run['elapsed_s']:.0f} s of {run['ends_s']:.0f} s"),
            (
                "next action",
                f"{upcoming['verb']} {upcoming['fault']} in {upcoming['in_s']:.0f} s" if upcoming else "none",
            ),
            ("faults active", ", ".join(run["active"]) or "none"),
            ("alerts", f"{run['begun']:,} of {run['planned']:,} begun"),
            ("outcomes", counts or "none answered"),
            ("breaker", run["breaker"] or "not seen"),
            *((f"probe {p['name']}", p["words"]) for p in run["probes"]),
        ]
    return [{"what": what, "now": clip(plain(str(now)), _LONGEST)} for what, now in pairs]


def _run(run: LiveRun) -> dict[str, Any]:
    now_s = run.clock.now() if run.stage is not Stage.PREPARING else 0.0
    timeline, ledger, conductor = run.bench.timeline, run.bench.ledger, run.bench.conductor
    upcoming = next((a for a in timeline.actions() if a.at_s > now_s), None)
    running = run.stage is Stage.RUNNING
    return {
        "run_id": run.bench.run_id,
        "scenario": run.scenario.name,
        "title": run.scenario.title,
        "pace": run.scenario.pace,
        "stage": run.stage.value,
        "phase": timeline.phase_at(now_s) if running else run.stage.value,
        "elapsed_s": round(max(0.0, now_s), 1),
        "ends_s": timeline.ends_s,
        "next": {"verb": upcoming.verb, "fault": upcoming.fault.name, "in_s": upcoming.at_s - now_s}
        if upcoming and running
        else None,
        "active": sorted(conductor.active) if conductor else [],
        "planned": run.scenario.alerts,
        "begun": ledger.begun if ledger else 0,
        "counts": {o.value: ledger.counts.get(o, 0) for o in Outcome} if ledger else {},
        "breaker": progress.breaker_word(run),
        "probes": _probes(run, now_s),
    }


def _probes(run: LiveRun, now_s: float) -> list[dict[str, Any]]:
    found = []
    for name, sample in sorted((run.bench.prober.latest if run.bench.prober else {}).items()):
        took_ms = (sample.answered_s - sample.asked_s) * 1000
        words = f"answered in {took_ms:.0f} ms" if sample.ok else sample.error
        age_s = max(0.0, now_s - sample.answered_s)
        if not run.is_over() and age_s > 2.0:
            words += f", {age_s:.0f} s ago"
        found.append({"name": name, "ok": sample.ok, "words": clip(plain(words), _LONGEST)})
    return found
