"""The chart of a run: nothing counted twice, the worst never thinned away, only what was seen."""

from __future__ import annotations

from dataclasses import replace

import histories
import pytest
from rendered import (
    FAIL,
    PASS,
    UNKNOWN,
)

from reports.chart import chart
from reports.history import Outcome
from reports.verdict import judge


def test_chart_thins_out_honestly() -> None:
    """Of each window and outcome the slowest stays, every lost one stays, and the numbers say so."""
    told = histories.history(1000, lost=(5, 6, 7), rejected_safe=100)
    slow = replace(told.attempts[500], done_s=told.attempts[500].due_s + 9.0)
    told = replace(told, attempts=(*told.attempts[:500], slow, *told.attempts[501:]))
    drawn = chart(told, judge(told), most_points=100)
    assert len(drawn.points["lost"].at_ms) == len(drawn.lost_ms) == 3
    assert max(drawn.points["acked"].took_ms) == 9000.0
    assert 40 <= drawn.shown <= 103
    windows = {
        (a.outcome, int(a.due_s // drawn.window_s)) for a in told.attempts if a.number not in (5, 6, 7)
    }
    assert drawn.shown == len(windows) + 3
    assert drawn.shown == sum(len(p.at_ms) for p in drawn.points.values())
    assert (drawn.answered, drawn.window_s > 0) == (1100, True)
    assert chart(told, judge(told)).window_s == 0.0


def test_a_crowd_of_lost_alerts_is_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more than can be drawn, those of one stretch share a tick that tells how many."""
    monkeypatch.setattr("reports.chart.MOST_LOST", 100)
    told = histories.history(1000, lost=range(1000))
    drawn = chart(told, judge(told))
    assert (len(drawn.lost_ms), len(drawn.lost_counts), sum(drawn.lost_counts)) == (100, 100, 1000)
    assert drawn.lost_window_s == pytest.approx(drawn.end_s / 100)
    assert len(drawn.points["lost"].at_ms) == 100
    assert sum(drawn.rates["lost"]) * drawn.bucket_s == 1000


def test_a_lane_that_changes_too_often_shows_its_worst_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed and open by turns: no stretch in which it was open is drawn closed; the page stays bounded."""
    monkeypatch.setattr("reports.lanes.MOST_SPANS", 10)
    turns = tuple(
        histories.scrape(k / 5, values={"breaker.redis": 2.0 if k % 4 == 1 else 0.0}) for k in range(50)
    )
    told = histories.history(observations=turns)
    drawn = chart(told, judge(told))
    assert drawn.lane_window_s == pytest.approx(drawn.end_s / 10)
    assert len(drawn.lanes[0].spans) <= 11
    for opened in (o for o in turns if o.values["breaker.redis"]):
        assert [s for b, e, s in drawn.lanes[0].spans if b <= opened.answered_s < e] == ["open"]


def test_chart_counts_every_alert_once() -> None:
    """The stacked rates add up to the plan; alerts without a due time are said to be missing."""
    never = [
        histories.attempt(n, Outcome.UNSENT, kind="stopped", phase="", due_s=0.0, begun_s=None, done_s=None)
        for n in (21, 22)
    ]
    told = replace(FAIL, attempts=(*FAIL.attempts, *never))
    drawn = chart(told, judge(told))
    assert {name: sum(rates) for name, rates in drawn.rates.items()} == {
        "acked": 4, "safe": 2, "unsafe": 1, "indeterminate": 1, "unsent": 1, "lost": 12,
    }  # fmt: skip
    assert drawn.unplaced == 2


def test_chart_shows_what_was_seen() -> None:
    """The breaker's states, the fault as asked and as it was, and when the last bad reading turned good."""
    drawn = chart(PASS, judge(PASS))
    assert [lane.name for lane in drawn.lanes] == ["breaker redis", "readiness"]
    assert [(state, round(begin, 2)) for begin, _, state in drawn.lanes[0].spans] == [
        ("closed", 0.01),
        ("open", 2.41),
        ("half-open", 5.61),
        ("closed", 6.01),
    ]
    assert (drawn.bands[0].asked, drawn.bands[0].seen) == ((2.0, 5.0), (2.0, 5.05))
    assert drawn.recovered == ((pytest.approx(5.8), pytest.approx(6.01)),)
    endless = chart(UNKNOWN, judge(UNKNOWN)).bands[0]
    assert (endless.seen, endless.words) == ((2.0, pytest.approx(9.81)), "observed, not seen to end")
    gap = chart(
        replace(PASS, observations=(*histories.observations(3.0), histories.scrape(8.0))), judge(PASS)
    )
    assert [(round(b, 2), round(e, 2), s) for b, e, s in gap.lanes[0].spans][1] == (2.41, 3.81, "open")


def test_a_recovery_is_marked_only_where_the_verdict_gives_it_a_time() -> None:
    """A fault that was never seen to end has no recovery, whatever the probes read."""
    assert chart(PASS, judge(PASS)).recovered == ((5.8, 6.01),)
    assert chart(UNKNOWN, judge(UNKNOWN)).recovered == ()
