"""The undo journal: what earlier runs left on, however they ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos_hooks import journal
from chaos_hooks.errors import RecordError
from chaos_hooks.journal import Journal, Leftover


def run(runs: Path, name: str, *steps: tuple[str, str]) -> Path:
    """Write a run's journal as its Conductor does: ``inject`` or ``healed``, and a fault's name."""
    folder = runs / name
    folder.mkdir(parents=True, exist_ok=True)
    book = Journal(folder)
    for verb, fault in steps:
        if verb == "inject":
            book.injecting(fault, "process", {"component": fault, "of": name})
        else:
            book.healed(fault, "it is back")
    book.close()
    return folder


def test_leftovers_are_what_no_run_healed(tmp_path: Path) -> None:
    """Over several runs, in their order: healed ones are left out, and those injected again are in."""
    run(tmp_path, "1-whole", ("inject", "a"), ("healed", "a"))
    second = run(tmp_path, "2-broken", ("inject", "a"), ("inject", "b"), ("healed", "a"))
    third = run(tmp_path, "3-again", ("inject", "a"), ("healed", "a"), ("inject", "a"))
    (tmp_path / "4-without-a-journal").mkdir()

    assert list(journal.leftovers(tmp_path)) == [
        Leftover(second, "b", "process", {"component": "b", "of": "2-broken"}),
        Leftover(third, "a", "process", {"component": "a", "of": "3-again"}),
    ]


def test_no_folder_holds_no_leftovers(tmp_path: Path) -> None:
    """The first run of all has none before it."""
    assert list(journal.leftovers(tmp_path / "none")) == []


def test_the_link_to_the_latest_run_counts_nothing_twice(tmp_path: Path) -> None:
    """`latest` names a run that has its own folder."""
    folder = run(tmp_path, "1", ("inject", "a"))
    (tmp_path / "latest").symlink_to(folder.name)

    assert [left.folder for left in journal.leftovers(tmp_path)] == [folder]


@pytest.mark.parametrize(
    "torn", ['{"verb":"inje', '{"verb":"healed","fault":"a"', '{"verb":"inject","fault":"c', "{"]
)
def test_a_torn_last_line_costs_nothing_before_it(tmp_path: Path, torn: str) -> None:
    """What it was about to say did not happen yet: a fault is injected after its line, never before."""
    folder = run(tmp_path, "1", ("inject", "a"))
    with (folder / journal.NAME).open("a") as file:
        file.write(torn)

    assert [left.fault for left in journal.leftovers(tmp_path)] == ["a"]


def test_what_was_swept_is_left_over_no_more(tmp_path: Path) -> None:
    """Each fault by itself."""
    run(tmp_path, "1", ("inject", "a"), ("inject", "b"))
    first, second = journal.leftovers(tmp_path)
    journal.mark_swept(first, "its target is gone")

    assert list(journal.leftovers(tmp_path)) == [second]


def test_a_sweep_is_marked_behind_a_torn_line_too(tmp_path: Path) -> None:
    """Written onto the torn line, the mark would be torn itself, and the fault swept for ever."""
    folder = run(tmp_path, "1", ("inject", "a"))
    with (folder / journal.NAME).open("a") as file:
        file.write('{"verb":"heal')
    journal.mark_swept(next(journal.leftovers(tmp_path)), "it is back")

    assert list(journal.leftovers(tmp_path)) == []


def test_a_journal_that_cannot_be_marked_says_so(tmp_path: Path) -> None:
    """Its folder went meanwhile: one sentence with place and mend."""
    with pytest.raises(RecordError, match=r"gone/journal\.jsonl: cannot be written \(No such file"):
        journal.mark_swept(Leftover(tmp_path / "gone", "a", "process", {}), "it is back")


def test_a_living_runs_fault_is_no_leftover(tmp_path: Path) -> None:
    """Two runs share a folder: the second must not heal what the first has just injected."""
    living = tmp_path / "living"
    living.mkdir()
    book = Journal(living)
    book.injecting("a", "process", {})

    before = list(journal.leftovers(tmp_path))
    book.close()

    assert before == []
    assert [left.fault for left in journal.leftovers(tmp_path)] == ["a"]
