"""The first offenders: which ones, in which order, and what is told of each."""

from __future__ import annotations

from dataclasses import replace

import histories

from reports.history import History
from reports.log import Log, LogLine
from reports.offenders import Story, stories
from reports.verdict import judge


def of(told: History) -> list[Story]:
    return stories(told, judge(told))


def test_the_worst_come_first_and_no_more_than_five() -> None:
    """Lost, then doubled, then of no alert, then refused for good."""
    plain = histories.history(16, lost=(3, 4), rejected_unsafe=4)
    doubled = histories.resource(5, name="rr-two", uid="two")
    strange = histories.resource(99, name="rr-strange")
    told = replace(plain, resources=(*(plain.resources or ()), doubled, strange))

    assert [(s.alert_id, s.what) for s in of(told)] == [
        ("k3x9-0000003", "acknowledged, and lost"),
        ("k3x9-0000004", "acknowledged, and lost"),
        ("k3x9-0000005", "in more than one RemediationRequest"),
        ("rr-strange", "comes from no alert that was sent"),
        ("k3x9-0000016", "refused so that Alertmanager does not repeat it"),
    ]


def test_what_no_criterion_convicts_is_no_offender() -> None:
    """Unsafe refusals, where the scenario does not ask for safe ones."""
    promises = tuple(p for p in histories.EVERY if p.criterion != "safe_rejections")

    assert of(histories.history(rejected_unsafe=3, promises=promises)) == []
    assert len(of(histories.history(rejected_unsafe=3))) == 3


def test_a_story_names_request_answer_fault_log_and_resource() -> None:
    """A repeat that was lost: the resource with equal labels is named, with its count."""
    lost = histories.attempt(2, due_s=3.0, subject=0, kind="duplicate", detail="count 2")
    others = tuple(histories.attempt(n) for n in (0, 1))
    log = Log("gateway", (LogLine(2.5, "before"), LogLine(3.01, "acknowledged"), LogLine(3.2, "after")))
    told = replace(
        histories.told(*others, lost, resources=(histories.resource(0), histories.resource(1))), logs=(log,)
    )

    assert of(told) == [
        Story(
            "k3x9-0000002",
            "acknowledged, and lost",
            (
                (
                    "request",
                    "POST due at 3.000 s in phase chaos, sent at 3.002 s, pod label chaos-k3x9-0000000, "
                    "a repeat of k3x9-0000000",
                ),
                ("answer", "201 duplicate at 3.020 s, 20 ms after it was due"),
                ("detail", "count 2"),
                ("fault then", "redis-down, on for 1.02 s"),
                (
                    "CRD",
                    "none carries its id; with equal labels: rr-0000 (count 1, from k3x9-0000000)",
                ),
            ),
            ("acknowledged",),
            "lines of that time; none names it",
        )
    ]


def test_log_lines_that_name_the_alert_come_before_those_of_its_time() -> None:
    """And a log that is not there is said to be missing."""
    named = Log("gateway", (LogLine(2.0, "k3x9-0000001 dropped"), LogLine(3.34, "another")))
    told = histories.history(lost=(1,))

    (story,) = of(replace(told, logs=(named,)))
    assert (story.log, story.log_words) == (("k3x9-0000001 dropped",), "lines that name it")
    assert of(told)[0].log_words == "no log of the Gateway is in the record"


def test_an_alert_without_a_recorded_answer_has_a_story_all_the_same() -> None:
    """Nothing is made up."""
    told = histories.told(histories.attempt(3, done_s=None, status=None), resources=())

    assert dict(of(told)[0].lines)["answer"] == "never"
