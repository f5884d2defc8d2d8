"""The published matrix: the record of all its runs, and the tables of it in the documentation.

The tables stand between two marks, in docs/selftest.md whole and in README.md in brief. Both are made of the
record, docs/selftest-matrix.json, and of nothing else.
"""

import json
from pathlib import Path
from typing import Any

from sandbox.selftest import matrix
from sandbox.selftest.row import Row
from sandbox.selftest.score import INVALID, VOID, Score, rounded_down, rounded_up
from sandbox.selftest.trial import CHECKOUT

RECORD = Path("docs/selftest-matrix.json")
FULL, BRIEF = Path("docs/selftest.md"), Path("README.md")
_BEGIN, _END = "<!-- matrix: written by python -m sandbox.selftest --publish -->\n", "<!-- /matrix -->\n"
_HEAD = ("row", "convicted by, or what it must be", "runs", "95 % bound")


def read(home: Path = CHECKOUT) -> dict[str, Any]:
    """Return the record."""
    document: dict[str, Any] = json.loads((home / RECORD).read_text(encoding="utf-8"))
    return document


def write(scores: list[Score], home: Path = CHECKOUT) -> None:
    """Write the record, and the tables that are made of it."""
    (home / RECORD).write_text(_record(matrix.document(scores)), encoding="utf-8")
    for path, block in ((FULL, full(scores)), (BRIEF, brief(scores))):
        text = (home / path).read_text(encoding="utf-8")
        before, _, rest = text.partition(_BEGIN)
        _, mark, after = rest.partition(_END)
        if not mark:
            raise ValueError(f"{path}: has no lines {_BEGIN.strip()!r} and {_END.strip()!r}")
        (home / path).write_text(f"{before}{_BEGIN}{block}{_END}{after}", encoding="utf-8")


def block(path: Path, home: Path = CHECKOUT) -> str:
    """Return what stands between the marks of a file."""
    _, _, rest = (home / path).read_text(encoding="utf-8").partition(_BEGIN)
    return rest.partition(_END)[0]


def full(scores: list[Score]) -> str:
    """Return the whole matrix, with every run that was no hit."""
    return f"\n{matrix.text(scores)}\n"


def brief(scores: list[Score]) -> str:
    """Return a line for each row, and what all of them are together."""
    defects = [score for score in scores if score.row.wants]
    innocents = [score for score in scores if not score.row.wants]
    lines = _together(defects, "convicted by name") + _together(innocents, "acquitted")
    lines.append(f"Counted as neither, and told in docs/selftest.md: {_without_proof(scores)}.")
    cells = [(s.row.name, _must(s.row), f"{s.hits} of {s.runs}", _bound(s)) for s in scores]
    table = ["| " + " | ".join(line) + " |" for line in (_HEAD, ("---",) * len(_HEAD), *cells)]
    summary = "<summary>Each row: its runs, and what they show at 95 %</summary>"
    return "\n".join(["", *lines, "", "<details>", summary, "", *table, "", "</details>", "", ""])


def _together(scores: list[Score], what: str) -> list[str]:
    """Return one sentence about rows of a kind; none if there are none."""
    if not scores:
        return []
    kind = "defects" if scores[0].row.wants else "innocents"
    runs, hits = sum(score.runs for score in scores), sum(score.hits for score in scores)
    return [f"{len(scores)} {kind}, {hits} of {runs} runs {what}."]


def _without_proof(scores: list[Score]) -> str:
    void, invalid = (sum(score.number(grade) for score in scores) for grade in (VOID, INVALID))
    return f"{invalid} INVALID and {void} VOID runs"


def _must(row: Row) -> str:
    return f"`{row.wants}`" if row.wants else " or ".join(row.states)


def _bound(score: Score) -> str:
    return (
        f"detected >= {rounded_down(score.least)}"
        if score.row.wants
        else f"wrong <= {rounded_up(1 - score.least)}"
    )


def _record(document: dict[str, Any]) -> str:
    """Return the record with a line for each trial, and what is empty left out of those that are hits."""
    rows = []
    for row in document["rows"]:
        trials = ",\n".join(f"   {json.dumps(_kept(trial))}" for trial in row["trials"])
        head = json.dumps({name: value for name, value in row.items() if name != "trials"})
        rows.append(f'  {head[:-1]}, "trials": [\n{trials}\n  ]}}')
    head = json.dumps({name: value for name, value in document.items() if name != "rows"})
    return f'{head[:-1]}, "rows": [\n' + ",\n".join(rows) + "\n]}\n"


def _kept(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a trial; of a hit without its sentence, which has only numbers of its own."""
    return {**trial, "detail": ""} if trial["grade"] == "hit" else trial
