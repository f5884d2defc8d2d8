"""The verdict: the worst finding wins, a proven loss stays a loss, and what is missing never passes."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import histories
import pytest
from histories import attempt, history, injection, resource, told
from readings import breaker, fault, one, ready, seen

from reports import criteria, verdict
from reports.criteria import breaker_opens, ledger_whole, zero_loss
from reports.finding import Finding, Status, passed
from reports.history import Asked, History, Outcome
from reports.signals import CLOSED
from reports.verdict import State, judge

SHUT = seen(breaker({0.0: CLOSED}), ready(), promises=one("breaker_opens", within_s=5.0))
LOST = history(lost=(1,))
TWINS = replace(history(), resources=(*(history().resources or ()), resource(0, name="rr-again")))
ASSUMED = ("fault_bit", "load_on_time", "ledger_whole")


def statuses(found: verdict.Verdict) -> dict[str, Status]:
    return {finding.criterion: finding.status for finding in found.findings}


def test_a_pass() -> None:
    """Every promise and every assumption, each with its name and promise, and a bound instead of a claim."""
    found = judge(history())
    assert (found.state, found.exit_code) == (State.PASS, 0)
    assert found.sentence == "PASS: 0 of 3 acknowledged alerts lost, at most 63.16% at 95 %."
    assert found.loss_bound == pytest.approx(1 - 0.05 ** (1 / 3))
    assert set(statuses(found)) == {asked.criterion for asked in histories.EVERY} | set(ASSUMED)
    assert set(statuses(found).values()) == {Status.PASS}
    assert [f.criterion for f in found.findings[:3]] == list(ASSUMED)
    assert {f.criterion for f in found.findings if f.assumption} == set(ASSUMED)
    assert {f.criterion for f in found.findings if f.conclusive} == {"zero_loss", "no_duplicates"}
    assert all(f.promise.endswith((".", ":")) or f.promise for f in found.findings)


def test_worst_first() -> None:
    """FAIL, then UNKNOWN, then PASS; of equals the assumptions first, else as the scenario asks."""
    mixed = replace(LOST, sealed=False, observations=())
    found = judge(mixed)
    order = [f.status for f in found.findings]
    assert order == sorted(order, key=[Status.FAIL, Status.UNKNOWN, Status.PASS].index)
    assert [f.criterion for f in found.findings][:4] == [
        "zero_loss",
        "ledger_whole",
        "breaker_opens",
        "fallback_seen",
    ]


UNMET: dict[str, dict[str, Any]] = {
    "unsealed": {"sealed": False},
    "interrupted": {"ended": "interrupted"},
    "torn": {"damage": ("ledger.jsonl: line 9 is torn",)},
    "fault that did not bite": {"injections": (injection(bit=False),)},
    "no injection": {"injections": ()},
}


@pytest.mark.parametrize("name", UNMET)
def test_a_proven_loss_stays_a_loss(name: str) -> None:
    """zero_loss and no_duplicates convict although an assumption does not hold."""
    for guilty, criterion in ((LOST, "zero_loss"), (TWINS, "no_duplicates")):
        found = judge(replace(guilty, **UNMET[name]))
        assert (found.state, found.exit_code) == (State.FAIL, 1)
        assert statuses(found)[criterion] is Status.FAIL


def test_late_load_does_not_excuse_a_loss() -> None:
    """The third assumption."""
    late = tuple(replace(a, begun_s=a.due_s + 9) for a in LOST.attempts)
    assert statuses(judge(replace(LOST, attempts=late)))["load_on_time"] is Status.UNKNOWN
    assert judge(replace(LOST, attempts=late)).state is State.FAIL


@pytest.mark.parametrize("name", UNMET)
def test_a_breaker_is_not_convicted_by_a_run_that_rests_on_nothing(name: str) -> None:
    """The same breaker fails in a run that holds, and makes none in one that does not."""
    assert judge(SHUT).state is State.FAIL
    changes = UNMET[name]
    if changes.get("injections"):
        changes = {"injections": (fault(bit=False),)}
    found = judge(replace(SHUT, **changes))
    assert (found.state, found.exit_code) == (State.INVALID, 3)
    assert found.sentence.startswith("INVALID, neither passed nor failed: ")


def test_the_sentences() -> None:
    """Each state names who is to blame, and what was got."""
    undecided = history(injections=(injection(ended=None),))
    invalid = history(injections=(injection(bit=False),))
    assert judge(LOST).sentence == "FAIL: 1 of 3 acknowledged alerts lost. Convicted by zero_loss."
    assert judge(SHUT).sentence == (
        "FAIL: 0 of 8 acknowledged alerts lost, at most 31.24% at 95 %. Convicted by breaker_opens. "
        "breaker_opens: still not open after 7.7 s."
    )
    assert judge(undecided).sentence == "UNDECIDED: recovery: the fault was never healed."
    assert judge(invalid).sentence == (
        "INVALID, neither passed nor failed: fault_bit: 0 did; redis-down: no effect was seen."
    )
    assert (judge(undecided).state, judge(undecided).exit_code) == (State.UNKNOWN, 3)


def test_a_bound_is_claimed_only_of_a_truth_that_held_still() -> None:
    """Not of one that lost, was never read, or still moved."""
    assert judge(history()).loss_bound is not None
    for without in (LOST, history(resources=None), history(stable=False), history(0, unsent=1)):
        assert judge(without).loss_bound is None


def test_assumptions_are_asked_of_every_run() -> None:
    """Also if the scenario asks for nothing, once if it asks for them itself, with its own options."""
    assert [f.criterion for f in judge(history(promises=())).findings] == list(ASSUMED)
    own = history(promises=one("load_on_time", p99_s=0.0001))
    found = judge(own)
    assert [f.criterion for f in found.findings if f.criterion == "load_on_time"] == ["load_on_time"]
    assert found.state is State.INVALID


def test_a_scenario_without_faults_need_not_bite() -> None:
    """But one whose faults were switched off shows nothing."""
    calm = history(promises=one("zero_loss"), injections=(), run_changes={"faults_planned": 0})
    off = replace(calm, run=replace(calm.run, faults_planned=1, faults_disabled=True))
    none_off = replace(calm, run=replace(calm.run, faults_disabled=True))
    assert judge(calm).state is State.PASS
    assert judge(off).state is State.INVALID
    assert judge(none_off).state is State.INVALID


def test_zero_loss_alone_does_not_pass_an_empty_run() -> None:
    """No alert acknowledged, no alert sent, no alert planned."""
    for empty in (history(0, unsent=3), history(0, rejected_safe=3), told(resources=())):
        asked = replace(empty, run=replace(empty.run, promises=one("zero_loss")))
        assert judge(asked).exit_code == 3


def _raises(history: History, *, within_s: float = 0.0) -> Finding:
    raise LookupError("planted")


def test_a_criterion_that_raises_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its name and promise, passes nothing, and the others are still asked."""
    monkeypatch.setattr(breaker_opens, "check", _raises)
    found = judge(history())
    assert found.state is State.UNKNOWN
    assert found.findings[0] == Finding(
        Status.UNKNOWN,
        "an answer",
        "the criterion crashed: LookupError: planted",
        0,
        mend="report it as a bug of alertstorm, with the run folder",
        criterion="breaker_opens",
        promise="The circuit breaker opens soon after its dependency fails.",
    )
    assert len(found.findings) == len(histories.EVERY) + 3


def test_an_assumption_that_raises_makes_the_run_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    """It did not hold; and a conclusive criterion that raises convicts nobody."""
    monkeypatch.setattr(ledger_whole, "check", _raises)
    assert judge(history()).state is State.INVALID
    monkeypatch.undo()
    monkeypatch.setattr(zero_loss, "check", _raises)
    assert judge(LOST).state is State.UNKNOWN


def test_no_pass_rests_on_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PASS without a sample cannot be made; a criterion that tries, or answers nonsense, is undecided."""
    with pytest.raises(ValueError, match="a PASS that rests on 0 samples: w"):
        passed("w", "g", 0)
    with pytest.raises(ValueError, match="a PASS that rests on -1 samples: w"):
        Finding(Status.PASS, "w", "g", -1)
    for nonsense in (lambda history: Finding(Status.PASS, "w", "g", 0), lambda history: None):
        monkeypatch.setattr(zero_loss, "check", nonsense)
        assert statuses(judge(history()))["zero_loss"] is Status.UNKNOWN


def test_a_module_that_is_no_criterion_is_undecided(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A file that cannot be imported, or lacks docstring or check, does not end the judging."""
    (tmp_path / "broken.py").write_text("def check(:\n")
    (tmp_path / "bare.py").write_text("x = 1\n")
    (tmp_path / "mute.py").write_text(
        "from reports.finding import passed\ndef check(history):\n    return passed('w', 'g', 1)\n"
    )
    monkeypatch.setattr(criteria, "__path__", [*criteria.__path__, str(tmp_path)])
    asked = tuple(Asked(name, {}) for name in ("broken", "bare", "mute"))
    found = {f.criterion: f for f in judge(history(promises=asked)).findings}
    assert found["broken"].got.startswith("the criterion crashed: SyntaxError")
    assert found["bare"].got.startswith("the criterion crashed: AttributeError")
    assert (found["mute"].status, found["mute"].promise) == (Status.PASS, "")


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (Asked("zero_los", {}), "unknown criterion 'zero_los'; there are: all_created, "),
        (Asked("zero_loss", {"x": 1}), "zero_loss: unknown option 'x'; it takes: (none)"),
        (Asked("breaker_opens", {}), "breaker_opens: option 'within_s' is missing"),
        (Asked("recovery", {"within": 1}), "recovery: unknown option 'within'; it takes: after, component, "),
    ],
)
def test_what_does_not_exist_is_undecided_and_lists_what_does(asked: Asked, got: str) -> None:
    """A record may name what this version does not know."""
    found = judge(history(promises=(asked,)))
    assert found.state is State.UNKNOWN
    assert found.findings[0].got.startswith(got)
    assert found.findings[0].mend == "mend the scenario's criteria"


def test_an_option_of_the_wrong_kind_is_undecided() -> None:
    """Text where a number belongs."""
    found = judge(history(promises=one("breaker_opens", within_s="5s")))
    assert (found.state, found.findings[0].status) == (State.UNKNOWN, Status.UNKNOWN)


@pytest.mark.parametrize("name", verdict.criterion_names())
def test_every_criterion_promises_something(name: str) -> None:
    """The first line of its docstring is a sentence."""
    module: ModuleType = __import__(f"reports.criteria.{name}", fromlist=["check"])
    first = (module.__doc__ or "").splitlines()[0]
    assert first[0].isupper()
    assert first.endswith(".")


def test_innocent_trouble_passes() -> None:
    """Clean 503s, timeouts and refused connections while the fault is on, each within its limits."""
    trouble = history(8, rejected_safe=9, indeterminate=3, unsent=2)
    found = judge(trouble)
    assert (found.state, found.account.indeterminate) == (State.PASS, 3)
    assert statuses(judge(replace(trouble, attempts=(*trouble.attempts, attempt(22, Outcome.ACKED))))) != (
        statuses(found)
    )
