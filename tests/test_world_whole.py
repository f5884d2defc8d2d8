"""world_whole: what the run stands on stayed there. It leaves a run undecided, and convicts nobody."""

from __future__ import annotations

from dataclasses import replace

import histories
import pytest
from plan_histories import PASS, UNKNOWN, answer, blind
from test_criteria_plan_whole import after, watched

from reports.history import Asked, History
from reports.verdict import State, judge

GONE = watched({"exits:redis-1": after(4.0, 2.0)})


@pytest.mark.parametrize(
    "told",
    [
        watched(),
        watched({"killed:redis-0": after(3.0, 1.0), "starts:redis-0": after(6.0, 2.0, 1.0)}),
        watched({"exits:gateway": after(3.0, 1.0)}),  # whose end is a criterion's to judge
        blind(watched(), 3.0, 7.0, "components"),  # counts lose nothing in between
    ],
)
def test_what_a_fault_ended_and_the_gateway_are_innocent(told: History) -> None:
    assert answer("world_whole", told) == (PASS, "none of 2 did")


@pytest.mark.parametrize(
    ("told", "got"),
    [
        (GONE, "redis-1 ended by itself by 4.0 s, 2 times"),
        (
            watched({"exits:redis-1": after(9.0, 1.0), "exits:redis-0": after(1.0, 1.0)}),
            "redis-0 ended by itself by 1.0 s; redis-1 ended by itself by 9.0 s",
        ),
        (watched({"exits:redis-1": lambda at_s: 1.0}), "redis-1 had ended by itself before the first look"),
        (blind(watched(), 3.0, 10.0, "components"), "last seen 8.0 s before the end"),
        (blind(watched(), 0.0, 10.0, "components"), "no component was seen"),
    ],
)
def test_a_world_that_broke_by_itself_decides_nothing(told: History, got: str) -> None:
    status, found = answer("world_whole", told)

    assert (status, found) == (UNKNOWN, got)


def test_it_is_asked_of_every_run_that_tells_of_its_components() -> None:
    """Then what passed is INVALID, and a proven loss stays one; `no_cascade` is asked in its place."""
    promises = (Asked("zero_loss", {}),)
    told = replace(GONE, run=histories.run(promises=promises))
    whole = replace(watched(), run=histories.run(promises=promises))
    convicting = replace(GONE, run=histories.run(promises=(*promises, Asked("no_cascade", {}))))
    blind_run = replace(histories.history(), run=histories.run(promises=promises))

    assert judge(whole).state is State.PASS
    assert (judge(told).state, judge(told).exit_code) == (State.INVALID, 3)
    assert judge(replace(told, resources=())).state is State.FAIL
    assert judge(convicting).state is State.FAIL
    assert "world_whole" not in {f.criterion for f in judge(convicting).findings}
    assert "world_whole" not in {f.criterion for f in judge(blind_run).findings}
