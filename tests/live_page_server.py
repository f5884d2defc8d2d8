"""Serves Locust's own web UI with this tool's pages, as a program, for a stand-in of a session.

Its state is a file, and so are its stops. The file holds the state's document, or names a run's folder: that
run was gone through just now, and is over. A program of its own, as Locust patches the whole process.
"""

from __future__ import annotations

import json
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import locust  # noqa: F401 - it patches the process, so it comes first

import gevent  # isort: skip
from locust import argument_parser  # isort: skip
from locust.env import Environment  # isort: skip

from chaos_hooks import live_state, web  # isort: skip
from chaos_hooks.answers import Answer  # isort: skip
from chaos_hooks.ledger import Ledger  # isort: skip
from chaos_hooks.live_chart import LiveChart  # isort: skip
from chaos_hooks.live_run import Result, Stage  # isort: skip
from reports import folder as run_folder  # isort: skip
from reports.history import History  # isort: skip
from reports.verdict import judge  # isort: skip
from shapes.alerts import Planned  # isort: skip
from shapes.scenario import AlertRecipe, Fault, Phase, Scenario  # isort: skip
from shapes.timeline import Timeline  # isort: skip


def over(folder: Path, copies: Path, live: LiveChart) -> Any:
    """Return a live run that is over, as a recorded one was; the chart has followed it all along."""
    history = run_folder.read(folder)
    copy = Path(shutil.copytree(folder, copies / folder.name))
    (copy / "ledger.jsonl").unlink()
    phases = tuple(
        Phase(p.name, "steady", Fraction(len(history.attempts)) / Fraction(10), p.end_s - p.begin_s)
        for p in history.run.phases
    )
    faults = tuple(Fault(i.name, i.injector, i.asked_at_s, i.asked_for_s, {}) for i in history.injections)
    about = (history.run.scenario, history.run.title, "t", history.run.pace, 0, AlertRecipe())
    scenario = Scenario(*about, phases, 1.0, faults, ())
    ledger = _ledger(copy, history)
    bench = SimpleNamespace(
        folder=copy,
        run_id=folder.name,
        timeline=Timeline(scenario),
        tally=ledger,
        conductor=SimpleNamespace(active={}),
        prober=SimpleNamespace(latest={}),
    )
    clock = SimpleNamespace(now=lambda: 0.0)
    run: Any = SimpleNamespace(scenario=scenario, stage=Stage.RUNNING, clock=clock, bench=bench, result=None)
    run.is_over = lambda: run.result is not None
    for seen in sorted(history.observations, key=lambda o: o.answered_s):
        clock.now = lambda at_s=seen.answered_s: at_s
        bench.prober.latest[seen.probe] = seen
        bench.conductor.active = {
            i.name: i
            for i in history.injections
            if i.began and i.began.latest_s <= seen.answered_s < (i.ended.latest_s if i.ended else 1e9)
        }
        live._follow(run)
    run.stage, run.result = Stage.OVER, Result(copy, judge(history), "")
    return run


def _ledger(folder: Path, history: History) -> Ledger:
    ledger = Ledger(folder / "ledger.bin")
    for a in history.attempts:
        ledger.begin(Planned(a.number, a.subject, a.phase, a.due_s), a.begun_s or a.due_s)
        said = Answer(a.outcome, a.kind, a.detail)
        ledger.end(a.number, said, sent_s=a.sent_s, done_s=a.done_s or a.due_s, status=a.status)
    return ledger


def main(runs: str, state: str, stops: str) -> None:
    """Serve for as long as the process lives; print the port."""
    told, live = json.loads(Path(state).read_text()), LiveChart()
    options = argument_parser.get_parser().parse_args([])
    options.chaos_runs_dir = runs
    environment = Environment(user_classes=[], parsed_options=options)
    environment.create_local_runner()
    ended = told.get("ended")
    session: Any = SimpleNamespace(
        run=over(Path(ended), Path(state).parent, live) if ended else None,
        live=live,
        error="",
        record=None,
        running=-1,
        is_busy=lambda: not ended,
        stop=lambda reason: Path(stops).write_text(Path(stops).read_text() + reason + "\n"),
    )
    if not ended:
        live_state.document = lambda _: json.loads(Path(state).read_text())  # type: ignore[assignment]
    web_ui = environment.create_web_ui("127.0.0.1", 0)
    web.add_pages(web_ui, session)
    # Locust shows its tabs only while it runs a test, and after one.
    environment.runner.state = "stopped"  # type: ignore[union-attr]
    while not (web_ui.server and web_ui.server.started):
        gevent.sleep(0.01)
    print(web_ui.server.server_port, flush=True)
    web_ui.greenlet.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
