"""A process that gevent has patched, as Locust's is: there, what blocks lets the other greenlets run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
DEADLINE_S = 60.0
_PROGRAM = """
from gevent import monkey
monkey.patch_all()
import importlib, json, sys
module, function, arguments = sys.argv[1:]
value = getattr(importlib.import_module(module), function)(*json.loads(arguments))
print(json.dumps(value), flush=True)
"""


def call(module: str, function: str, *arguments: Any) -> Any:
    """Return what a function of a test module returns in a patched process; both ways it is JSON."""
    path = os.pathsep.join([str(HOME), str(HOME / "tests")])
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, module, function, json.dumps(arguments)],
        cwd=HOME,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])
