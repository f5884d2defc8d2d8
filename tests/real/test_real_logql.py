"""The log queries, read by Loki's own parser."""

from __future__ import annotations

import json
import re
import subprocess

from real_tools import CHECKOUT, find, needs

FOLDER = CHECKOUT / "manifests" / "monitoring"
CHECK = "logql-check"


def documented() -> list[str]:
    """Return the queries of the table of log queries, as they are pasted."""
    rows = [line for line in (FOLDER / "log-queries.md").read_text().splitlines() if line.startswith("|")]
    cells = [re.search(r"\| `(.+)` \|$", row) for row in rows]
    return [cell[1].replace("\\|", "|") for cell in cells if cell]


def of_the_dashboard() -> list[str]:
    """Return the queries of the panels that show logs."""
    panels = json.loads((FOLDER / "alertstorm.json").read_text())["panels"]
    return [target["expr"] for panel in panels if panel["type"] == "logs" for target in panel["targets"]]


def refused(queries: list[str]) -> list[str]:
    """Return what the parser says of those that it does not take."""
    done = subprocess.run(
        [find(CHECK)], input="\n".join(queries), text=True, capture_output=True, timeout=60, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@needs(CHECK)
def test_loki_takes_every_query() -> None:
    """Those of the document and those of the dashboard; and it would tell of a broken one."""
    queries = [*documented(), *of_the_dashboard()]

    assert len(documented()) >= 8
    assert refused(queries) == []
    assert [line.partition(": ")[0] for line in refused([*queries, '{app="gateway"} |~ (broken'])] == [
        '{app="gateway"} |~ (broken'
    ]
