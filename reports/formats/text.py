"""The summary at the end of a run, for a terminal: no colours, nothing that moves the cursor."""

from __future__ import annotations

import textwrap

from reports.comparison import Comparison, NoComparison
from reports.finding import Finding, Status
from reports.history import History
from reports.presentation import EXAMPLES, accounting_lines, accounting_notes, clip, more, plain
from reports.verdict import Verdict

_WANTED_WIDTH, _GOT_WIDTH, _EXAMPLE_WIDTH, _LONGEST = 36, 48, 160, 600


def render(history: History, verdict: Verdict, compared: Comparison | NoComparison | None = None) -> str:
    """Return the sentence, the criteria with the worst first, and the accounting."""
    run = history.run
    lines = [clip(plain(verdict.sentence), _LONGEST), ""]
    lines += _table(verdict)
    lines += ["", "; ".join(accounting_lines(history, verdict))]
    lines += accounting_notes(history, verdict)
    lines += _compared(compared) if compared else []
    lines += [
        "",
        plain(f"run {run.run_id}: {run.scenario} ({run.pace}) against {run.target}, seed {run.seed}"),
    ]
    return "\n".join(lines) + "\n"


def _compared(compared: Comparison | NoComparison) -> list[str]:
    if isinstance(compared, NoComparison):
        return ["", plain(f"compared with no run: {compared.why}")]
    head = plain(f"compared with {compared.run_id} ({compared.state}, {compared.started_at}):")
    lines = [f"  {d.label}: {d.before} -> {d.now} ({d.change})" for d in compared.deltas]
    return ["", head, *lines, *(plain(f"  {each}") for each in compared.differs)]


def _table(verdict: Verdict) -> list[str]:
    names = [plain(f.criterion) for f in verdict.findings]
    widths = (7, max([9, *map(len, names)]), _WANTED_WIDTH, _GOT_WIDTH)
    lines = _row(("STATUS", "CRITERION", "WANTED", "GOT"), widths)
    for finding, name in zip(verdict.findings, names, strict=True):
        wanted, got = clip(plain(finding.wanted), _LONGEST), clip(plain(finding.got), _LONGEST)
        lines += _row((finding.status.value, name, wanted, got), widths)
        lines += _below(finding)
    return lines


def _row(cells: tuple[str, str, str, str], widths: tuple[int, int, int, int]) -> list[str]:
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    padded = [column + [""] * (height - len(column)) for column in wrapped]
    return [
        "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    ]


def _below(finding: Finding) -> list[str]:
    lines = []
    if finding.status is Status.UNKNOWN and finding.mend:
        lines.append(f"         mend: {clip(plain(finding.mend), _LONGEST)}")
    if finding.status is Status.FAIL:
        lines += [f"         {clip(plain(e), _EXAMPLE_WIDTH)}" for e in finding.examples[:EXAMPLES]]
        rest = more(len(finding.examples), EXAMPLES)
        lines += [f"         {rest}"] if rest else []
    return lines
