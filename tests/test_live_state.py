"""What the live page and Locust's tab say when a run is over, and when their own drawing breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import histories
import patched_process

from reports import writing


def told_of_an_end(folder: str, copies: str) -> dict[str, Any]:
    """Return what is told of a recorded run when it has just ended: the document's parts, and the rows."""
    from types import SimpleNamespace

    import live_page_server

    from chaos_hooks import live_state
    from chaos_hooks.live_chart import LiveChart

    live = LiveChart()
    run = live_page_server.over(Path(folder), Path(copies), live)
    live._follow(run)
    session: Any = SimpleNamespace(run=run, live=live, error="", record=None, is_busy=lambda: False)
    document = live_state.document(session)
    return {
        "verdict": document["verdict"],
        "counts": document["run"]["counts"],
        "lost_ms": document["chart"]["lost_ms"],
        "rows": [(row["what"], row["now"]) for row in live_state.rows(session)],
    }


def test_at_its_end_a_run_is_told_by_its_verdict(tmp_path: Path) -> None:
    """The sentence first, then what did not pass; refusals told apart, and what was lost is drawn as lost."""
    history = histories.history(20, lost=(4, 5), rejected_safe=2, rejected_unsafe=1)
    folder = histories.keep(history, tmp_path / "run")
    writing.write_all(folder)
    (tmp_path / "copies").mkdir()
    told = patched_process.call("test_live_state", "told_of_an_end", str(folder), str(tmp_path / "copies"))
    sentence = "FAIL: 2 of 20 acknowledged alerts lost. Convicted by zero_loss, safe_rejections."

    assert told["verdict"]["state"] == "FAIL"
    assert told["verdict"]["sentence"] == sentence
    assert [f["criterion"] for f in told["verdict"]["bad"]] == ["zero_loss", "safe_rejections"]
    assert told["verdict"]["files"] == ["report.html", "report.md", "verdict.json", "junit.xml"]
    assert told["counts"] == {"acked": 20, "refused safely": 2, "refused unsafely": 1}
    assert told["lost_ms"] == [2000, 500]
    assert [what for what, _ in told["rows"]] == [
        "state",
        "verdict",
        "scenario",
        "FAIL zero_loss",
        "FAIL safe_rejections",
        "passed",
        "last run",
    ]
    assert told["rows"][1] == ["verdict", sentence]


def drawn_with_a_planted_error() -> list[Any]:
    """Follow a run whose chart breaks at every look; return what is told of it, and how often it looked."""
    import contextlib
    import io
    from types import SimpleNamespace

    import gevent

    from chaos_hooks import live_chart
    from chaos_hooks.live_chart import LiveChart
    from chaos_hooks.live_run import Stage

    live, looks = LiveChart(), []
    run: Any = SimpleNamespace(is_over=lambda: False, stage=Stage.RUNNING)
    live_chart._LOOK_S = 0.0

    def broken() -> Any:
        looks.append(1)
        if len(looks) > 3:
            raise gevent.GreenletExit
        return run

    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        gevent.spawn(live.follow, broken).join(10)
    return [live.problem, len(looks), printed.getvalue().count("stand still")]


def test_a_chart_that_breaks_says_so_and_looks_again() -> None:
    """It is told once, and the run, which it only looks at, goes on."""
    problem, looks, told = patched_process.call("test_live_state", "drawn_with_a_planted_error")

    assert problem.startswith("the chart may stand still: AttributeError: ")
    assert (looks, told) == (4, 1)
