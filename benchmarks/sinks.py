"""The sink of the benchmarks: compiled when it is needed, run on a core of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
SINK_CPU = (os.cpu_count() and max(os.sched_getaffinity(0))) or 0
LOAD_CPU = min(os.sched_getaffinity(0))


def compiled(folder: Path) -> Path | None:
    """Return the sink's program, or None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    program = folder / "sink"
    subprocess.run([compiler, "-O2", "-o", program, HERE / "sink.c"], check=True)
    return program


@contextmanager
def running(program: Path, hang_at_s: float = 0.0, hang_for_s: float = 0.0) -> Iterator[str]:
    """Run the sink and give its URL; with times it hangs once, as a stopped process does."""
    command = ["taskset", "-c", str(SINK_CPU), str(program), "0"]
    command += [str(hang_at_s), str(hang_for_s)] if hang_for_s else []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/api/v1/signals/prometheus"
    finally:
        process.communicate(timeout=60)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)
