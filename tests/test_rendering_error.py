"""A report that breaks at the end of a live run takes neither the verdict nor the exit code away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import histories
import patched_process


def ended_with_a_planted_error(folder: str) -> list[Any]:
    """Judge a run as the live side does, with every renderer broken, and print its end as Locust's last
    event does; return the exit code, what was printed, and which reports there are."""
    import io

    from chaos_hooks.live_run import Result
    from chaos_hooks.progress import Progress
    from chaos_hooks.session import Session
    from reports import writing
    from reports.formats import html, json, junit, markdown, text

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("planted")

    for module in (html, json, junit, markdown, text):
        module.render = broken
    path = Path(folder)
    result = Result(path, writing.write_all(path), "")
    session, printed = Session(), io.StringIO()
    session._progress = Progress(printed)
    session.results = [result]
    session.print_last()
    return [result.exit_code, printed.getvalue(), sorted(p.name for p in path.glob("report.*"))]


def test_a_rendering_error_at_the_end_of_a_run_changes_nothing(tmp_path: Path) -> None:
    """Convicted is convicted, with every report broken: the sentence is printed, and what broke."""
    told = histories.history(lost=(1,))
    kept = histories.keep(told, tmp_path / "run")

    code, printed, reports = patched_process.call(
        "test_rendering_error", "ended_with_a_planted_error", str(kept)
    )

    assert code == 1
    assert "FAIL: 1 of 3 acknowledged alerts lost. Convicted by zero_loss." in printed
    assert "report text: not made: RuntimeError: planted" in printed
    assert reports == []
