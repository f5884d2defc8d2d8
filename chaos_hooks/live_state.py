"""What the live page and Locust's Chaos tab say of the run that goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from chaos_hooks import progress
from chaos_hooks.live_run import LiveRun, Stage
from chaos_hooks.session import Session
from reports import writing
from reports.finding import Status
from reports.history import Outcome
from reports.presentation import clip, got, plain

REPORTS = ("report.html", "report.md", "verdict.json", "junit.xml")
_LONGEST = 300
_REFUSED = ("safe", "unsafe")
_STATES = {"PASS": "PASS", "FAIL": "FAIL", "UNDECIDED": "UNKNOWN", "INVALID": "INVALID"}


def document(session: Session) -> dict[str, Any]:
    """Return the state, fit for JSON; the chart is None before the first run, the verdict before its end."""
    run = session.run
    busy = session.is_busy()
    return {
        "busy": busy,
        "error": session.error,
        "problem": session.live.problem,
        "run": _run(run, session.live.totals) if run else None,
        "line": progress.line(run) if run and busy else "No run goes on.",
        "chart": session.live.document(),
        "verdict": _verdict(run) if run and not busy else None,
        "campaign": _campaign(session, busy=busy),
    }


def rows(session: Session) -> list[dict[str, str]]:
    """Return the state as the rows of a table: what, and how it is now."""
    told = document(session)
    run = told["run"]
    whole = told["campaign"]
    campaign = [("campaign", whole["sentence"] or whole["words"])] if whole else []
    if not told["busy"] or run is None:
        pairs = [("state", told["error"] or "no run goes on"), *campaign, *_ended(run, told["verdict"])]
    else:
        counts = ", ".join(f"{count:,} {what}" for what, count in run["counts"].items())
        upcoming = run["next"]
        pairs = [
            *campaign,
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


def _ended(run: dict[str, Any] | None, verdict: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return the rows of a run that is over: its verdict first, then what did not pass."""
    if run is None:
        return []
    scenario = ("scenario", f"{run['scenario']} ({run['pace']})")
    if verdict is None:
        return [scenario, ("last run", run["run_id"])]
    bad = [
        (f"{f['status']} {f['criterion']}", f"wanted {f['wanted']}; got {f['got']}") for f in verdict["bad"]
    ]
    good = [("passed", ", ".join(verdict["good"]))] if verdict["good"] else []
    return [("verdict", verdict["sentence"]), scenario, *bad, *good, ("last run", run["run_id"])]


def _verdict(run: LiveRun) -> dict[str, Any] | None:
    verdict = run.result.verdict if run.result else None
    if verdict is None:
        return None
    bad = [f for f in verdict.findings if f.status is not Status.PASS]
    return {
        "state": verdict.state.value,
        "sentence": plain(verdict.sentence),
        "bad": [
            {
                "status": f.status.value,
                "criterion": f.criterion,
                "wanted": clip(plain(f.wanted), _LONGEST),
                "got": clip(plain(got(f)), _LONGEST),
            }
            for f in bad
        ],
        "good": [f.criterion for f in verdict.findings if f.status is Status.PASS],
        "files": [name for name in REPORTS if (run.bench.folder / name).exists()],
    }


def state_of(sentence: str) -> tuple[str, str, str]:
    """Return the state that a verdict's sentence begins with ("none" of any other), its word and the rest."""
    word, colon, rest = sentence.partition(": ")
    state = _STATES.get(word.split(",")[0], "none")
    return (state, word, rest) if colon and state != "none" else ("none", "none", sentence)


def _campaign(session: Session, *, busy: bool) -> dict[str, Any] | None:
    """Return how far a campaign has come, and at its end its sentence."""
    record = session.record
    if record is None:
        return None
    plan = record.plan
    running = session.running if busy else -1
    counts = Counter(entry.state.value for entry in plan.entries if entry.state.value != "NOT_RUN")
    done = ", ".join(f"{count} {state}" for state, count in counts.items())
    sentence = "" if busy or not plan.ended else writing.stored_sentence(record.folder)
    return {
        "name": record.folder.name,
        "words": f"{counts.total()} of {len(plan.entries)} done{f': {done}' if done else ''}",
        "entries": [
            {"name": e.scenario, "state": "RUNNING" if index == running else e.state.value}
            for index, e in enumerate(plan.entries)
        ],
        "state": state_of(sentence)[0],
        "sentence": plain(sentence),
        "files": [name for name in REPORTS if sentence and (record.folder / name).exists()],
    }


def _counts(run: LiveRun, totals: Mapping[str, int]) -> dict[str, int]:
    """Return the alerts by outcome, those that are none left out; what was refused is told apart as far as
    the ledgers have been read."""
    tally = run.bench.tally.counts if run.bench.tally else {}
    found = {outcome.value: tally.get(outcome, 0) for outcome in Outcome}
    if any(totals.get(name) for name in _REFUSED):
        del found[Outcome.REJECTED.value]
        found |= {f"refused {name}ly": totals.get(name, 0) for name in _REFUSED}
    return {what: count for what, count in found.items() if count}


def _run(run: LiveRun, totals: Mapping[str, int]) -> dict[str, Any]:
    now_s = run.clock.now() if run.stage is not Stage.PREPARING else 0.0
    timeline, tally, conductor = run.bench.timeline, run.bench.tally, run.bench.conductor
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
        "begun": tally.begun if tally else 0,
        "counts": _counts(run, totals),
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
