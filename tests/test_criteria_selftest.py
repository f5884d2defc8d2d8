"""Criteria that the selftest needs: each has a conviction, an innocent, and what it says of nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import attempt, history, injection, observations, resource, run, told

from reports.criteria import (
    breaker_spares,
    breaker_steady,
    count_exact,
    metrics_agree,
    payload_whole,
    pool_returns,
    ready_honest,
    refusal_status,
)
from reports.finding import Status
from reports.history import History, Observation, Outcome, Try

E = 1 / 1024


def scrapes(history_: History, *steps: tuple[float, dict[str, float]]) -> History:
    """Return a history whose metrics are these values, each from its time on, five times a second."""
    found = []
    for k in range(60):
        at_s = k / 5 - 1.0
        values = [v for from_s, v in steps if from_s <= at_s][-1]
        found.append(Observation("metrics", at_s, at_s + 0.01, True, values))
    others = tuple(o for o in history_.observations if o.probe != "metrics")
    return replace(history_, observations=(*others, *found))


def counted(received: float, created: float, doubled: float, **more: float) -> dict[str, float]:
    """Return what the counters show."""
    return {"received": received, "created": created, "deduplicated": doubled, "process_start": 1.0, **more}


def test_payload_whole() -> None:
    """What differs is named, most frequent first; a record in which nobody compared decides nothing."""
    whole = replace(history(2), resources=(resource(0, differs=()), resource(1, differs=None)))
    torn = replace(whole, resources=(resource(0, differs=("labels.pod", "payload")), resource(1, differs=())))
    bare = history(2)

    assert payload_whole.check(whole).status is Status.PASS
    found = payload_whole.check(torn)
    assert (found.status, found.got) == (Status.FAIL, "1 of 2 differ, in labels.pod, payload")
    assert found.examples == ("rr-0000: labels.pod, payload",)
    assert payload_whole.check(bare).status is Status.UNKNOWN
    assert payload_whole.check(replace(bare, resources=None)).status is Status.UNKNOWN


def test_refusal_status() -> None:
    """500 breaks the contract, 503 does not, 429 is another criterion's affair."""
    wrong = told(
        attempt(0), attempt(1, Outcome.REJECTED, status=500, detail="HTTP 500"), resources=(resource(0),)
    )
    found = refusal_status.check(wrong)

    assert (found.status, found.got) == (Status.FAIL, "1 of 1 refusals: 1 with 500")
    assert refusal_status.check(wrong, statuses=[500, 503]).status is Status.PASS
    assert refusal_status.check(history(2, rejected_safe=2, rejected_unsafe=1)).status is Status.PASS
    assert refusal_status.check(history(0, unsent=2)).status is Status.UNKNOWN


def test_pool_returns() -> None:
    """Full in every sample at the end is used up; one free connection in one of them is enough."""
    full, free = (
        {"redis_pool.active": 20.0, "redis_pool.max": 20.0},
        {
            "redis_pool.active": 19.0,
            "redis_pool.max": 20.0,
        },
    )

    found = pool_returns.check(scrapes(history(), (-1.0, free), (3.0, full)))
    assert (found.status, found.got.startswith("at least 20 of 20 in use")) == (Status.FAIL, True)
    assert pool_returns.check(scrapes(history(), (-1.0, full), (10.4, free))).status is Status.PASS
    assert pool_returns.check(history()).status is Status.UNKNOWN
    healed = replace(scrapes(history(), (-1.0, free)), injections=(injection(ended=None),))
    assert pool_returns.check(healed).status is Status.UNKNOWN


def test_breaker_steady() -> None:
    """An opening with no fault on, or long after one, and too many closings are convicted."""
    quiet = replace(history(), injections=(), run=run(faults_planned=0))
    closed = {"breaker_opened.redis": 0.0, "breaker_closed.redis": 0.0}

    def opened(at_s: float, closings: float = 1.0) -> tuple[float, dict[str, float]]:
        return at_s, {"breaker_opened.redis": closings, "breaker_closed.redis": closings}

    assert breaker_steady.check(scrapes(quiet, (-1.0, closed))).status is Status.PASS
    found = breaker_steady.check(scrapes(quiet, (-1.0, closed), opened(4.0)))
    assert (found.status, found.got) == (Status.FAIL, "opened 1 times without a fault, first by 4.01 s")
    assert breaker_steady.check(scrapes(history(), (-1.0, closed), opened(2.4))).status is Status.PASS
    assert breaker_steady.check(scrapes(history(), (-1.0, closed), opened(1.0))).status is Status.FAIL
    late = scrapes(history(), (-1.0, closed), opened(7.0))
    assert breaker_steady.check(late).status is Status.PASS
    assert breaker_steady.check(late, grace_s=1.0).status is Status.FAIL
    flaps = scrapes(history(), (-1.0, closed), opened(2.4, 4.0))
    assert breaker_steady.check(flaps).got == "it closed 4 times"
    assert breaker_steady.check(flaps).status is Status.FAIL
    assert breaker_steady.check(flaps, at_most=4).status is Status.PASS
    assert breaker_steady.check(scrapes(quiet, (-1.0, {}))).status is Status.UNKNOWN
    assert breaker_steady.check(replace(quiet, observations=())).status is Status.UNKNOWN


def test_breaker_spares() -> None:
    """Errors while it is open are convicted; those of trials, each of which opens it again, are not."""

    def shown(leaks: float, opens_too: float) -> History:
        steps = [(-1.0, {"breaker.redis": 0.0, "redis_errors": 0.0, "breaker_opened.redis": 0.0})]
        for k in range(13):
            values = {"redis_errors": 3 + leaks * k, "breaker_opened.redis": 1 + opens_too * k}
            steps.append((2.4 + k / 5, {"breaker.redis": 2.0, **values}))
        return scrapes(history(20), *steps)

    leaky = breaker_spares.check(shown(1.0, 0.0))
    assert leaky.status is Status.FAIL
    assert leaky.numbers["errors"] > 2
    assert breaker_spares.check(shown(0.0, 0.0)).status is Status.PASS
    assert breaker_spares.check(shown(1.0, 1.0)).status is Status.PASS
    assert breaker_spares.check(history()).status is Status.UNKNOWN
    never_open = {"breaker.redis": 0.0, "redis_errors": 0.0, "breaker_opened.redis": 0.0}
    assert breaker_spares.check(scrapes(history(), (-1.0, never_open))).status is Status.UNKNOWN


def test_ready_honest() -> None:
    """Ready all through a long refusal of everything is a lie; for as long as it may lag, it is not."""
    refused = [attempt(n, Outcome.REJECTED, due_s=2 + n / 10) for n in range(1, 41)]
    lie = told(attempt(0), *refused, resources=(resource(0),))
    honest = replace(
        lie,
        observations=tuple(
            replace(o, ok=False, error="status 503") if o.probe == "ready" and 4.5 < o.asked_s < 6.5 else o
            for o in observations()
        ),
    )

    assert ready_honest.check(lie).status is Status.FAIL
    assert "while all 40 alerts were refused" in ready_honest.check(lie).got
    assert ready_honest.check(honest).status is Status.PASS
    assert ready_honest.check(told(attempt(0), *refused[:10], resources=(resource(0),))).status is Status.PASS
    assert ready_honest.check(history(5, unsent=20)).status is Status.PASS
    assert ready_honest.check(replace(lie, observations=())).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("seen", "status", "got"),
    [
        (counted(4, 3, 1), Status.PASS, "received 4, created 3, deduplicated 1"),
        (counted(3, 3, 1), Status.FAIL, "received counted 3, wanted 4"),
        (counted(5, 3, 1), Status.FAIL, "received counted 5, wanted 4"),
        (counted(4, 2, 1), Status.FAIL, "created counted 2, wanted 3"),
        (counted(4, 4, 1), Status.FAIL, "created counted 4, wanted 3"),
        (counted(4, 3, 0), Status.FAIL, "deduplicated counted 0, wanted 1"),
    ],
)
def test_metrics_agree(seen: dict[str, float], status: Status, got: str) -> None:
    """Three created and one repeat: every counter that is one off is convicted."""
    sent = (attempt(0), attempt(1), attempt(2), attempt(3, subject=0, kind="duplicate"))
    there = told(*sent, resources=(resource(0, count=2), resource(1), resource(2)))
    found = metrics_agree.check(scrapes(there, (-1.0, counted(0, 0, 0)), (5.0, seen)))

    assert (found.status, found.got) == (status, got)


def test_metrics_agree_leaves_the_loss_to_others() -> None:
    """Counters that say what the answers said, or what is there, agree; others do not."""
    lost = told(attempt(0), attempt(1), attempt(2), resources=(resource(0), resource(1)))

    for created, status in ((3, Status.PASS), (2, Status.PASS), (1, Status.FAIL), (4, Status.FAIL)):
        seen = scrapes(lost, (-1.0, counted(0, 0, 0)), (5.0, counted(3, created, 0)))
        assert metrics_agree.check(seen).status is status


def test_metrics_agree_knows_what_may_have_been_counted() -> None:
    """Unanswered tries, errors of the API, a restart between two samples, other senders."""
    unsure = told(attempt(0), attempt(1, Outcome.INDETERMINATE), resources=(resource(0), resource(1)))
    for received in (1, 2):
        seen = scrapes(unsure, (-1.0, counted(0, 0, 0)), (5.0, counted(received, received, 0)))
        assert metrics_agree.check(seen).status is Status.PASS
    sent = told(attempt(0), attempt(2), attempt(6), resources=(resource(0), resource(2), resource(6)))
    slow = scrapes(sent, (-1.0, counted(0, 0, 0)), (5.0, counted(3, 2, 0, k8s_errors=1.0)))
    assert metrics_agree.check(slow).status is Status.PASS
    anew = {**counted(1, 1, 0), "process_start": 2.0}
    for before in (1, 2):
        steps = ((-1.0, counted(0, 0, 0)), (1.0, counted(before, before, 0)), (2.0, anew), (7.0, anew))
        restarted = metrics_agree.check(scrapes(sent, *steps))
        assert restarted.status is Status.PASS, restarted
    more = scrapes(sent, (-1.0, counted(0, 0, 0)), (7.0, counted(9, 5, 0)))
    assert metrics_agree.check(more).status is Status.FAIL
    assert metrics_agree.check(more, alone=False).status is Status.PASS


def test_metrics_agree_without_evidence() -> None:
    """No counters, no resources, no samples after the load: undecided."""
    sent = told(attempt(0), resources=(resource(0),))
    seen = scrapes(sent, (-1.0, counted(0, 0, 0)), (1.0, counted(1, 1, 0)))
    early = replace(seen, observations=tuple(o for o in seen.observations if o.asked_s < 0))

    assert metrics_agree.check(seen).status is Status.PASS
    for blind in (sent, replace(seen, resources=None), replace(seen, stable=False), early):
        assert metrics_agree.check(blind).status is Status.UNKNOWN


def test_an_unanswered_try_may_have_been_counted() -> None:
    """Sent three times and told once: any count from 1 to 3 is exact; so with a 503 among the tries."""
    tries = tuple(
        Try(outcome, kind)
        for outcome, kind in (
            (Outcome.INDETERMINATE, "answer"),
            (Outcome.REJECTED, "safe"),
            (Outcome.ACKED, "duplicate"),
        )
    )
    sent = attempt(0, kind="duplicate", tries=3, each=tries)

    for count, status in ((0, Status.FAIL), (1, Status.PASS), (3, Status.PASS), (4, Status.FAIL)):
        assert count_exact.check(told(sent, resources=(resource(0, count=count),))).status is status
    refused = (Try(Outcome.REJECTED, "unsafe"), Try(Outcome.ACKED, "created"))
    sent = attempt(0, tries=2, each=refused)
    assert count_exact.check(told(sent, resources=(resource(0, count=2),))).status is Status.FAIL
