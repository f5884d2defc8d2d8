"""The reduced selftest, as a user runs it: defects are convicted by name, innocents are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.selftest import rows

HOME = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(900)  # A minute or so; this is for a machine that has others to serve.
def test_the_reduced_selftest_is_sound(tmp_path: Path) -> None:
    """Exit code 0; every row was what it must be; with its criterion disabled each defect survives."""
    out = tmp_path / "matrix.json"
    words = [sys.executable, "-m", "sandbox.selftest", "--rows", "reduced", "--jobs", "2", "--json", str(out)]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, cwd=HOME, env=env, capture_output=True, text=True, check=False)
    told = json.loads(out.read_text())
    last = {row["name"]: row["trials"][-1] for row in told["rows"]}

    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["name"]: row["hits"] for row in told["rows"]} == dict.fromkeys(rows.REDUCED, 1)
    assert f"{len(rows.REDUCED)} of {len(rows.REDUCED)} rows are sound." in done.stdout
    guilty = [row for row in rows.DEFECTS if row.name in rows.REDUCED]
    assert all(last[row.name]["triggered"] > 0 for row in guilty)
    assert all(last[row.name]["without"] in ("PASS", "UNKNOWN") for row in guilty)
    assert not list(tmp_path.glob("alertstorm-selftest-*")), "what was a hit leaves nothing behind"
