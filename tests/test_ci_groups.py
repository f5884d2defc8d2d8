"""Under GitHub Actions: what a run says is folded in a group, what everybody must see is not."""

from __future__ import annotations

import io
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from locust_process import HOME, SHORT, headless, interrupt, locust

from chaos_hooks.progress import Progress

CI = {"GITHUB_ACTIONS": "true"}
STATISTICS = "Locust's own statistics"
_PROGRESS = re.compile(
    r"\[ *\d+\.\ds/\d+s\] |fault .* (injected|healed)|breaker: |starting |target is ready|swept "
)


def split(output: str) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Return the groups, each with its title and lines, and the lines outside of them. Groups do not nest at
    GitHub, and one that is not ended folds the rest of the log."""
    groups: list[tuple[str, list[str]]] = []
    outside: list[str] = []
    inside = False
    for line in output.splitlines():
        if line.startswith("::group::"):
            assert not inside, output
            inside = True
            groups.append((line.removeprefix("::group::"), []))
        elif line == "::endgroup::":
            assert inside, output
            inside = False
        elif inside:
            groups[-1][1].append(line)
        else:
            outside.append(line)
    assert not inside, output
    return groups, outside


def folded_rightly(output: str, *titles: str) -> list[str]:
    """Assert that all progress is in the groups of these titles; return what is outside."""
    groups, outside = split(output)
    assert [title for title, _ in groups] == [*titles, STATISTICS], output
    assert [line for line in outside if _PROGRESS.match(line)] == [], output
    assert all(lines[0].startswith("starting ") for _, lines in groups[:-1]), output
    return outside


def test_a_whole_run_is_one_group_and_its_verdict_stands_outside(tmp_path: Path) -> None:
    """From its first line to its last; sentence, criteria and the report's place are not folded."""
    ended = headless(tmp_path / "runs", env=CI)
    outside = folded_rightly(ended.output, "short (quick)")

    assert ended.code == 0, ended.output
    assert next(line for line in outside if line).startswith("PASS: 0 of 200 acknowledged alerts lost")
    assert sum(line.startswith("PASS     ") for line in outside) == 13
    assert outside[-1].startswith("report: ")


def test_a_run_that_is_broken_off_leaves_no_group_open(tmp_path: Path) -> None:
    """Ctrl-C in the middle of the fault."""
    with locust(tmp_path / "runs", "--headless", "--chaos-scenario", SHORT, env=CI) as process:
        process.wait_for("injected: redis-0")
        interrupt(process, signal.SIGINT)
        ended = process.wait()
    outside = folded_rightly(ended.output, "short (quick)")

    assert ended.code == 3, ended.output
    assert any(line.startswith("INVALID, neither passed nor failed") for line in outside)


def test_each_run_of_a_campaign_has_a_group_and_what_became_of_it_stands_after_it(tmp_path: Path) -> None:
    """Here both cannot begin; the campaign's verdict is not folded either."""
    names = ["redis-master-failure", "buffer-expiration"]
    arguments = ("--chaos-scenario", ",".join(names), "--chaos-gateway-command", "false")
    with locust(tmp_path / "runs", "--headless", *arguments, env=CI) as process:
        ended = process.wait()
    outside = folded_rightly(ended.output, *(f"{name} (quick)" for name in names))

    assert ended.code == 3, ended.output
    assert [line for line in outside if line.startswith(("1 of 2: ", "2 of 2: "))] == [
        f"{k} of 2: {name}" for k, name in enumerate(names, start=1)
    ]
    assert sum("gateway" in line for line in outside) >= 2, ended.output
    assert any(line.startswith("UNDECIDED: ") for line in outside), ended.output


def progress(monkeypatch: pytest.MonkeyPatch, *, in_ci: bool) -> tuple[Progress, io.StringIO]:
    monkeypatch.setenv("GITHUB_ACTIONS", "true" if in_ci else "")
    stream = io.StringIO()
    return Progress(stream), stream


def test_a_group_is_ended_by_the_next_one_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended twice is ended once."""
    shown, stream = progress(monkeypatch, in_ci=True)
    scenarios: list[Any] = [SimpleNamespace(name=name, pace="quick") for name in ("a", "b")]
    for scenario in scenarios:
        shown.group_of(scenario)
        shown.say("said")
    shown.end_group()
    shown.end_group()

    assert stream.getvalue().splitlines() == [
        *("::group::a (quick)", "said", "::endgroup::"),
        *("::group::b (quick)", "said", "::endgroup::"),
    ]


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("::error::planted", ": :error::planted"),
        ("fine\n  ::set-output name=x::y", "fine\n  : :set-output name=x::y"),
        ("got ##[add-mask]x", "got ## [add-mask]x"),
        ("2001:db8::1 is an address", "2001:db8::1 is an address"),
    ],
)
def test_no_text_of_others_is_a_command_to_the_runner(
    monkeypatch: pytest.MonkeyPatch, said: str, printed: str
) -> None:
    """A Gateway's answer may hold anything; the runner reads commands from the log."""
    shown, stream = progress(monkeypatch, in_ci=True)
    shown.say(said)

    assert stream.getvalue() == printed + "\n"


def test_elsewhere_there_are_no_groups_and_text_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that nobody folds has no marks."""
    shown, stream = progress(monkeypatch, in_ci=False)
    shown.group("a")
    shown.say("::x")
    shown.end_group()

    assert stream.getvalue() == "::x\n"


def test_what_is_documented() -> None:
    """The page on reports tells of it."""
    assert "`::group::`" in (HOME / "docs/reports.md").read_text()
