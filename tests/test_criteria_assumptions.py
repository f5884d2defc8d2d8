"""fault_bit, load_on_time and ledger_whole: what a run rests on; they never fail, they leave it undecided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from histories import attempt, history, injection, resource, told

from reports.criteria import fault_bit, ledger_whole, load_on_time
from reports.finding import Finding, Status
from reports.history import History, Outcome
from reports.workers import Worker

SEEN = "PING of 127.0.0.1:6379 refused at 2.05 s"
BIT_MEND = "see the injector's evidence and the logs of the run folder"


def faults(*injections: Any, planned: int = 1, disabled: bool = False) -> History:
    """Return a history with these injections of so many planned."""
    changes = {"faults_planned": planned, "faults_disabled": disabled}
    return history(injections=injections, run_changes=changes)


def test_a_fault_that_bit() -> None:
    """Its evidence is shown."""
    assert fault_bit.check(faults(injection())) == Finding(
        Status.PASS, "1 of 1 faults took effect", "1 did", 1, (f"redis-down: {SEEN}",)
    )


def test_all_faults_must_bite() -> None:
    """Named in order of time, whatever the order of the record."""
    both = (injection(name="b", asked_at_s=3.0), injection(name="a", asked_at_s=1.0, evidence=("gone",)))
    expected = Finding(Status.PASS, "2 of 2 faults took effect", "2 did", 2, ("a: gone", f"b: {SEEN}"))
    assert fault_bit.check(faults(*both, planned=2)) == expected
    assert fault_bit.check(faults(*reversed(both), planned=2)) == expected


NOT_BITTEN = {
    "looked for and not seen": (
        faults(injection(bit=False, evidence=())),
        "1 of 1",
        "0 did; redis-down: no effect was seen",
        0,
        (),
    ),
    "nobody could look": (
        faults(injection(bit=None, evidence=())),
        "1 of 1",
        "0 did; redis-down: no effect was seen",
        0,
        (),
    ),
    "not injected": (
        faults(injection(bit=False, began=None, evidence=(), error="no such component")),
        "1 of 1",
        "0 did; redis-down: no such component",
        0,
        (),
    ),
    "one of two": (
        faults(injection(), planned=2),
        "2 of 2",
        "1 did; 1 never injected",
        1,
        (f"redis-down: {SEEN}",),
    ),
    "none of any": (faults(planned=1), "1 of 1", "0 did; 1 never injected", 0, ()),
    "none planned": (faults(planned=0), "0 of 0", "0 did; ", 0, ()),
}


@pytest.mark.parametrize("name", NOT_BITTEN)
def test_a_fault_that_did_not_bite_proves_nothing(name: str) -> None:
    """Undecided, with the reason."""
    told_of, planned, got, samples, evidence = NOT_BITTEN[name]
    assert fault_bit.check(told_of) == Finding(
        Status.UNKNOWN, f"{planned} faults took effect", got, samples, evidence, BIT_MEND
    )


def test_faults_that_were_switched_off_prove_nothing() -> None:
    """Even if an injection should stand in the record."""
    assert fault_bit.check(faults(injection(), disabled=True)) == Finding(
        Status.UNKNOWN,
        "1 of 1 faults took effect",
        "faults were switched off",
        0,
        mend="run without --chaos-no-faults; this run shows only the load",
    )


ON_TIME = "all begun, p99 at most 250 ms late, none over 2000 ms"
E = 2**-10


def late(*late_s: float, planned: int | None = None) -> History:
    """Return a history of alerts that were begun so late."""
    attempts = tuple(attempt(n, begun_s=n + s, done_s=n + 9.0) for n, s in enumerate(late_s))
    plain = history(attempts=attempts)
    return replace(plain, run=replace(plain.run, planned=planned or len(late_s)))


@pytest.mark.parametrize(
    ("late_s", "status", "p99_s"),
    [
        ([0.25 - E], Status.PASS, 0.25 - E),
        ([0.25], Status.PASS, 0.25),
        ([0.25 + E], Status.UNKNOWN, 0.25 + E),
        # The nearest rank: of a hundred, one may be later; of ninety-nine, none.
        ([0.0] * 99 + [2.0], Status.PASS, 0.0),
        ([0.0] * 98 + [2.0], Status.UNKNOWN, 2.0),
        ([0.0] * 98 + [2.0, 2.0], Status.UNKNOWN, 2.0),
        ([0.0] * 99 + [2.0 + E], Status.UNKNOWN, 0.0),
        # A clock that is a hair early is not late.
        ([-0.125], Status.PASS, 0.0),
    ],
)
def test_load_on_time_at_the_margin(late_s: list[float], status: Status, p99_s: float) -> None:
    """99 of 100 within 250 ms, all within 2 s."""
    max_s = max(0.0, *late_s)
    count = len(late_s)
    assert load_on_time.check(late(*late_s)) == Finding(
        status,
        ON_TIME,
        f"{count} of {count} begun, p99 {p99_s * 1000:.1f} ms late, max {max_s * 1000:.1f} ms",
        count,
        mend="the generator was starved; give it a free core, or lower the rate"
        if status is Status.UNKNOWN
        else "",
        numbers={"p50_s": sorted([max(0.0, s) for s in late_s])[count // 2], "p99_s": p99_s, "max_s": max_s}
        | {"late": float(sum(s > 0.25 for s in late_s))},
    )


def test_a_wait_for_a_connection_is_told_beside_the_lateness() -> None:
    """Begun is when the generator took an alert up. Its bytes may go out much later, and latency counts that;
    of an alert that was sent again the later try says nothing of it."""
    waited = attempt(1, begun_s=1.0, sent_s=2.5, done_s=2.75)
    again = attempt(2, begun_s=2.0, sent_s=9.0, done_s=9.5, tries=2)
    found = load_on_time.check(told(attempt(0, begun_s=0.0), waited, again, resources=()))

    assert found.status is Status.PASS
    assert found.got == (
        "3 of 3 begun, p99 0.0 ms late, max 0.0 ms; sent up to 1.5 s after that, when a connection was free"
    )
    assert found.numbers["sent_after_max_s"] == 1.5


def test_an_alert_that_was_not_begun_leaves_the_load_undecided() -> None:
    """However punctual the others were; what the target did afterwards does not matter."""
    got = "2 of 3 begun, p99 0.0 ms late, max 0.0 ms"
    mend = "let the run end by itself, or find in the log what ended it"
    assert load_on_time.check(late(0.0, 0.0, planned=3)) == Finding(
        Status.UNKNOWN,
        ON_TIME,
        got,
        2,
        mend=mend,
        numbers={"p50_s": 0.0, "p99_s": 0.0, "max_s": 0.0} | {"late": 0.0},
    )
    timeouts = history(2, indeterminate=5, unsent=3, rejected_unsafe=2)
    assert load_on_time.check(timeouts).status is Status.PASS


def test_how_busy_the_senders_were_is_told_with_how_late_they_were() -> None:
    """Of workers the busiest; of one process its own; nothing where nobody recorded it."""
    used = {"cpu_s": 9.0, "over_s": 10.0, "memory_mib": 80.0}
    worker = Worker("a", "h", 1, 0.0, 0.0, 1, 0, "sealed", {**used, "cpu_s": 1.0})
    got = "1 of 1 begun, p99 0.0 ms late, max 0.0 ms"
    assert load_on_time.check(replace(late(0.0), used=used)).got == f"{got}; sent by 1 at 90% of a core"
    two = replace(late(0.0), used=used, workers=(worker, replace(worker, used=None)))
    assert load_on_time.check(two).got == f"{got}; sent by 2 at 10% of a core"


def test_no_load_is_not_on_time() -> None:
    """No alert was begun."""
    idle = told(attempt(0, Outcome.UNSENT, kind="stopped", begun_s=None), resources=())
    mend = "see the log for why the load never started"
    for nothing in (idle, history(attempts=())):
        assert load_on_time.check(nothing) == Finding(
            Status.UNKNOWN, ON_TIME, "no alert was begun", 0, mend=mend
        )


WHOLE = "a sealed ledger, an outcome for each alert, two equal readings of the truth"


def test_a_whole_record() -> None:
    """Whatever the outcomes: losses and timeouts are part of it."""
    for count, whole in (
        (3, history()),
        (9, history(4, lost=(1,), rejected_safe=1, indeterminate=2, rejected_unsafe=1, unsent=1)),
    ):
        assert ledger_whole.check(whole) == Finding(
            Status.PASS, WHOLE, f"{count} outcomes, sealed and stable", count
        )


DIED = "the run did not end by itself ({})"
NOT_WHOLE = {
    "torn": (history(damage=("ledger.jsonl: line 9 is torn",)), "ledger.jsonl: line 9 is torn"),
    "died": (history(ended=""), DIED.format("the process that ran it died")),
    "interrupted": (history(ended="interrupted"), DIED.format("interrupted")),
    "failed, and why": (history(ended="failed", ended_detail="disk full"), DIED.format("disk full")),
    "unsealed": (history(sealed=False), "the ledger is not sealed"),
    "a dead worker": (
        replace(history(), workers=(Worker("worker-1", "h", 7, 0.0, 0.001, 9, 0, "dead"),)),
        "worker-1 did not seal its ledger (dead)",
    ),
    "truth not read": (history(resources=None), "the RemediationRequests were not read"),
    "truth unstable": (
        history(stable=False),
        "the RemediationRequests still changed between the last two readings",
    ),
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_is_missing_from_a_record_is_named(name: str) -> None:
    """One reason each."""
    broken, got = NOT_WHOLE[name]
    assert ledger_whole.check(broken) == Finding(
        Status.UNKNOWN, WHOLE, got, 3, (got,), "run it again, undisturbed"
    )


def test_numbers_that_do_not_fit_the_plan_are_named() -> None:
    """An alert too few, and one too many; then the sums do not agree either."""
    for count, attempts in ((1, (attempt(0),)), (3, (attempt(0), attempt(1), attempt(7)))):
        odd = replace(
            told(*attempts, resources=tuple(resource(a.number) for a in attempts)),
            run=history(2).run,
        )
        reasons = (f"{count} outcomes for 2 planned alerts", "the accounting sums do not agree")
        assert ledger_whole.check(odd) == Finding(
            Status.UNKNOWN, WHOLE, "; ".join(reasons), count, reasons, "run it again, undisturbed"
        )


def test_a_number_that_stands_for_another_is_no_outcome() -> None:
    """As many as planned, but one twice and one never."""
    odd = told(attempt(0), attempt(0), resources=(resource(0),))
    assert ledger_whole.check(odd).got.startswith("2 outcomes for 2 planned alerts")


def test_a_record_of_nothing_is_not_whole() -> None:
    """No alert planned, none recorded."""
    assert ledger_whole.check(told(resources=())) == Finding(
        Status.UNKNOWN, WHOLE, "no alert was recorded", 0, mend="run it again, undisturbed"
    )
