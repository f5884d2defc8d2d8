"""The verdict for CI: one suite a run, one case a criterion; what is undecided is an error, never green."""

from __future__ import annotations

from reports import table
from reports.finding import unknown
from reports.history import History
from reports.presentation import accounting_lines, fault_asked, fault_bit, fault_seen, lost_ids, reproduce
from reports.suites import case, cases_of, document, suite
from reports.verdict import Verdict

FILE = "junit.xml"


def render(history: History, verdict: Verdict) -> str:
    """Return the document, in the order that the JUnit schema of Ant and Jenkins wants."""
    name = f"alertstorm.{history.run.scenario}"
    # An empty suite is green in every importer.
    nothing = unknown("a criterion", verdict.sentence, 0, "ask for one")
    cases = cases_of(verdict.findings, name) or [case(nothing, "verdict", name)]
    the_suite = suite(
        name,
        cases,
        time_s=_length_s(history),
        started_at=history.run.started_at,
        properties=_properties(history, verdict),
        evidence=_evidence(history, verdict),
    )
    return document([the_suite], _length_s(history))


def _properties(history: History, verdict: Verdict) -> list[tuple[str, str]]:
    run = history.run
    pairs = [
        ("state", verdict.state.value),
        ("sentence", verdict.sentence),
        ("run_id", run.run_id),
        ("scenario", run.scenario),
        ("pace", run.pace),
        ("target", run.target),
        ("started_at", run.started_at),
    ]
    if verdict.loss_bound is not None:
        pairs.append(("loss_bound", repr(verdict.loss_bound)))
    return [*pairs, *reproduce(history)]


def _evidence(history: History, verdict: Verdict) -> list[str]:
    lines = [verdict.sentence, *accounting_lines(history, verdict)]
    for i in history.injections:
        lines.append(
            f"fault {i.name} ({i.injector}): asked {fault_asked(i)}; {fault_seen(i)}; bit: {fault_bit(i)}"
        )
        lines += [f"  {line}" for line in i.evidence]
    ids = lost_ids(history, verdict)
    return [*lines, *(f"lost {each}" for each in ids)]


def _length_s(history: History) -> float:
    done_s = table.ordered(table.of(history).done_s)[-1:].tolist()
    return max([*(p.end_s for p in history.run.phases), *done_s], default=0.0)
