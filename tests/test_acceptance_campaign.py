"""As a user runs it: campaigns, each entry apart from the others, gone on with after a failure or Ctrl-C."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import gevent
import gevent.event
import pytest
from locust_process import Locust, alive, interrupt, locust, statuses, until, verdict

from chaos_hooks import campaign, campaign_record, live_run, planning
from chaos_hooks.campaign import CampaignRun, Entry
from chaos_hooks.campaign_record import CampaignRecord
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.live_run import Result
from chaos_hooks.options import Options
from reports import campaign_plan, campaign_writing
from reports import folder as run_folder
from reports.campaign_plan import EntryState
from shapes import target

NAME = "crd-update-conflicts"
LIST = ("--headless", "--chaos-scenario", f"{NAME},{NAME}")
FILES = {"campaign.json", "report.html", "report.md", "verdict.json", "junit.xml"}
WITHIN_S = 30.0


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return an empty folder for runs."""
    return tmp_path / "runs"


def plan(folder: Path) -> dict[str, Any]:
    """Return what campaign.json says."""
    value: dict[str, Any] = json.loads((folder / "campaign.json").read_text())
    return value


def latest(runs: Path) -> Path:
    """Return the folder that the link names."""
    assert (runs / "latest-campaign").is_symlink()
    return (runs / "latest-campaign").resolve()


def of(planned: dict[str, Any], key: str) -> list[Any]:
    """Return what campaign.json says of each entry."""
    return [entry[key] for entry in planned["entries"]]


def processes_of(process: Locust) -> list[tuple[int, str]]:
    """Return all that a campaign of two starts, seen once each of its targets is ready."""
    ready = "target is ready at"
    until(lambda: process.output().count(ready) >= 1 or process.process.poll() is not None)
    first = process.descendants()
    until(lambda: process.output().count(ready) >= 2 or process.process.poll() is not None)
    return first + process.descendants()


def skip_if_starved(runs: Path) -> None:
    """Skip, loudly, when this machine starved the generator: the tool then says UNKNOWN, and rightly so."""
    for path in runs.glob(f"{NAME}-*/verdict.json"):
        undecided = [c for c, status in statuses(path.parent).items() if status != "PASS"]
        if undecided == ["volley_spread"]:
            pytest.skip("a volley was spread over more than 5 ms: this machine starved the generator")


def test_a_list_is_run_one_after_another_and_passes(runs: Path) -> None:
    """Exit 0, two runs that share nothing, one report over both, no process left."""
    with locust(runs, *LIST) as process:
        started = processes_of(process)
        ended = process.wait()
    folder = latest(runs)
    planned = plan(folder)
    histories = [run_folder.read(runs / name) for name in of(planned, "run")]
    requests = [{r.name for r in h.resources or ()} for h in histories]
    skip_if_starved(runs)

    assert ended.code == 0, ended.output
    assert planned["ended"] == "completed"
    assert of(planned, "state") == ["PASS", "PASS"]
    assert [verdict(runs / name)["state"] for name in of(planned, "run")] == ["PASS", "PASS"]
    assert {path.name for path in folder.iterdir()} == FILES
    assert json.loads((folder / "verdict.json").read_text())["state"] == "PASS"
    assert len({h.run.run_id for h in histories}) == len({h.run.token for h in histories}) == 2
    assert all(requests)
    assert not requests[0] & requests[1]
    assert len(set(started)) >= 14
    assert alive(started) == []
    assert f"2 of 2: {NAME}" in ended.output
    assert "PASS: 2 of 2 scenarios passed; 0 of 22 acknowledged alerts lost" in ended.output
    assert f"report: {os.path.relpath(folder / 'report.html')}" in ended.output


def test_a_failed_entry_does_not_end_the_campaign_and_its_exit_code_is_the_worst(runs: Path) -> None:
    """The Gateway loses counts in conflicts: both entries are run, and each is convicted by count_exact."""
    with locust(runs, *LIST, "--chaos-start-args", "--gateway-defects count-lost-on-conflict") as process:
        ended = process.wait()
    planned = plan(latest(runs))
    found = [statuses(runs / name) for name in of(planned, "run")]

    assert ended.code == 1, ended.output
    assert planned["ended"] == "completed"
    assert of(planned, "state") == ["FAIL", "FAIL"]
    assert [each["count_exact"] for each in found] == ["FAIL", "FAIL"]
    assert f"{NAME} count_exact: " in ended.output
    assert f"{NAME} #2 count_exact: " in ended.output
    assert len(set(of(planned, "run"))) == 2


def test_an_interrupted_campaign_keeps_its_first_run_and_resume_runs_what_is_left(runs: Path) -> None:
    """Ctrl-C in the second entry: exit 3; resumed without naming a scenario, only that one is run again,
    with the options of the first time."""
    with locust(runs, *LIST, "--chaos-seed", "77") as process:
        until(lambda: f"2 of 2: {NAME}" in process.output() or process.process.poll() is not None)
        first = process.run_folder()
        until(lambda: process.run_folder() != first or process.process.poll() is not None)
        started = process.descendants()
        interrupt(process, signal.SIGINT)
        ended = process.wait()
    folder = latest(runs)
    before = plan(folder)
    skip_if_starved(runs)

    assert ended.code == 3, ended.output
    assert before["ended"] == "interrupted"
    assert of(before, "state") == ["PASS", "INVALID"]
    assert before["entries"][0]["run"] == first.name
    assert len(started) >= 7
    assert alive(started) == []
    assert "Traceback" not in ended.output

    with locust(runs, "--headless", "--chaos-resume", "latest") as process:
        resumed = process.wait()
    after = plan(folder)
    skip_if_starved(runs)

    assert resumed.code == 0, resumed.output
    assert latest(runs) == folder
    assert after["ended"] == "completed"
    assert of(after, "state") == ["PASS", "PASS"]
    assert after["entries"][0] == before["entries"][0]
    assert after["entries"][1]["run"] not in of(before, "run")
    assert [run_folder.read(runs / name).run.seed for name in of(after, "run")] == [77, 77]
    assert f"{NAME} is skipped: it ended PASS before" in resumed.output
    assert resumed.output.count("target is ready at") == 1
    assert "PASS: 2 of 2 scenarios passed" in resumed.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--chaos-scenario", f"{NAME},crd-update-conflict"],
            f"--chaos-scenario: unknown scenario 'crd-update-conflict'; did you mean '{NAME}'?",
        ),
        (["--chaos-resume", "none"], "--chaos-resume: none/campaign.json: cannot be read"),
    ],
)
def test_what_cannot_be_run_is_refused_as_a_whole(runs: Path, arguments: list[str], sentence: str) -> None:
    """One sentence, exit 2, and nothing is started, also not what stands before it in the list."""
    with locust(runs, "--headless", *arguments) as process:
        ended = process.wait()

    assert ended.code == 2, ended.output
    assert ended.output.startswith(f"alertstorm: {sentence}")
    assert ended.output.count("\n") == 1
    assert not runs.exists()


def test_a_campaign_whose_folder_takes_nothing_is_refused_and_ends(runs: Path) -> None:
    """A link that cannot be made is one sentence and exit 2; Locust does not wait for what never began."""
    (runs / "latest-campaign").mkdir(parents=True)
    with locust(runs, *LIST) as process:
        ended = process.wait()

    assert ended.code == 2, ended.output
    assert "latest-campaign: cannot be made a link (Is a directory); move it away" in ended.output
    assert "starting" not in ended.output
    assert "Traceback" not in ended.output


def given(runs: Path, **changes: Any) -> Options:
    """Return the options of a campaign of two, as they would be without any other."""
    plain = Options(
        scenario=f"{NAME},redis-master-failure",
        pace="quick",
        target="",
        target_url="",
        allow_target="",
        gateway_command="",
        gateway_port=0,
        start_args="",
        no_faults=False,
        runs_dir=str(runs),
        seed=-1,
        pattern="",
        rate="",
        count=0,
        duration="",
        alert_name="",
    )
    return replace(plain, **changes)


class StandIn:
    """A live run that ends when it is told to, or at once."""

    begun: list[StandIn]
    at_once = True

    def __init__(self, scenario: Any, *_: object) -> None:
        self.scenario = scenario
        self.result: Result | None = None
        self.reasons: list[str] = []
        self.carried = gevent.event.Event()
        self._over = gevent.event.Event()
        self.begun.append(self)
        if self.at_once:
            self.end()

    def emit(self) -> None:
        self.carried.set()

    def end(self, error: str = "stands in") -> None:
        self.result = Result(None, None, error)
        self._over.set()

    def join(self) -> None:
        self._over.wait()

    def break_off(self, reason: str) -> None:
        self.reasons.append(reason)
        self.end(reason)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """Let campaigns run stand-ins, and return their class, whose `begun` lists them."""

    class Fresh(StandIn):
        begun: list[StandIn] = []

    monkeypatch.setattr(campaign, "LiveRun", Fresh)
    return Fresh


@pytest.fixture
def entries(runs: Path) -> list[Entry]:
    """Return two entries that could be run."""
    asked = given(runs)
    return planning.entries(asked, asked)


def begin(
    entries: list[Entry],
    runs: Path,
    said: list[str] | None = None,
    finished: Callable[[int, Result], None] = lambda _index, _result: None,
) -> CampaignRun:
    """Begin a campaign that tells nobody."""
    say = said.append if said is not None else lambda _sentence: None
    return CampaignRun(entries, given(runs), say, lambda *_: None, finished)


def wait_over(run: CampaignRun) -> None:
    """Carry the campaign's load to its end, as Locust's user does, or fail the test."""
    with gevent.Timeout(WITHIN_S):
        run.emit()
    assert run.is_over()


def test_a_scenario_that_the_target_does_not_support_is_skipped_with_the_reason(
    runs: Path, stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not run, is recorded as SKIPPED, and a campaign of nothing else never passes."""
    reason = "this release has no breaker"
    real = target.find
    unsupported = {"redis-master-failure": reason}
    monkeypatch.setattr(
        planning.target, "find", lambda *where: replace(real(*where), unsupported=unsupported)
    )
    asked = given(runs)
    planned = planning.entries(asked, asked)
    said: list[str] = []
    run = begin(planned, runs, said)
    wait_over(run)
    record = CampaignRecord.begin(runs, planned[1:], asked)
    record.end("completed")
    judged = campaign_writing.write_all(record.folder)

    assert [entry.skip for entry in planned] == ["", reason]
    assert [each.scenario.name for each in stand_in.begun] == [NAME]
    assert set(run.results) == {0}
    assert f"redis-master-failure is skipped: {reason}" in said
    assert [(e.state, e.reason) for e in judged.entries] == [(EntryState.SKIPPED, reason)]
    assert (judged.exit_code, judged.counts.passed) == (3, 0)


def test_every_entry_is_run_also_after_one_that_could_not_begin(
    runs: Path, stand_in: type[StandIn], entries: list[Entry]
) -> None:
    """Each is told of as it ends, with its index, and carried once."""
    told: list[int] = []
    run = begin(entries, runs, finished=lambda index, _: told.append(index))
    wait_over(run)

    assert [each.scenario.name for each in stand_in.begun] == [NAME, "redis-master-failure"]
    assert told == [0, 1]
    assert run.ended == "completed"


def test_broken_off_before_it_begins_nothing_is_run(
    runs: Path, stand_in: type[StandIn], entries: list[Entry]
) -> None:
    """The campaign's greenlet had no turn yet."""
    run = begin(entries, runs)
    with gevent.Timeout(WITHIN_S):
        run.break_off("changed my mind")

    assert run.is_over()
    assert stand_in.begun == []
    assert run.results == {}
    assert run.ended == "interrupted"


def test_broken_off_in_the_first_run_the_second_is_not_begun(
    runs: Path, stand_in: type[StandIn], entries: list[Entry]
) -> None:
    """The run that goes on is ended, its result is kept, and the carrier is let go."""
    stand_in.at_once = False
    run = begin(entries, runs)
    carrier = gevent.spawn(run.emit)
    with gevent.Timeout(WITHIN_S):
        while not stand_in.begun:
            gevent.sleep()
        stand_in.begun[0].carried.wait()
        run.break_off("Ctrl-C")
        carrier.join()

    assert [each.reasons for each in stand_in.begun] == [["Ctrl-C"]]
    assert set(run.results) == {0}
    assert (run.ended, run.broken_off) == ("interrupted", "Ctrl-C")


def test_broken_off_after_its_end_it_stays_completed(
    runs: Path, stand_in: type[StandIn], entries: list[Entry]
) -> None:
    """Locust stops every test, also one that is over."""
    run = begin(entries, runs)
    wait_over(run)
    run.break_off("stopped by the user")

    assert (run.ended, run.broken_off) == ("completed", "")
    assert [each.reasons for each in stand_in.begun] == [[], []]


def test_a_disk_that_takes_no_record_ends_the_campaign_and_is_told(
    runs: Path, stand_in: type[StandIn], entries: list[Entry]
) -> None:
    """No further entry is begun; nobody waits for ever, and it is not called completed."""

    def full(_index: int, _result: Result) -> None:
        raise RecordError("campaign.json: cannot be written (No space left on device); make room")

    said: list[str] = []
    run = begin(entries, runs, said, full)
    wait_over(run)

    assert len(stand_in.begun) == 1
    assert said[-1] == "alertstorm: " + run.problem
    assert run.problem == "campaign.json: cannot be written (No space left on device); make room"
    assert run.ended == "failed"


def test_what_nobody_expected_ends_the_campaign_too(
    runs: Path, stand_in: type[StandIn], entries: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug is shown with its traceback, and does not let Locust wait for ever."""

    def broken(_index: int, _result: Result) -> None:
        raise KeyError("a bug")

    run = begin(entries, runs, finished=broken)
    wait_over(run)
    gevent.sleep()

    assert len(stand_in.begun) == 1
    assert run.ended == "failed"
    assert "KeyError: 'a bug'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (run_folder.FolderError("run.json: is missing"), "run.json: is missing"),
        (KeyError("a bug"), "internal error: KeyError: 'a bug'"),
    ],
)
def test_a_run_that_cannot_be_judged_is_told_and_does_not_keep_the_next_from_being_run(
    runs: Path,
    entries: list[Entry],
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
    told: str,
) -> None:
    """It has a result, without a verdict and with the reason."""

    def broken(_folder: Path) -> None:
        raise problem

    def bench(*_: object) -> MagicMock:
        # Nothing is prepared, sent or stopped; all that is left of the run is that it began.
        return MagicMock(
            began=True, emitter=None, folder=runs, prepare=MagicMock(side_effect=SetupError("no"))
        )

    monkeypatch.setattr(live_run, "Workbench", bench)
    monkeypatch.setattr(live_run.writing, "write_all", broken)
    run = begin(entries, runs)
    wait_over(run)

    assert run.results == {n: Result(runs, None, f"no; {told}") for n in (0, 1)}
    assert run.ended == "completed"


def test_the_record_raises_what_the_campaign_expects_when_the_disk_is_full(
    runs: Path, entries: list[Entry]
) -> None:
    """The file before stays whole, so that what was recorded can still be read and gone on with."""
    record = CampaignRecord.begin(runs, entries, given(runs))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(RecordError, match=r"cannot be written \(File too large\); make room"):
            record.finished(0, Result(None, None, "no Redis"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    kept = campaign_plan.read_plan(record.folder)
    assert [entry.state for entry in kept.entries] == [EntryState.NOT_RUN, EntryState.NOT_RUN]
    assert kept.ended == ""


def test_resume_leaves_out_what_has_a_result_and_a_refused_resume_changes_nothing(
    runs: Path, entries: list[Entry]
) -> None:
    """INVALID and never run are left; SKIPPED, PASS, FAIL and UNKNOWN are not."""
    record = CampaignRecord.begin(runs, [entries[0]] * 6, given(runs))
    states = tuple(EntryState)
    record.plan = replace(
        record.plan,
        entries=tuple(replace(e, state=s) for e, s in zip(record.plan.entries, states, strict=True)),
    )
    record.end("interrupted")
    written = (record.folder / "campaign.json").read_bytes()
    again = campaign_record.read(runs, "latest")
    by_id = campaign_record.read(runs, record.plan.campaign_id)
    resumed = planning.resumed(again, given(runs, scenario="", resume="latest"))

    assert again.plan == by_id.plan == record.plan
    assert {s for s, e in zip(states, resumed, strict=True) if not e.skip} == {
        EntryState.NOT_RUN,
        EntryState.INVALID,
    }
    assert resumed[states.index(EntryState.FAIL)].skip == "it ended FAIL before"
    assert (record.folder / "campaign.json").read_bytes() == written
    again.reopen()
    assert plan(record.folder)["ended"] == ""


def test_resume_takes_the_options_from_the_record_unless_they_are_given_again(
    runs: Path, entries: list[Entry]
) -> None:
    """All of them but for where the runs are; a record of before there were any takes what is given."""
    first = given(runs, seed=7, start_args="--redis-layout through", no_faults=True, target_url="http://a")
    record = CampaignRecord.begin(runs, entries, first)
    again = campaign_record.read(runs, "latest")
    second = given(runs / "..", scenario="", resume="latest", target_url="http://b")

    assert again.plan.options == record.plan.options
    assert campaign_record.options_of(again.plan, second) == replace(
        first, resume="latest", runs_dir=second.runs_dir, target_url="http://b"
    )
    assert campaign_record.options_of(replace(again.plan, options={}), second) == second
