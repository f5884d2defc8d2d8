"""The matrix: all rows with what they must be and were, as text and as JSON."""

import hashlib
from typing import Any

from sandbox.selftest.row import Row
from sandbox.selftest.score import INVALID, VOID, Score, least_share, rounded_down, rounded_up
from sandbox.selftest.trial import SCENARIOS, Outcome

_DEFECTS = ("defect", "scenario", "must convict", "bites", "convicted by", "disabled", "hits", "95 % bound")
_INNOCENTS = ("innocent", "scenario", "planted", "must be", "was", "hits", "95 % bound")


def text(scores: list[Score]) -> str:
    """Two tables in Markdown, and every trial that was no hit."""
    defects = [score for score in scores if score.row.wants]
    innocents = [score for score in scores if not score.row.wants]
    parts = []
    if defects:
        parts.append(_table(_DEFECTS, [_defect(score) for score in defects]))
    if innocents:
        parts.append(_table(_INNOCENTS, [_innocent(score) for score in innocents]))
    pooled = _pooled(defects, "defects", "detected >=") + _pooled(innocents, "innocents", "right >=")
    parts += ["\n".join(pooled)] if pooled else []
    remarks = [line for score in scores for line in _remarks(score)]
    return "\n\n".join([*parts, *(["\n".join(remarks)] if remarks else [])]) + "\n"


def _pooled(scores: list[Score], what: str, claim: str) -> list[str]:
    """All rows together, as if they were one: what is known of such a mixture, and of no single row."""
    runs, hits = sum(score.runs for score in scores), sum(score.hits for score in scores)
    share = least_share(hits, runs)
    return (
        [f"All {what} together: {hits} of {runs} runs were hits, {claim} {rounded_down(share)} at 95 %."]
        if runs
        else []
    )


def document(scores: list[Score]) -> dict[str, Any]:
    """The same for programs."""
    sound = all(score.sound for score in scores)
    return {"schema": "alertstorm-selftest-v1", "sound": sound, "rows": [_row(score) for score in scores]}


def recorded(documents: list[dict[str, Any]], known: tuple[Row, ...]) -> list[Score]:
    """The scores that earlier runs wrote, put together, each trial graded again. What was run of a row that
    is no more, or that planted, wanted or allowed something else then, or had another scenario, is left
    out."""
    scores = {row.name: Score(row) for row in known}
    for told in (row for document in documents for row in document["rows"]):
        score = scores.get(told["name"])
        if score is None or _ran(told) != _asked(score.row):
            continue
        for each in told["trials"]:
            score.add(each["seed"], _outcome(each))
    return [score for score in scores.values() if score.trials]


def digest(row: Row) -> str:
    """What tells a row's scenario from another version of it."""
    return hashlib.sha256((SCENARIOS / f"{row.scenario}.yaml").read_bytes()).hexdigest()[:12]


def _ran(told: dict[str, Any]) -> tuple[str, ...]:
    return told["plants"], told["wants"] or "", told["scenario_digest"], *told["allows"]


def _asked(row: Row) -> tuple[str, ...]:
    return row.plants, row.wants, digest(row), *row.allows


def _outcome(told: dict[str, Any]) -> Outcome:
    return Outcome(
        told["state"],
        tuple(told["failed"]),
        tuple(told["undecided"]),
        told["triggered"],
        told["without"] or "",
        told.get("detail", ""),
        told["took_s"],
        told.get("looked", 1.0),
    )


def _defect(score: Score) -> tuple[str, ...]:
    row = score.row
    wants = row.wants + (f" (or with {', '.join(row.allows)})" if row.allows else "")
    bound = f"detected >= {rounded_down(score.least)}"
    without = sorted({got.without for _, got, _, _ in score.trials if got.without})
    return (row.name, row.scenario, wants, _triggered(score), score.common("failed"), "/".join(without),
            f"{score.hits} of {score.runs}", bound)  # fmt: skip


def _innocent(score: Score) -> tuple[str, ...]:
    row = score.row
    bound = f"wrong <= {rounded_up(1 - score.least)}"
    planted = row.plants or row.act or (f"no {row.lacks}" if row.lacks else "")
    must = " or ".join(row.states)
    return (
        row.name,
        row.scenario,
        planted,
        must,
        score.common("state"),
        f"{score.hits} of {score.runs}",
        bound,
    )


def _triggered(score: Score) -> str:
    counts = sorted(got.triggered for _, got, _, _ in score.trials)
    if not counts:
        return "-"
    return f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]}-{counts[-1]}"


def _remarks(score: Score) -> list[str]:
    lines = [
        f"{score.row.name}, seed {seed}: {graded}: {' '.join(why.split())}"
        for seed, _, graded, why in score.trials
        if why
    ]
    if not score.runs:
        lines.append(f"{score.row.name}: no trial proved anything ({score.number(VOID)} VOID, "
                     f"{score.number(INVALID)} INVALID)")  # fmt: skip
    return lines


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), "|" + "|".join("-" * (w + 2) for w in widths) + "|", *map(line, rows)])


def _row(score: Score) -> dict[str, Any]:
    row = score.row
    return {
        "name": row.name,
        "scenario": row.scenario,
        "scenario_digest": digest(row),
        "plants": row.plants,
        "wants": row.wants or None,
        "allows": list(row.allows),
        "states": list(row.states) if not row.wants else ["FAIL"],
        "runs": score.runs,
        "hits": score.hits,
        "void": score.number(VOID),
        "invalid": score.number(INVALID),
        "least_share_95": round(score.least, 4),
        "trials": [
            {
                "seed": seed,
                "grade": graded,
                "why": why,
                "state": got.state,
                "failed": list(got.failed),
                "undecided": list(got.undecided),
                "triggered": got.triggered,
                "without": got.without or None,
                "took_s": got.took_s,
                "looked": got.looked,
                "detail": got.detail,
            }
            for seed, got, graded, why in score.trials
        ],
    }
