"""The report that goes into a pull request as a comment."""

from __future__ import annotations

from reports import strips
from reports.comparison import Comparison, NoComparison
from reports.finding import Finding, Status
from reports.history import History
from reports.markup import code, escape, table
from reports.offenders import stories
from reports.presentation import (
    EXAMPLES,
    accounting_lines,
    accounting_notes,
    clip,
    facts,
    fault_asked,
    fault_bit,
    fault_seen,
    got,
    lost_ids,
    more,
    reproduce,
)
from reports.verdict import Verdict

FILE = "report.md"
# GitHub takes 65,536 characters a comment.
_COMMENT, _CELL, _IDS_IN_SIGHT = 65_000, 400, 10


def render(history: History, verdict: Verdict, compared: Comparison | NoComparison | None = None) -> str:
    """Return the whole report; lost ids are left out only when they do not fit a comment, and it says so."""
    before = [
        f"## {escape(clip(verdict.sentence, 2 * _CELL))}",
        f"{escape(history.run.title or history.run.scenario)}: run {code(history.run.run_id)} of "
        f"{code(history.run.scenario)} ({escape(history.run.pace)}) against {escape(history.run.target)}, "
        f"started {escape(history.run.started_at)}.",
        _facts(history, verdict),
        _criteria(verdict),
        *_offenders(verdict),
        *_traces(history, verdict),
        _accounting(history, verdict),
    ]
    after = [*_faults(history), *_compared(compared), *_series(history), _reproduce(history)]
    room = _COMMENT - sum(len(part) + 2 for part in (*before, *after))
    return "\n\n".join((*before, *_lost(history, verdict, room), *after)) + "\n"


def _facts(history: History, verdict: Verdict) -> str:
    rows = [
        (fact.label, f"**{escape(fact.value)}** {escape(clip(fact.note, _CELL))}", fact.status or "not asked")
        for fact in facts(history, verdict)
    ]
    return table(("fact", "value", "status"), rows)


def _criteria(verdict: Verdict) -> str:
    return table(
        ("status", "criterion", "wanted", "got", "samples"),
        [
            (f"**{f.status}**", code(f.criterion), escape(clip(f.wanted, _CELL)), _got(f), f"{f.samples:,}")
            for f in verdict.findings
        ],
    )


def _got(finding: Finding) -> str:
    what = escape(clip(got(finding), _CELL))
    mend = finding.mend if finding.status is Status.UNKNOWN else ""
    return f"{what}<br>mend: {escape(clip(mend, _CELL))}" if mend else what


def _offenders(verdict: Verdict) -> list[str]:
    parts = []
    for finding in verdict.findings:
        if finding.status is Status.FAIL and finding.examples:
            lines = [f"- {escape(clip(e, _CELL))}" for e in finding.examples[:EXAMPLES]]
            rest = more(len(finding.examples), EXAMPLES)
            lines += [f"- {rest}"] if rest else []
            parts.append("\n".join([f"{code(finding.criterion)} convicts:", "", *lines]))
    return parts


def _traces(history: History, verdict: Verdict) -> list[str]:
    lines = []
    for story in stories(history, verdict):
        if story.trace_id:
            # The link is percent-encoded where Markdown could take a character of it for its own.
            shown = f"[{story.trace_id}]({story.trace_link})" if story.trace_link else code(story.trace_id)
            lines.append(f"- {code(story.alert_id)}: {shown} {escape(story.trace_words)}".rstrip())
    return ["\n".join(["Traces of the first offenders:", "", *lines])] if lines else []


def _accounting(history: History, verdict: Verdict) -> str:
    sums = [f"- {escape(line)}" for line in accounting_lines(history, verdict)]
    notes = [f"- {escape(note)}" for note in accounting_notes(history, verdict)]
    return "\n".join(["### Accounting", "", *sums, *notes])


def _lost(history: History, verdict: Verdict, room: int) -> list[str]:
    ids = lost_ids(history, verdict)
    if not ids:
        return []
    # 120 characters for the words around the list, 4 for what stands around each id.
    fit = max(0, (room - 120)) // (max(map(len, ids)) + 4)
    listed = ", ".join(code(each) for each in ids[:fit])
    if fit < len(ids):
        listed += f" and {len(ids) - fit:,} more that do not fit a comment: see verdict.json"
    if len(ids) <= _IDS_IN_SIGHT:
        return [f"Lost: {listed}"]
    return [f"<details><summary>All {len(ids):,} lost alerts</summary>\n\n{listed}\n\n</details>"]


def _faults(history: History) -> list[str]:
    if not history.injections:
        return []
    rows = []
    for i in history.injections:
        evidence = "<br>".join(escape(clip(line, _CELL)) for line in i.evidence[:EXAMPLES]) or "none"
        name = f"{code(i.name)} ({escape(i.injector)})"
        rows.append((name, fault_asked(i), escape(clip(fault_seen(i), _CELL)), fault_bit(i), evidence))
    return ["### Faults\n\n" + table(("fault", "asked", "really", "took effect", "evidence"), rows)]


def _compared(compared: Comparison | NoComparison | None) -> list[str]:
    if compared is None:
        return []
    if isinstance(compared, NoComparison):
        return [f"Compared with no run: {escape(clip(compared.why, _CELL))}."]
    rows = [(d.label, escape(d.before), escape(d.now), escape(d.change)) for d in compared.deltas]
    head = (
        f"### Compared with the run before\n\n{code(compared.run_id)}, {compared.state}, "
        f"{escape(compared.started_at)}"
    )
    notes = "\n".join(f"- {escape(clip(each, _CELL))}" for each in compared.differs)
    parts = [head, table(("", "then", "now", "change"), rows), notes]
    return ["\n\n".join(part for part in parts if part)]


def _series(history: History) -> list[str]:
    told = []
    for row in strips.rows(history):
        each = "; ".join(f"{s.labels}: {s.words}" if s.labels else s.words for s in row.strips[:EXAMPLES])
        words = "; ".join(filter(None, (each, row.problem)))
        told.append(f"- {escape(row.name)}: {escape(clip(words, _CELL))}")
    source = escape(strips.source(history))
    if not told:
        return [f"Metric series: {source}"]
    lines = "\n".join(told)
    return [f"<details><summary>Metric series: {source}</summary>\n\n{lines}\n\n</details>"]


def _reproduce(history: History) -> str:
    rows = [f"- {escape(what)}: {code(clip(value, _CELL))}" for what, value in reproduce(history)]
    return "\n".join(["### Reproduce", "", *rows])
