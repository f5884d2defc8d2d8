"""The verdict for programs, `alertstorm/verdict/v1`, as `reports/schema/verdict-v1.schema.json` has it."""

from __future__ import annotations

import numpy as np

from reports import table
from reports.comparable import plan_hash
from reports.comparison import Comparison, NoComparison
from reports.documents import dumped, finding_document
from reports.history import History, Injection
from reports.interval import Interval
from reports.presentation import lost_ids, percentile
from reports.table import Seconds
from reports.verdict import Verdict
from shapes.alerts import Naming

FILE = "verdict.json"
SCHEMA = "alertstorm/verdict/v1"


def render(history: History, verdict: Verdict, compared: Comparison | NoComparison | None = None) -> str:
    """Return the document; the same history gives the same bytes. Numbers that are not finite become null."""
    document = {
        "schema": SCHEMA,
        "state": verdict.state.value,
        "exit_code": verdict.exit_code,
        "sentence": verdict.sentence,
        "loss_bound": verdict.loss_bound,
        "run": _run(history),
        "account": _account(history, verdict),
        "findings": [finding_document(f) for f in verdict.findings],
        "injections": [_injection(i) for i in history.injections],
        "timings": _timings(history),
        "compared": _compared(compared) if isinstance(compared, Comparison) else None,
        "not_compared": compared.why if isinstance(compared, NoComparison) else "",
    }
    return dumped(document)


def _run(history: History) -> dict[str, object]:
    run = history.run
    return {
        "run_id": run.run_id,
        "token": run.token,
        "scenario": run.scenario,
        "plan_hash": plan_hash(run),
        "title": run.title,
        "pace": run.pace,
        "target": run.target,
        "target_facts": dict(sorted(run.target_facts.items())),
        "started_at": run.started_at,
        "seed": run.seed,
        "command": run.command,
        "versions": dict(sorted(run.versions.items())),
        "faults_planned": run.faults_planned,
        "faults_disabled": run.faults_disabled,
        "phases": [{"name": p.name, "begin_s": p.begin_s, "end_s": p.end_s} for p in run.phases],
        "promises": [
            {"criterion": asked.criterion, "options": dict(sorted(asked.options.items()))}
            for asked in run.promises
        ],
        "ended": history.ended,
        "ended_detail": history.ended_detail,
        "ledger_sealed": history.sealed,
        "truth_read": history.resources is not None,
        "truth_stable": history.stable,
        "damage": list(history.damage),
    }


def _account(history: History, verdict: Verdict) -> dict[str, object]:
    a = verdict.account
    read = history.resources is not None
    naming = Naming(history.run.token)
    return {
        "planned": a.planned,
        "sent": a.sent,
        "unsent": a.unsent,
        "acked": a.acked,
        "rejected": a.rejected,
        "rejected_safe": a.rejected_safe,
        "rejected_unsafe": a.rejected_unsafe,
        "indeterminate": a.indeterminate,
        # What is not known is null: unread resources are not lost alerts.
        "created": a.created if read else None,
        "deduplicated": a.deduplicated if read else None,
        "aggregated": a.aggregated if read else None,
        "resolved": a.resolved,
        "lost": len(a.lost) if read else None,
        "lost_ids": lost_ids(history, verdict) if read else None,
        "recovered_ids": [naming.alert_id(n) for n in a.recovered] if read else None,
        "duplicates": [list(names) for names in a.duplicates] if read else None,
        "unexpected": list(a.unexpected) if read else None,
        "adds_up": a.adds_up,
    }


def _injection(injection: Injection) -> dict[str, object]:
    return {
        "name": injection.name,
        "injector": injection.injector,
        "asked_at_s": injection.asked_at_s,
        "asked_for_s": injection.asked_for_s,
        "began": _interval(injection.began),
        "ended": _interval(injection.ended),
        "bit": injection.bit,
        "evidence": list(injection.evidence),
        "error": injection.error,
    }


def _compared(compared: Comparison) -> dict[str, object]:
    return {
        "run_id": compared.run_id,
        "started_at": compared.started_at,
        "state": compared.state,
        "differs": list(compared.differs),
        "deltas": [
            {"label": d.label, "before": d.before, "now": d.now, "change": d.change} for d in compared.deltas
        ],
    }


def _interval(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"earliest_s": interval.earliest_s, "latest_s": interval.latest_s}


def _timings(history: History) -> dict[str, object]:
    # In the order of the plan; a phase that the plan does not name comes after. Alerts that were never begun
    # have none.
    planned = [p.name for p in history.run.phases]
    told = table.of(history)
    others = sorted(told.phases() - {*planned, ""})
    by_phase = {name: told.latency_s[told.of_phase(name)] for name in [*planned, *others]}
    return {
        "latency_s": _spread(told.latency_s),
        "late_s": _spread(np.maximum(0.0, told.late_s)),
        "phases": [{"name": name, "latency_s": _spread(took_s)} for name, took_s in by_phase.items()],
    }


def _spread(values: Seconds) -> dict[str, float | None]:
    ordered = table.ordered(values)
    return {
        "samples": len(ordered),
        "p50": percentile(ordered, 0.50),
        "p95": percentile(ordered, 0.95),
        "p99": percentile(ordered, 0.99),
        "max": float(ordered[-1]) if len(ordered) else None,
    }
