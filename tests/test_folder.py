"""The run's folder: what the live run writes is read back, and what is torn or missing never passes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import histories
import pytest
from histories import attempt, history, injection, resource
from live_folder import live, to_the_microsecond

from reports import folder, truth_file, writing
from reports.criteria import ledger_whole
from reports.folder import FolderError
from reports.history import Attempt, History, Member, Outcome, Resource
from reports.verdict import State, judge

LINES = ("observations.jsonl", "injections.jsonl")
DOCUMENTS = ("truth.json", "end.json")
UNKNOWABLE = replace(
    history(),
    attempts=tuple(
        attempt(n, outcome, subject=n // 2, detail='é \u2028 "quoted"\n')
        for n, outcome in enumerate((Outcome.ACKED, *Outcome))
    ),
    resources=(resource(0, count=3), resource(1, creator=None, aggregated=(1, 2))),
    injections=(injection(), injection(name="b", began=None, ended=None, bit=None, error="no such pod")),
    run=histories.run(planned=5, faults_planned=2),
    ended="failed",
    ended_detail="the disk is full",
    stable=False,
)


@pytest.mark.parametrize("told", [history(), UNKNOWABLE, replace(UNKNOWABLE, sealed=False)])
def test_what_the_live_run_wrote_is_read_back(tmp_path: Path, told: History) -> None:
    """Every field of it; of an injection's lines the last one counts."""
    assert folder.read(live(told, tmp_path / "run")) == to_the_microsecond(told)


def test_only_the_description_is_there_yet(tmp_path: Path) -> None:
    """A run that was killed at once: nothing was sent, nothing is known, nothing is damaged."""
    folder.write_run(tmp_path, histories.run(planned=2))
    assert folder.read(tmp_path) == History(
        run=histories.run(planned=2),
        attempts=tuple(Attempt(n, n, "", 0.0, Outcome.UNSENT, "stopped") for n in range(2)),
    )
    assert judge(folder.read(tmp_path)).state is State.INVALID


def tear(path: Path, keep: int) -> None:
    """Leave the first bytes of a file."""
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize("name", LINES)
def test_a_torn_last_line_leaves_the_record_undecided(tmp_path: Path, name: str) -> None:
    """Wherever it is cut: the rest is read, the damage is named, and ledger_whole does not hold."""
    path = live(history(), tmp_path / "run")
    whole = folder.read(path)
    data = (path / name).read_bytes()
    lines = data.splitlines(keepends=True)
    first = len(data) - len(lines[-1])
    for keep in (first + 1, *range(first + 2, len(data) - 2, 9), len(data) - 2):
        tear(path / name, keep)
        torn = folder.read(path)
        found = ledger_whole.check(torn)
        assert torn.damage == (f"{name}: line {len(lines)} is torn",)
        assert torn.damage[0] in found.got
        assert judge(torn).state is State.INVALID
        (path / name).write_bytes(data)
    tear(path / name, len(data) - 1)
    assert folder.read(path) == whole


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_torn_document_leaves_the_record_undecided(tmp_path: Path, name: str) -> None:
    """They are renamed into place whole, so a torn one was damaged later; empty is torn, too."""
    path = live(history(), tmp_path / "run")
    data = (path / name).read_bytes()
    for keep in (0, 1, len(data) // 2, len(data) - 2):
        tear(path / name, keep)
        torn = folder.read(path)
        assert [line.partition(":")[0] for line in torn.damage] == [name]
        assert judge(torn).state is State.INVALID
        (path / name).write_bytes(data)
    (path / name).write_bytes(b"\xff" + data)
    assert len(folder.read(path).damage) == 1


@pytest.mark.parametrize("name", [*LINES, *DOCUMENTS])
def test_a_file_that_is_missing_is_never_a_pass(tmp_path: Path, name: str) -> None:
    """Not written yet, or lost."""
    path = live(history(), tmp_path / "run")
    assert judge(folder.read(path)).state is State.PASS
    (path / name).unlink()
    assert judge(folder.read(path)).state in (State.INVALID, State.UNKNOWN)


@pytest.mark.parametrize("line", ["12", "null", '"r"', "[]", "\x00\x00\x00"])
def test_a_line_that_is_no_object_is_torn(tmp_path: Path, line: str) -> None:
    """As a disk may leave it; the lines after it are still read."""
    path = live(history(), tmp_path / "run")
    for name in LINES:
        text = (path / name).read_text()
        (path / name).write_text(f"{line}\n{text}")
    torn = folder.read(path)
    assert sorted(torn.damage) == sorted(f"{name}: line 1 is torn" for name in LINES)
    assert replace(torn, damage=()) == to_the_microsecond(history())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read (No such file or directory); name a run's folder"),
        ("", "is not a run's description (Expecting value: line 1 column 1 (char 0)); name a run's folder"),
        ("[]", "is not a run's description ("),
        ("{}", "is not a run's description ('format'); name a run's folder"),
        ('{"format": 2}', "was written in another format than 1; use that version"),
        ('{"format": 1, "phases": [], "promises": []}', "is not a run's description ("),
        ('{"format": 1, "phases": [{"from": 1}], "promises": []}', "is not a run's description ("),
    ],
)
def test_a_folder_without_a_description_is_no_run(tmp_path: Path, text: str | None, words: str) -> None:
    """One sentence with the file's name."""
    path = live(history(), tmp_path / "run") / "run.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(FolderError) as raised:
        folder.read(path.parent)
    assert str(raised.value).startswith(f"{path}: {words}")


def test_the_stored_sentence(tmp_path: Path) -> None:
    """For lists; a run without one, or with a torn one, did not get that far."""
    none = "no verdict: the run did not get that far"
    assert writing.stored_sentence(tmp_path) == none
    for text, sentence in (('{"sentence": "PASS."}', "PASS."), ("{", none), ("[]", none), ("{}", none)):
        (tmp_path / "verdict.json").write_text(text)
        assert writing.stored_sentence(tmp_path) == sentence


def test_the_truth_has_a_line_for_each_and_an_older_form_is_read_too(tmp_path: Path) -> None:
    """Both are the same JSON document; a line that is cut off is damage, and nothing was read then."""
    storm = histories.resource(1, aggregated=(1, 2), members=(Member(1, 1, 2),), differs=("labels.severity",))
    store = [histories.resource(0), storm]
    truth_file.write(tmp_path, store, stable=True, watched={"deleted": 1})
    path = tmp_path / truth_file.FILE
    text = path.read_text()
    assert (len(text.splitlines()), json.loads(text)["watched"]) == (4, {"deleted": 1})
    assert truth_file.read(tmp_path, []) == (tuple(store), True)

    path.write_text(json.dumps(json.loads(text), indent=1))
    assert truth_file.read(tmp_path, []) == (tuple(store), True)

    for torn in (text[:-3], text[:-40], text[:30]):
        path.write_text(torn)
        damage: list[str] = []
        assert truth_file.read(tmp_path, damage) == (None, False)
        assert len(damage) == 1


@pytest.mark.parametrize("store", [[], [histories.resource(0)]])
def test_a_truth_of_none_is_no_damage(tmp_path: Path, store: list[Resource]) -> None:
    """Nothing was there, and that was read."""
    truth_file.write(tmp_path, store, stable=True)
    damage: list[str] = []
    assert json.loads((tmp_path / truth_file.FILE).read_text())["resources"] == [
        asdict(r) | {"aggregated": [], "members": []} for r in store
    ]
    assert (truth_file.read(tmp_path, damage), damage) == ((tuple(store), True), [])
