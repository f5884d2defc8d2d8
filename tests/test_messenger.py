"""An Alertmanager in between: what it took and did not deliver is no loss of the Gateway's, and no pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories
import pytest
from plan_histories import FAIL, PASS, UNKNOWN, answer, check, looks

from reports import messenger, offenders, presentation
from reports.formats import html, markdown
from reports.history import History, Observation, Outcome
from reports.messenger import Pace
from reports.verdict import State, judge

FACTS = {
    messenger.FACT: "Alertmanager 0.25.0 at http://127.0.0.1:9093, receiver gateway",
    messenger.WAIT_FACT: "0",
    messenger.INTERVAL_FACT: "1",
}
QUIET = {
    "process_start": 7.0,
    "notifications": 3.0,
    "notifications_failed": 0.0,
    "tries": 3.0,
    "tries_failed": 0.0,
}


def through(counts: Any = lambda _: QUIET, lost: tuple[int, ...] = (), **held: float) -> History:
    """Return a run of three alerts, 0 s to 2 s, that Alertmanager took; its probe looks from -1 s to 9 s."""
    attempts = tuple(histories.attempt(n, kind="pushed", status=200) for n in range(3))
    watched = tuple(
        replace(o, asked_s=o.asked_s - 1, answered_s=o.answered_s - 1) for o in looks("alertmanager", counts)
    )
    values = {"held": 3.0, "routed": 3.0, "unsuppressed": 3.0, **held}
    once = Observation("alertmanager_held", 3.0, 3.1, True, values)
    promises = tuple(
        a for a in histories.EVERY if a.criterion in ("zero_loss", "no_duplicates", "no_unexpected")
    )
    return histories.history(
        run=histories.run(target_facts=FACTS, promises=promises),
        attempts=attempts,
        observations=(*histories.observations(), *watched, once),
        resources=tuple(histories.resource(n) for n in range(3) if n not in lost),
    )


def test_what_it_delivered_is_judged() -> None:
    """All there passes; one that is not there is the Gateway's loss, as nothing was owed."""
    assert judge(through()).state is State.PASS
    assert judge(through()).sentence.startswith("PASS: 0 of 3 alerts that Alertmanager took lost")
    assert judge(through(lost=(1,))).state is State.FAIL
    assert answer("zero_loss", through(lost=(1,)))[0] is FAIL
    assert answer("all_created", through(lost=(1,)))[0] is FAIL


def grows(at_s: float, **more: float) -> Any:
    """Return counts that are quiet until ``at_s``, and other ones from then on."""
    return lambda now_s: QUIET if now_s - 1 < at_s else {**QUIET, **more}


DOUBTFUL = {
    "started anew by 4.0 s": through(grows(4.0, process_start=8.0), (1,)),
    "was never seen": through(lambda _: {}, (1,)),
    "still trying to deliver 1 notifications": through(
        grows(4.0, notifications=4.0, tries_failed=9.0, tries=12.0), (1,)
    ),
    "gave a notification up at 7.6 s": through(
        grows(7.6, notifications=4.0, notifications_failed=1.0, tries_failed=4.0, tries=7.0), (1,)
    ),
    "held only 2 of 3": through(lost=(1,), held=2.0),
    "sends only 2 of 3 alerts to the Gateway's receiver": through(lost=(1,), routed=2.0),
    "sends only 2 of 3 alerts: the others are silenced or inhibited": through(lost=(1,), unsuppressed=2.0),
}
DOUBTFUL["was never seen"] = replace(
    through(lost=(1,)),
    observations=tuple(o for o in through().observations if o.probe != "alertmanager"),
)
DOUBTFUL["was not asked which alerts"] = replace(
    through(lost=(1,)),
    observations=tuple(o for o in through().observations if o.probe != "alertmanager_held"),
)
DOUBTFUL["was last seen at"] = replace(
    through(lost=(1,)),
    observations=tuple(o for o in through().observations if o.probe != "alertmanager" or o.asked_s < 3.0),
)
DOUBTFUL["was first seen at"] = replace(
    through(lost=(1,)),
    observations=tuple(o for o in through().observations if o.probe != "alertmanager" or o.asked_s > 1.0),
)


@pytest.mark.parametrize("why", DOUBTFUL)
def test_in_doubt_nothing_is_lost_and_nothing_passes(why: str) -> None:
    """The run is INVALID, with the reason, whether alerts are missing or not."""
    told = DOUBTFUL[why]
    whole = replace(told, resources=through().resources)

    assert (check("zero_loss", told).status, check("all_created", told).status) == (UNKNOWN, UNKNOWN)
    assert why in check("zero_loss", told).got
    assert answer("messenger_whole", told)[0] is UNKNOWN
    assert why in answer("messenger_whole", told)[1]
    assert (judge(told).state, judge(whole).state) == (State.INVALID, State.INVALID)


def test_a_report_says_whose_word_it_is() -> None:
    """Acknowledged by Alertmanager, in every format for people; of a direct run nothing of that is said."""
    told, plain = through(), replace(through(), run=histories.run())
    assert presentation.accounting_notes(told, judge(told))[0] == messenger.meaning(told)
    for each in (html, markdown):
        assert messenger.meaning(told) in each.render(told, judge(told))
        assert "Alertmanager took it" not in each.render(plain, judge(plain))


def test_a_report_calls_nothing_lost_that_may_never_have_been_delivered() -> None:
    """Neither the tile nor the story; the sums keep their word, with a note."""
    told = DOUBTFUL["held only 2 of 3"]
    (lost, *_) = presentation.facts(told, judge(told))
    proven = through(lost=(1,))

    assert (lost.status, lost.note[:11]) == ("UNKNOWN", "not proven:")
    assert (
        offenders.stories(told, judge(told))[0].what == "taken by Alertmanager, and perhaps never delivered"
    )
    assert presentation.accounting_notes(told, judge(told))[1].startswith(
        "lost is not proven: Alertmanager held"
    )
    assert presentation.facts(proven, judge(proven))[0].status == "FAIL"
    assert offenders.stories(proven, judge(proven))[0].what == "acknowledged, and lost"


def test_without_one_it_is_not_asked() -> None:
    """A run that posts by itself knows nothing of it, and its losses stand."""
    plain = replace(through(lost=(1,)), run=histories.run())
    assert messenger.doubt(plain) == ""
    assert "messenger_whole" not in {f.criterion for f in judge(plain).findings}
    assert answer("messenger_whole", replace(plain, observations=()))[0] is UNKNOWN


def test_what_it_owes() -> None:
    """Nothing, once the last push and failure are so long ago that the next try would have been seen."""
    pace = Pace(group_wait_s=0.5, group_interval_s=2.0)
    good = [Observation("alertmanager", at_s, at_s, True, QUIET) for at_s in (0.0, 1.0, 9.0)]
    failed = {**QUIET, "notifications": 4.0, "notifications_failed": 1.0}
    again = [*good, Observation("alertmanager", 10.0, 10.0, True, failed)]

    assert pace.longest_s == 3.0
    assert messenger.owed(good, 6.0, pace) == ""
    assert "may keep back" in messenger.owed(good, 6.1, pace)
    assert "gave a notification up" in messenger.owed(again, 0.0, pace)
    assert messenger.owed([*again, Observation("alertmanager", 13.0, 13.0, True, failed)], 0.0, pace) == ""
    assert "have no tries" in messenger.owed(
        [Observation("alertmanager", 1.0, 1.0, True, {k: v for k, v in QUIET.items() if k != "tries"})],
        0.0,
        pace,
    )


def test_counts_that_never_meet_are_waited_out() -> None:
    """What is begun of resolved alerts is never tried; a failure would be seen within a pause and a flush."""
    pace = Pace(group_wait_s=0.0, group_interval_s=1.0)
    apart = {**QUIET, "notifications": 83.0}

    def look(at_s: float, **more: float) -> Observation:
        return Observation("alertmanager", at_s, at_s, True, {**apart, **more})

    assert (pace.longest_s, pace.flush_s) == (2.0, 11.0)
    assert messenger.owed([look(0.0), look(18.0)], 5.0, pace) == ""
    assert "still trying to deliver 80" in messenger.owed([look(0.0), look(17.9)], 5.0, pace)
    failing = [look(0.0), look(6.0, tries=4.0, tries_failed=1.0)]
    assert messenger.owed([*failing, look(18.9, tries=4.0, tries_failed=1.0)], 5.0, pace)
    assert not messenger.owed([*failing, look(19.0, tries=4.0, tries_failed=1.0)], 5.0, pace)


def test_it_tells_how_much_it_had_to_do() -> None:
    """The growth of its counters over the run."""
    told = through(grows(1.0, notifications=6.0, tries=9.0, tries_failed=3.0))
    status, got = answer("messenger_whole", told)
    assert (status, got) == (PASS, "notifications 3, notifications failed 0, tries 6, tries failed 3")
    assert told.of(Outcome.ACKED)
